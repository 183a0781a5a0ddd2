from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.engines.tiny import make_tiny_model
from selftaught.tokens import Codec


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def codec(model_folder: Path) -> Codec:
    return Codec(model_folder)
