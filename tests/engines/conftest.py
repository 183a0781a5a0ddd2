from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.engines.tiny import make_tiny_model


@pytest.fixture(scope="session", params=["qwen2", "qwen3", "llama"])
def any_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    extra = {}
    if request.param == "llama":
        extra["rope_scaling"] = {
            "rope_type": "llama3",
            "factor": 4.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        }
    return make_tiny_model(tmp_path_factory.mktemp(request.param), family=request.param, **extra)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))
