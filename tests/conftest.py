"""What all tests share: one thread a process, no colour, the command line in process, data beside the checkout."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["NO_COLOR"] = "1"
for _name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS"):
    os.environ.pop(_name, None)

# A busy machine is slow, which says nothing of the code; fifty examples keep the suite quick.
settings.register_profile("suite", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class CliResult:
    """What one call of the command line did."""

    exit_code: int
    stdout: str
    stderr: str


RunCli = Callable[..., CliResult]


@pytest.fixture
def run_cli(capfd: pytest.CaptureFixture[str]) -> RunCli:
    """Call ``selftaught`` in this process: ``run_cli("exec", "--json", path)``."""

    def call(*arguments: str | Path) -> CliResult:
        from selftaught.cli.app import main

        capfd.readouterr()
        exit_code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return CliResult(exit_code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of public benchmark samples beside the checkout; they are not ours to ship."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no benchmark samples in {folder}")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip ``gpu`` tests where there is no CUDA device."""
    if item.get_closest_marker("gpu") is not None:
        torch = pytest.importorskip("torch")
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")


@pytest.fixture(scope="session")
def write_gguf() -> Callable[..., Path]:
    """The benchmarks' writer of GGUF files, which is no part of the package: ``write_gguf(path, folder, …)``."""
    pytest.importorskip("gguf")
    place = REPOSITORY / "benchmarks" / "to_gguf.py"
    spec = importlib.util.spec_from_file_location("to_gguf", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[..., Path] = module.write_gguf
    return found
