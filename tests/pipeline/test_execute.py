"""The stage runner: all stages once, in an order that respects needs, after any number of kills too."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from selftaught.errors import ConfigError
from selftaught.pipeline import perform as perform_module
from selftaught.pipeline import runfile
from selftaught.pipeline.execute import execute
from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.load import load_recipe
from selftaught.pipeline.outcome import StageFailed
from selftaught.pipeline.recipe import Recipe
from selftaught.runs import RunFolder

from .fake_run import NUM_RECORDS, fake_perform

SCRIPT = Path(__file__).with_name("fake_run.py")


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setattr(perform_module, "perform", fake_perform)
    monkeypatch.setattr(runfile, "_sandbox_tier", lambda: "none")
    monkeypatch.setattr(runfile, "_model_hash", lambda model: "made-up")
    return load_recipe("demo")


def records(run: Path) -> dict[str, str]:
    return {str(p.relative_to(run)): p.read_text() for p in run.rglob("records.jsonl")}


def test_all_stages_run_once_and_again_is_free(recipe: Recipe, tmp_path: Path) -> None:
    first = execute(recipe, tmp_path / "run", start_method="fork", num_cores=2, quiet=True)
    assert not first.was_done and set(first.markers) == {stage.name for stage in build_stages(recipe)}
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["digest"] == recipe.digest() and info["kind"] == "recipe" and len(info["attempts"]) == 1
    again = execute(recipe, tmp_path / "run", start_method="fork", num_cores=2, quiet=True)
    assert again.was_done


def test_a_folder_belongs_to_one_recipe(recipe: Recipe, tmp_path: Path) -> None:
    execute(recipe, tmp_path / "run", start_method="fork", quiet=True)
    other = recipe.model_copy(update={"seed": 1})
    with pytest.raises(ConfigError, match="other settings"):
        execute(other, tmp_path / "run", start_method="fork", quiet=True)
    assert not execute(other, tmp_path / "run", fresh=True, start_method="fork", quiet=True).was_done
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").touch()
    for fresh in (False, True):
        with pytest.raises(ConfigError, match=r"run\.json"):
            execute(recipe, tmp_path / "thesis", fresh=fresh, start_method="fork", quiet=True)
    assert (tmp_path / "thesis" / "chapter1.tex").exists()


def test_a_failing_stage_stops_the_run_with_its_message(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(run: RunFolder, stage: object, workers: int, progress: object) -> object:
        if getattr(stage, "name", "") == "round1/hinted":
            raise ConfigError("hints: nothing to insert")
        return fake_perform(run, stage, workers, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(perform_module, "perform", failing)
    with pytest.raises(StageFailed, match="round1/hinted: hints: nothing to insert") as caught:
        execute(recipe, tmp_path / "run", start_method="fork", num_cores=2, quiet=True)
    assert caught.value.exit_code == 2
    assert "nothing to insert" in (tmp_path / "run" / "logs" / "round1.hinted.log").read_text()
    monkeypatch.setattr(perform_module, "perform", fake_perform)
    execute(recipe, tmp_path / "run", start_method="fork", num_cores=2, quiet=True)


def test_progress_gives_the_time_left(recipe: Recipe, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    execute(recipe, tmp_path / "run", start_method="fork", num_cores=2)
    stderr = capfd.readouterr().err
    assert "left" in stderr and "round1/d_seed" in stderr and "[ 1/" in stderr


def test_killed_ten_times_it_ends_like_an_unbroken_run(recipe: Recipe, tmp_path: Path) -> None:
    execute(recipe, tmp_path / "whole", start_method="fork", num_cores=2, quiet=True)
    run = tmp_path / "killed"
    rng = random.Random(0)
    command = [sys.executable, str(SCRIPT), str(run)]
    kills = 0
    while kills < 10:
        process = subprocess.Popen(command, start_new_session=True, env=dict(os.environ))
        deadline = time.monotonic() + 20
        before = len(records(run))
        while len(records(run)) == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(rng.random() * 0.06)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    subprocess.run(command, check=True)
    assert kills >= 8
    assert records(run) == records(tmp_path / "whole")
    assert all(text.count("\n") == NUM_RECORDS for text in records(run).values())
    assert len(json.loads((run / "run.json").read_text())["attempts"]) >= kills
