"""A recipe as a function: from a script without a guard, and in a running loop."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import selftaught as st
from selftaught.api import recipes
from selftaught.pipeline import perform, runfile
from selftaught.pipeline.execute import execute
from selftaught.pipeline.markers import StageResult

SCRIPT = """
print("top")
import multiprocessing
from selftaught.api.recipes import _no_main_file
with _no_main_file():
    process = multiprocessing.get_context("forkserver").Process(target=print, args=("child",))
    process.start()
    process.join()
print(__file__ is not None)
"""


def test_processes_do_not_run_the_callers_script_again(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True, timeout=60)
    assert sorted(done.stdout.split()) == ["True", "child", "top"]


async def test_a_run_gives_its_folder_and_says_when_it_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perform, "perform", lambda *_: StageResult(detail="made up"))
    monkeypatch.setattr(runfile, "_sandbox_tier", lambda: "none")
    monkeypatch.setattr(runfile, "_model_hash", lambda model: "made-up")
    monkeypatch.setattr(recipes, "execute", partial(execute, start_method="fork"))
    first = st.demo(out=tmp_path / "run", set={"pool.limit": 4}, cores=1, quiet=True)
    assert not first.was_done and first.html is None and first.results is None and "report" in first.stages
    again = st.run("demo", out=tmp_path / "run", set=["pool.limit=4"], quiet=True)
    assert again.was_done and str(tmp_path) in again._repr_html_()


def test_a_wrong_recipe_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(st.ConfigError):
        st.run("demmo", out=tmp_path / "run")
    with pytest.raises(st.ConfigError):
        st.run("demo", out=tmp_path / "run", set={"pool.limits": 4})
