"""Ray workers against the plain path: the same set, none missing or doubled, greedy tokens identical; a worker may die."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from selftaught.progress import silent
from selftaught.records import Trajectory
from selftaught.rollouts import RolloutSettings, run_rollout
from selftaught.store import read_jsonl

psutil = pytest.importorskip("psutil")


def tokens(folder: Path) -> dict[str, list[int]]:
    rows = list(read_jsonl(folder / "trajectories.jsonl", Trajectory))
    found = {row.id: row.token_ids() for row in rows}
    assert len(found) == len(rows), "an id stands twice"
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kill", [False, True])
def test_two_workers_against_the_plain_path(tmp_path: Path, kill: bool) -> None:
    pytest.importorskip("ray")
    from selftaught.pipeline.ray_rollout import run_rollout_ray
    from selftaught.toy.problems import generate

    problems = generate("dev", 40)
    # Without hints hardly anything is run: outputs of code may hold memory addresses, which differ between processes.
    settings = RolloutSettings(hints="none", max_tokens=200, samples=1)
    run_rollout(problems, "toy", tmp_path / "plain", settings)
    stop = threading.Event()
    killed: list[int] = []

    def murder() -> None:
        while not stop.is_set() and not killed:
            if (tmp_path / "ray" / "trajectories.jsonl").exists() and tokens(tmp_path / "ray"):
                for process in psutil.Process(os.getpid()).children(recursive=True):
                    if "MapWorker" in " ".join(process.cmdline()):
                        process.send_signal(signal.SIGKILL)
                        killed.append(process.pid)
                        break
            time.sleep(0.05)

    thread = threading.Thread(target=murder, daemon=True)
    if kill:
        thread.start()
    count = run_rollout_ray(problems, "toy", tmp_path / "ray", settings, workers=2, lot_size=5)
    stop.set()
    assert count == 40
    assert tokens(tmp_path / "ray") == tokens(tmp_path / "plain")
    assert run_rollout_ray(problems, "toy", tmp_path / "ray", settings) == 40  # nothing left to do
    if kill:
        thread.join()
        assert killed


@pytest.mark.slow
def test_the_verb_and_a_recipe_reach_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--ray 2`` and ``ray: {workers: 2}`` give what the plain path gives."""
    pytest.importorskip("ray")
    from selftaught.cli.app import main
    from selftaught.pipeline.figure import build_stages
    from selftaught.pipeline.load import load_recipe
    from selftaught.pipeline.perform import perform
    from selftaught.pipeline.stages import RolloutStage
    from selftaught.runs import RunFolder
    from selftaught.store import write_records
    from selftaught.toy.problems import generate

    run = tmp_path / "run"
    write_records(run / "problems" / "pool.jsonl", generate("dev", 8))
    words = ["rollout", str(run / "problems" / "pool.jsonl"), "--model", "toy", "--max-tokens", "60", "--no-tools"]
    assert main([*words, "--out", str(tmp_path / "plain"), "--workers", "0"]) == 0
    for _ in range(2):  # the second call finds everything there
        assert main([*words, "--out", str(tmp_path / "ray"), "--ray", "2"]) == 0
    assert tokens(tmp_path / "ray") == tokens(tmp_path / "plain")
    assert "8 trajectories" in capsys.readouterr().err
    recipe = load_recipe("demo", ["ray.workers=2", "ray.lot_size=3", "defaults.max_tokens=60"])
    assert recipe.digest() == load_recipe("demo", ["defaults.max_tokens=60"]).digest()
    stage = build_stages(recipe)[1]
    assert isinstance(stage, RolloutStage) and stage.ray is not None
    result = perform(RunFolder(run), stage, 1, silent)
    assert result.detail.startswith("8 trajectories")
    assert tokens(run / stage.name) == tokens(tmp_path / "plain")
