"""A small sandbox without preloaded modules: it starts in a tenth of a second."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from selftaught.sandbox import BlockingSandbox, Sandbox, SandboxSettings


@pytest.fixture
def settings() -> Callable[..., SandboxSettings]:
    """Settings for tests: nothing preloaded, patient."""

    def make(**changes: Any) -> SandboxSettings:
        return SandboxSettings(**{"preload": (), "timeout_s": 20.0, "workers": 2, **changes})

    return make


@pytest.fixture
async def sandbox(settings: Callable[..., SandboxSettings]) -> AsyncIterator[Sandbox]:
    """An open sandbox."""
    async with Sandbox(settings()) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared() -> Iterator[BlockingSandbox]:
    """One sandbox for all tests of a module: their calls know nothing of each other."""
    with Sandbox(SandboxSettings(preload=(), timeout_s=20.0, workers=2)) as opened:
        yield opened
