"""Pairs from a forked seed round: one rollout without hints, one with them, the same tokens up to the hint."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import RunCli

from selftaught.grading import grade_run
from selftaught.records import Problem, Trajectory
from selftaught.rollouts import RolloutSettings, run_rollout
from selftaught.rollouts.plain import PlainRun
from selftaught.runs.folders import RolloutFolder
from selftaught.store import read_jsonl, write_records
from selftaught.toy.problems import generate
from selftaught.uplift.records import Fork
from selftaught.uplift.twins import TwinCounts, forks_of_twins

COMMON = {"max_tokens": 500, "max_rows": 12, "workers": 0, "tool_timeout_s": 5.0, "preload": (), "dtype": "float32"}


@pytest.fixture(scope="module")
def few() -> list[Problem]:
    return generate("dev", counts={"easy": 3, "hard": 4, "code": 2}, seed=5)


@pytest.fixture(scope="module")
def rolled(few: list[Problem], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``plain`` and ``hinted``, both graded."""
    root = tmp_path_factory.mktemp("twins")
    plain = PlainRun(root / "plain", RolloutSettings(**COMMON, tools=False))
    run_rollout(few, "toy", root / "hinted", RolloutSettings(**COMMON, hints="end", rounds=1), plain=plain)
    write_records(root / "problems.jsonl", few)
    for name in ("plain", "hinted"):
        graded(root / name, few)
    return root


def graded(folder: Path, problems: list[Problem]) -> None:
    grade_run(problems, folder / "trajectories.jsonl", folder / "grades.jsonl")


def made(root: Path, problems: list[Problem], plain: str = "plain") -> tuple[list[Fork], TwinCounts]:
    counts = TwinCounts()
    known = {one.id: one for one in problems}
    return list(forks_of_twins(RolloutFolder(root / plain), RolloutFolder(root / "hinted"), known, counts)), counts


def test_each_pair_tells_what_both_trajectories_do(rolled: Path, few: list[Problem]) -> None:
    forks, counts = made(rolled, few)
    assert len(forks) == counts.taken == len(few) and counts == TwinCounts(taken=len(few))
    plain, hinted = (
        {one.problem_id: one for one in read_jsonl(rolled / name / "trajectories.jsonl", Trajectory)}
        for name in ("plain", "hinted")
    )
    for fork in forks:
        mine, other = plain[fork.problem_id], hinted[fork.problem_id]
        bare, branch = fork.branches
        assert (bare.trajectory_id, branch.trajectory_id) == (mine.id, other.id)
        assert bare.sampled_tokens == mine.num_sampled() - fork.prefix_tokens
        assert branch.sampled_tokens == other.num_sampled() - fork.prefix_tokens
        assert branch.arm == other.hints()[0].id and branch.calls == len(other.tool_calls()) > 0
        assert fork.place == "end" and fork.probability == 1.0
    assert any(branch.accepted for _, branch in (fork.branches for fork in forks))
    assert {fork.kind for fork in forks} == {one.kind for one in few}


def test_what_begins_otherwise_is_no_pair(rolled: Path, few: list[Problem], tmp_path: Path) -> None:
    run_rollout(few, "toy", rolled / "other", RolloutSettings(**COMMON, tools=False, temperature=1.0, seed=3))
    graded(rolled / "other", few)
    forks, counts = made(rolled, few, "other")
    assert counts.apart > 0 and counts.apart + counts.taken == len(few) and len(forks) == counts.taken


def test_the_command(rolled: Path, tmp_path: Path, run_cli: RunCli) -> None:
    asked = ("hints", "pair", rolled / "plain", rolled / "hinted", "--problems", rolled / "problems.jsonl")
    done = run_cli(*asked, "--out", tmp_path / "pairs")
    assert done.exit_code == 0 and "9 forks; left out: 0 without a hint" in done.stderr
    assert run_cli("hints", "uplift", tmp_path / "pairs").exit_code == 0
    assert run_cli("hints", "learn", tmp_path / "pairs", "--out", tmp_path / "policy.json").exit_code == 0
    swapped = run_cli("hints", "pair", rolled / "hinted", rolled / "plain", *asked[4:], "--out", tmp_path / "none")
    assert swapped.exit_code == 2 and "9 without a hint" in swapped.stderr and not (tmp_path / "none").exists()
    (rolled / "plain" / "grades.jsonl").rename(rolled / "kept")
    ungraded = run_cli(*asked, "--out", tmp_path / "none")
    (rolled / "kept").rename(rolled / "plain" / "grades.jsonl")
    assert ungraded.exit_code == 2 and "plain has no grades; expected grades.jsonl" in ungraded.stderr
