"""Set-up and CI: the CI script's verdict, the choice of torch's index, that what make names is there."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
NEEDS_MAKE = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


def run_ci(folder: Path, closing: str, exit_code: int) -> subprocess.CompletedProcess[str]:
    """``.ci/run`` with a ``make`` that prints one line and exits."""
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci" / "run")
    fake = folder / "bin" / "make"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\necho '{closing}'\nexit {exit_code}\n")
    fake.chmod(0o755)
    environment = {**os.environ, "PATH": f"{fake.parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [folder / ".ci" / "run"], capture_output=True, text=True, check=False, env=environment, timeout=30
    )


@pytest.mark.parametrize(
    ("closing", "made", "expected"),
    [
        ("===== 3 passed in 0.12s =====", 0, 0),
        ("===== 1 failed, 2 passed in 0.12s =====", 2, 2),
        ("===== 1 error in 0.12s =====", 2, 2),
        ("nothing was run", 0, 1),
        ("make: *** [install] Error 3", 2, 2),
    ],
)
def test_ci_exits_as_the_tests_did(tmp_path: Path, closing: str, made: int, expected: int) -> None:
    done = run_ci(tmp_path, closing, made)
    assert done.returncode == expected
    if closing.startswith("="):
        assert done.stdout.rstrip().splitlines()[-1] == closing


@NEEDS_MAKE
def test_make_help_lists_every_target() -> None:
    listing = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"install", "demo", "test", "check", "bench", "docs"} <= set(targets)
    for target in targets:
        assert f"make {target}" in listing


@NEEDS_MAKE
def test_an_old_python_is_told_so(tmp_path: Path) -> None:
    """The version is checked before anything is made."""
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\necho "selftaught needs Python 3.11 or newer" >&2\nexit 1\n')
    old.chmod(0o755)
    venv = tmp_path / "venv"
    done = subprocess.run(
        ["make", "install", f"PYTHON={old}", f"VENV={venv}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "3.11 or newer" in done.stderr
    assert not venv.exists()


def torch_index() -> Any:
    spec = importlib.util.spec_from_file_location("torch_index", ROOT / "scripts" / "torch_index.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("variable", ["PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_NO_INDEX"])
def test_a_configured_pip_is_left_alone(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "1")
    torch_index().main()
    assert capsys.readouterr().out == ""


def test_an_index_out_of_reach_is_left_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module = torch_index()
    monkeypatch.setattr(module, "pip_is_configured", lambda: False)
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    monkeypatch.setattr(module, "CPU_INDEX", "http://127.0.0.1:9")
    module.main()
    assert capsys.readouterr().out == ""


def test_exact_pins_stand_in_the_constraints_only() -> None:
    """Ranges let the package install beside vLLM or Axolotl; `make install` takes the versions that were tested."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [
        *project["dependencies"],
        *(item for extra in project["optional-dependencies"].values() for item in extra),
    ]
    assert not [requirement for requirement in declared if "==" in requirement]
    pinned = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    names = {re.split(r"[\[<>=]", requirement)[0].lower() for requirement in declared} - {"selftaught"}
    assert names <= pinned, f"declared, but without a tested version: {sorted(names - pinned)}"
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text().splitlines()


def test_no_cuda_package_is_pinned() -> None:
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert not [line for line in pins if line.startswith(("nvidia", "cuda", "triton"))]
