"""Many trajectories: over processes, interrupted, resumed; the file is the same whatever happens."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from selftaught.errors import ConfigError, EngineError
from selftaught.progress import Progress
from selftaught.records import Problem, ProblemKind, StopReason, Trajectory
from selftaught.rollouts import RolloutSettings, run_rollout
from selftaught.rollouts.pool import shared_pool
from selftaught.rollouts.verify import verify_run
from selftaught.store import read_jsonl

PROBLEMS = [
    Problem(id=f"p{number}", problem=f"What is {number} + 2?", kind=ProblemKind.MATH, answer=str(number + 2))
    for number in range(14)
]


def settings(**changes: object) -> RolloutSettings:
    return RolloutSettings(
        **{"tools": False, "max_tokens": 60, "temperature": 1.0, "samples": 2, "max_rows": 8, **changes}
    )


def read(out: Path) -> dict[str, Trajectory]:
    found = list(read_jsonl(out / "trajectories.jsonl", Trajectory))
    assert len({one.id for one in found}) == len(found)
    return {one.id: one for one in found}


def ids_of(out: Path) -> dict[str, list[int]]:
    return {name: one.token_ids() for name, one in read(out).items()}


@pytest.fixture(scope="module")
def whole(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    shown: list[Progress] = []
    summary = run_rollout(PROBLEMS, str(model_folder), out, settings(), progress=shown.append)
    assert summary.num_new == summary.num_trajectories == 28 and summary.num_failed == 0
    assert shown[-1].done == shown[-1].total == 28 and "28/28" in shown[-1].line()
    assert summary.stall is not None and summary.stall.decode_tokens == summary.model_tokens
    return out


def test_one_process(whole: Path, model_folder: Path) -> None:
    assert all(mismatch is None for mismatch in verify_run(whole))
    record = json.loads((whole / "run.json").read_text())
    assert record["settings"]["seed"] == 0 and record["model_digest"]
    again = run_rollout(PROBLEMS, str(model_folder), whole, settings(max_rows=3))
    assert again.num_new == 0 and again.num_resumed == 28


def test_processes_make_the_same(whole: Path, model_folder: Path, tmp_path: Path) -> None:
    run_rollout(PROBLEMS, str(model_folder), tmp_path, settings(workers=2))
    assert ids_of(tmp_path) == ids_of(whole)


def test_workers_that_live_on_read_paths_from_where_one_stands(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = settings(workers=2, max_tokens=4, samples=1)
    for name in ("here", "there"):
        place = tmp_path / name
        shutil.copytree(model_folder, place / name)
        monkeypatch.chdir(place)
        assert run_rollout(PROBLEMS[:2], name, Path("out"), few).num_failed == 0
        assert (place / "out" / "trajectories.jsonl").is_file()


def test_a_dead_worker_is_replaced(whole: Path, model_folder: Path, tmp_path: Path) -> None:
    killed = []

    def kill_one(progress: Progress) -> None:
        if progress.tokens and not killed:
            worker = shared_pool().workers[0]
            killed.append(worker.process.pid)
            os.kill(worker.process.pid, signal.SIGKILL)

    run_rollout(PROBLEMS, str(model_folder), tmp_path, settings(workers=2), progress=kill_one)
    assert killed and ids_of(tmp_path) == ids_of(whole)


def test_what_is_missing_or_failed_is_done_again(whole: Path, model_folder: Path, tmp_path: Path) -> None:
    run_rollout(PROBLEMS, str(model_folder), tmp_path, settings())
    file = tmp_path / "trajectories.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    failed = Trajectory.model_validate_json(lines[3])
    failed.stop_reason, failed.error = StopReason.ENGINE_ERROR, "gone"
    lines[3] = failed.to_json() + "\n"
    file.write_text("".join(lines[:20]) + lines[20][:50])
    summary = run_rollout(PROBLEMS, str(model_folder), tmp_path, settings())
    assert summary.num_new == 9 and summary.num_resumed == 19
    assert ids_of(tmp_path) == ids_of(whole)
    assert [one.id for one in read_jsonl(tmp_path / "failures.jsonl", Trajectory)] == [failed.id]


def test_a_killed_run_resumes(whole: Path, model_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\nfrom test_runner import PROBLEMS, settings, run_rollout\n"
        f"run_rollout(PROBLEMS, {str(model_folder)!r}, Path({str(out)!r}), settings(workers=1, max_rows=2))\n"
    )
    paths = [str(Path(sys.modules["selftaught"].__file__ or "").parents[1])]
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
    file = out / "trajectories.jsonl"
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None and not (file.exists() and file.stat().st_size):
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert file.exists()
    run_rollout(PROBLEMS, str(model_folder), out, settings())
    assert ids_of(out) == ids_of(whole)


def test_rounds_resume_too(model_folder: Path, tmp_path: Path) -> None:
    changes = settings(tools=True, hints="end", rounds=2, record_rounds=True, samples=1, preload=(), max_tokens=40)
    few = PROBLEMS[:3]
    run_rollout(few, str(model_folder), tmp_path, changes)
    before = ids_of(tmp_path)
    assert len(before) == 9
    file = tmp_path / "trajectories.jsonl"
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if '"p1#0@1"' not in line))
    summary = run_rollout(few, str(model_folder), tmp_path, changes)
    assert summary.num_new == 1 and ids_of(tmp_path) == before


def test_refusals(whole: Path, model_folder: Path, tmp_path: Path) -> None:
    model = str(model_folder)
    with pytest.raises(ConfigError, match="--seed is 0; here it is 1"):
        run_rollout(PROBLEMS, model, whole, settings(seed=1))
    with pytest.raises(ConfigError, match="tools are off"):
        run_rollout(PROBLEMS, model, tmp_path, settings(hints="auto"))
    with pytest.raises(ConfigError, match="expected one of none"):
        run_rollout(PROBLEMS, model, tmp_path, settings(hints="autoo"))
    with pytest.raises(ConfigError, match="record_rounds needs"):
        run_rollout(PROBLEMS, model, tmp_path, settings(tools=True, hints="auto", rounds=1, record_rounds=True))
    with pytest.raises(ConfigError, match="occurs twice"):
        run_rollout([PROBLEMS[0], PROBLEMS[0]], model, tmp_path, settings())
    with pytest.raises(EngineError, match="was not found"):
        run_rollout(PROBLEMS, "/nowhere/at/all", tmp_path / "x", settings(workers=1))


def test_life_is_shown_before_the_first_trajectory_ends(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading is said at once, then the tokens of unfinished trajectories."""
    monkeypatch.setattr("selftaught.rollouts.worker.PULSE_S", 0.0)
    monkeypatch.setattr("selftaught.rollouts.runner._PROGRESS_EVERY_S", 0.0)
    seen: list[Progress] = []
    long = settings(workers=0, max_tokens=300, tools=False, hints="none")
    run_rollout(PROBLEMS[:1], str(model_folder), tmp_path, long, progress=seen.append, what="mine")
    assert seen[0].notes == (f"loading {model_folder}",) and seen[0].what == "mine"
    early = [now for now in seen if now.done == 0 and now.tokens]
    assert early and seen[-1].finished and seen[-1].tokens is not None
    assert early[0].tokens is not None and early[0].tokens < seen[-1].tokens
