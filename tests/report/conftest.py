"""Fixtures of the report's tests: a synthetic run, and a browser where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .chromium import Chromium, find_browser
from .synthetic import MadeRun, make_run


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeRun:
    """A small synthetic run with all conditions. Tests do not write into it."""
    return make_run(tmp_path_factory.mktemp("run"), num_problems=36)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a synthetic run with its report written."""
    from selftaught.report import write_report

    run = make_run(tmp_path_factory.mktemp("written"), num_problems=36)
    write_report(run.folder)
    return run.folder


@pytest.fixture(scope="session")
def shared_browser() -> Iterator[Chromium]:
    """One headless Chromium for all tests; skips where none is installed."""
    binary = find_browser()
    if binary is None:
        pytest.skip("no Chromium is installed")
    with Chromium(binary) as page:
        yield page


@pytest.fixture
def browser(shared_browser: Chromium) -> Chromium:
    """The browser with nothing noted and no emulation."""
    shared_browser.problems.clear()
    shared_browser.requests.clear()
    shared_browser.call("Emulation.setEmulatedMedia", features=[])
    return shared_browser
