"""A real server on a loopback port, one for all tests, with a model that does what the question says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from selftaught.rollouts.settings import RolloutSettings
from selftaught.serve.backend import Backend

from .scripted import ScriptedBackend, Server, opened


@pytest.fixture(scope="session")
def backend() -> Iterator[Backend]:
    """One backend for all tests."""
    with opened(ScriptedBackend("toy", RolloutSettings())) as found:
        yield found


@pytest.fixture(scope="session")
def server(backend: Backend) -> Iterator[Server]:
    """One server for all tests that leave it as it was."""
    found = Server(backend)
    yield found
    found.stop()
