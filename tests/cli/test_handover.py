"""Each stage hands over what the next one needs: own problems to a model, without one option that names what is known."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from selftaught.problems import load_problems
from selftaught.records import Problem
from selftaught.runs.folders import DataFolder, ModelFolder, RolloutFolder
from selftaught.runs.record import RunKind, read_record
from selftaught.store import read_jsonl, write_records


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few hard problems of the embedded reasoner, which hints solve."""
    path = tmp_path_factory.mktemp("mine") / "mine.jsonl"
    hard = [p for p in load_problems("toy-dev", 60) if p.metadata.get("group") == "hard"][:3]
    write_records(path, hard)
    return path


@pytest.fixture(scope="module")
def hinted(mine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hinted rollout of them."""
    from selftaught.rollouts import RolloutSettings, run_rollout

    out = tmp_path_factory.mktemp("runs") / "hinted"
    settings = RolloutSettings.model_validate({"condition": "rollout+math", "hints": "math", "max_tokens": 400})
    run_rollout(list(read_jsonl(mine, Problem)), "toy", out, settings)
    return out


def next_line(stderr: str) -> list[str]:
    """The words after ``next: selftaught``."""
    (line,) = [line for line in stderr.splitlines() if line.startswith("next: ")]
    program, *words = shlex.split(line.removeprefix("next: "))
    assert program == "selftaught"
    return words


def test_every_next_line_runs(run_cli: Any, mine: Path, hinted: Path, tmp_path: Path) -> None:
    rollout = [
        "rollout",
        mine,
        "--model",
        "toy",
        "--out",
        hinted,
        "--hints",
        "math",
        "--max-tokens",
        "400",
        "--workers",
        "0",
    ]
    result = run_cli(*rollout)
    assert result.exit_code == 0 and "3 trajectories" in result.stderr, result.stderr
    words = next_line(result.stderr)
    assert words == ["grade", str(hinted)]
    result = run_cli(*words)
    assert result.exit_code == 0, result.stderr
    words = next_line(result.stderr)
    assert words == ["report", str(hinted)]
    result = run_cli(*words)
    assert result.exit_code == 0 and "rollout+math" in result.stdout, result.stderr
    result = run_cli("curate", hinted)
    assert result.exit_code == 0 and result.stderr.startswith("rule d_start"), result.stderr
    words = next_line(result.stderr)
    assert words[:2] == ["train", str(hinted / "curated")]
    data = DataFolder(hinted / "curated")
    record = read_record(data.path)
    assert record is not None and record.kind is RunKind.CURATION and record.tokenizer == "toy"
    assert record.problem_file(data.path) is not None
    result = run_cli(*words)
    assert result.exit_code == 0, result.stderr
    again = run_cli(*words)
    assert again.exit_code == 0 and "holds this model already" in again.stderr
    other = run_cli(*words, "--epochs", "1")
    assert other.exit_code == 2 and "--epochs is 2.0; here it is 1.0" in other.stderr
    assert ModelFolder(Path(words[-1])).summary.exists()


def test_what_a_rollout_folder_knows(hinted: Path, mine: Path) -> None:
    record = read_record(hinted)
    assert record is not None and record.kind is RunKind.ROLLOUT
    assert (record.model, record.tokenizer, record.condition) == ("toy", "toy", "rollout+math")
    assert {p.id for p in load_problems(RolloutFolder(hinted).problems)} == {p.id for p in load_problems(mine)}
    assert record.made_by.versions["selftaught"] and record.made_by.hardware["cores"]


def test_other_text_other_answer_other_kind(run_cli: Any, mine: Path, hinted: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in mine.read_text().splitlines()]
    before = RolloutFolder(hinted).trajectories.read_bytes()
    for change, words in (
        ({"problem": "What is 9 times 2?"}, "another text for problem"),
        ({"answer": "18"}, "another answer for problem"),
    ):
        other = tmp_path / "other.jsonl"
        other.write_text("".join(json.dumps(row) + "\n" for row in [rows[0] | change, *rows[1:]]))
        options = ["--hints", "math", "--max-tokens", "400", "--workers", "0"]
        result = run_cli("rollout", other, "--model", "toy", "--out", hinted, *options)
        assert result.exit_code == 2 and words in result.stderr and repr(rows[0]["id"]) in result.stderr
    for command in (
        ["run", "demo", "--out", hinted],
        ["run", "demo", "--out", hinted, "--fresh"],
        ["demo", "--out", hinted, "--fresh"],
        ["eval", "--model", "toy", "--benchmarks", mine, "--out", hinted],
    ):
        result = run_cli(*command)
        assert result.exit_code == 2 and "holds a rollout; name another --out" in result.stderr, result.stderr
    assert RolloutFolder(hinted).trajectories.read_bytes() == before


@pytest.mark.parametrize("place", ["/proc/nothing", "FILE", "FILE/below"])
def test_an_out_that_cannot_be_written(run_cli: Any, mine: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "FILE").write_text("")
    out = tmp_path / place
    for command in (
        ["rollout", mine, "--model", "toy", "--workers", "0"],
        ["eval", "--model", "toy", "--benchmarks", mine],
        ["run", "demo"],
    ):
        result = run_cli(*command, "--out", out)
        assert result.exit_code == 2 and "cannot be written" in result.stderr, result.stderr
