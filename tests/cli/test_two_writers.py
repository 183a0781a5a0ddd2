"""One writer a folder: the second is refused in a line that names the first; readers never are. As real processes, too."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from selftaught.engines.tiny import make_tiny_model
from selftaught.errors import ConfigError
from selftaught.grading import grade_run
from selftaught.problems import load_file
from selftaught.rollouts import RolloutSettings, run_rollout
from selftaught.runs.folders import Folder, RolloutFolder
from selftaught.runs.lock import WriterLock

NUM_PROBLEMS = 12
REFUSED = re.compile(r"selftaught: error: .* is being written by process \d+ on \S+ \(selftaught \w+, since .*\n")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sums") / "sums.jsonl"
    rows = [{"id": f"p{n}", "problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(NUM_PROBLEMS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def rolled(model: Path, sums: Path, tmp_path: Path) -> RolloutFolder:
    """A graded rollout."""
    folder = RolloutFolder(tmp_path / "rolled")
    settings = RolloutSettings.model_validate({"max_tokens": 20, "tools": False, "condition": "rollout"})
    run_rollout(load_file(sums), str(model), folder.path, settings)
    grade_run(load_file(sums), folder.trajectories, folder.grades)
    return folder


def command(verb: str, out: Path, rolled: Path, model: Path, sums: Path) -> list[str]:
    """The words of a verb that writes into ``out``."""
    short = ["--max-tokens", "20", "--no-tools", "--workers", "0"]
    words = {
        "rollout": ["rollout", sums, "--model", model, "--out", out, *short],
        "eval": ["eval", "--model", model, "--benchmarks", sums, "--out", out, *short],
        "grade": ["grade", rolled],
        "curate": ["curate", rolled, "--out", out, "--set", "require_tool=false"],
        "train": ["train", rolled / "curated", "--model", model, "--out", out],
        "run": ["run", "demo", "--out", out],
        "demo": ["demo", "--out", out],
    }[verb]
    return [str(word) for word in words]


@pytest.mark.parametrize("verb", ["rollout", "eval", "grade", "curate", "run", "demo"])
def test_a_second_writer_is_refused(
    verb: str, run_cli: Any, rolled: RolloutFolder, model: Path, sums: Path, tmp_path: Path
) -> None:
    lock = rolled.grades_lock if verb == "grade" else Folder(tmp_path / "out").lock
    with WriterLock(lock, verb):
        result = run_cli(*command(verb, tmp_path / "out", rolled.path, model, sums))
    assert result.exit_code == 2 and REFUSED.fullmatch(result.stderr.splitlines(keepends=True)[-1]), result.stderr
    assert f"process {os.getpid()} on {socket.gethostname()}" in result.stderr


def test_a_second_training_is_refused(model: Path, tmp_path: Path) -> None:
    from selftaught.training.render import TrainingRow
    from selftaught.training.settings import SftSettings
    from selftaught.training.sft import train_sft

    with WriterLock(Folder(tmp_path).lock, "train"), pytest.raises(ConfigError, match=f"process {os.getpid()} on"):
        train_sft([TrainingRow("x", [1, 2], [1, 2])], model, tmp_path, SftSettings())


def test_readers_are_never_refused(run_cli: Any, rolled: RolloutFolder) -> None:
    """A rollout that is still written can be graded, curated, and looked at."""
    with WriterLock(rolled.lock, "rollout"):
        for words in (["grade"], ["curate"], ["verify"], ["report", "--no-table"]):
            result = run_cli(words[0], rolled.path, *words[1:])
            assert result.exit_code == 0, result.stderr
        with WriterLock(rolled.grades_lock, "grade"):
            for words in (["verify"], ["report", "--no-table"], ["curate"]):
                assert run_cli(words[0], rolled.path, *words[1:]).exit_code == 0
            result = run_cli("compare", rolled.path, rolled.path)
            assert result.exit_code == 2 and "--condition-a" in result.stderr


def test_a_failure_that_was_done_again_is_graded_again(rolled: RolloutFolder, sums: Path) -> None:
    """A rollout moves what failed out of the file; a grade of it that was given meanwhile does not stay."""
    lines = rolled.trajectories.read_text().splitlines()
    failed = json.loads(lines[3]) | {"stop_reason": "engine_error", "error": "gone"}
    rolled.trajectories.write_text("\n".join([*lines[:3], json.dumps(failed), *lines[4:]]) + "\n")
    problems = load_file(sums)
    grade_run(problems, rolled.trajectories, rolled.grades, regrade=True)
    assert outcomes(rolled)[failed["id"]] == "error"
    rolled.trajectories.write_text("\n".join(lines) + "\n")
    assert grade_run(problems, rolled.trajectories, rolled.grades).num_new == 1
    assert outcomes(rolled)[failed["id"]] != "error" and len(outcomes(rolled)) == NUM_PROBLEMS
    assert grade_run(problems, rolled.trajectories, rolled.grades).num_new == 0


def outcomes(folder: RolloutFolder) -> dict[str, str]:
    """Trajectory → outcome; no trajectory may have two."""
    rows = [json.loads(line) for line in folder.grades.read_text().splitlines()]
    found = {row["trajectory_id"]: row["outcome"] for row in rows}
    assert len(found) == len(rows), "a grade stands twice"
    return found


# ------------------------------------------------------------------------------------------------- as real processes


@contextmanager
def started(*commands: list[str]) -> Iterator[list[subprocess.Popen[str]]]:
    """The commands, started together."""
    program = [sys.executable, "-m", "selftaught"]
    processes = [
        subprocess.Popen([*program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for words in commands
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def both_end_well(first: list[str], second: list[str]) -> None:
    """Each ends well, or is refused in one line that names the other."""
    with started(first, second) as processes:
        ends = [(process.communicate(timeout=300)[1], process) for process in processes]
    codes = [process.returncode for _, process in ends]
    assert 0 in codes and set(codes) <= {0, 2}, [stderr for stderr, _ in ends]
    for stderr, process in ends:
        if process.returncode == 2:
            assert REFUSED.search(stderr), stderr
            assert str(ends[codes.index(0)][1].pid) in stderr


def is_whole(folder: Path, name: str, key: str) -> bool:
    """Whether each problem stands once in a file of the folder."""
    (path,) = folder.rglob(name)
    ids = Counter(json.loads(line)[key] for line in path.read_text().splitlines())
    return set(ids.values()) == {1} and len(ids) == NUM_PROBLEMS


def test_two_rollouts_and_two_gradings_at_once(rolled: RolloutFolder, model: Path, sums: Path, tmp_path: Path) -> None:
    out = tmp_path / "two"
    both_end_well(*[command("rollout", out, rolled.path, model, sums)] * 2)
    assert is_whole(out, "trajectories.jsonl", "id")
    rolled.grades.unlink()
    both_end_well(*[command("grade", out, rolled.path, model, sums)] * 2)
    assert is_whole(rolled.path, "grades.jsonl", "trajectory_id")


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("SELFTAUGHT_PAIRS"), reason="set SELFTAUGHT_PAIRS=20 for so many random pairs")
def test_random_pairs_of_writers(rolled: RolloutFolder, model: Path, sums: Path, tmp_path: Path) -> None:
    rng = random.Random(0)
    for number in range(int(os.environ["SELFTAUGHT_PAIRS"])):
        verb, out = rng.choice(["rollout", "rollout", "grade", "curate", "eval"]), tmp_path / f"out{number}"
        if verb == "grade":
            rolled.grades.unlink()
        both_end_well(*[command(verb, out, rolled.path, model, sums)] * 2)
        if verb in ("rollout", "eval"):
            assert is_whole(out, "trajectories.jsonl", "id")
        if verb in ("grade", "eval"):
            assert is_whole(rolled.path if verb == "grade" else out, "grades.jsonl", "trajectory_id")
