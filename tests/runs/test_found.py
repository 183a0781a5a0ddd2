"""What lies in a folder is found without being told: rollouts, conditions, problems, models; in parts of a run, in a moved run."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.curation.inputs import what_to_curate
from selftaught.errors import ConfigError, DataError
from selftaught.evals.compare import compare_runs
from selftaught.records import (
    Grade,
    Outcome,
    Problem,
    ProblemKind,
    Span,
    SpanSource,
    StopReason,
    Trajectory,
    trajectory_id,
)
from selftaught.runs.condition import Curve
from selftaught.runs.folders import ModelFolder, RolloutFolder, RunFolder
from selftaught.runs.found import find_rollouts, problem_file, recipe_run_of, rollout_at, tokenizer_of
from selftaught.runs.record import RunKind, RunRecord, write_record
from selftaught.runs.stages import StageRef
from selftaught.store import write_records

POOL = [Problem(id=f"pool{n}", problem=f"{n}?", kind=ProblemKind.MATH, answer="1") for n in range(3)]
TEST = [Problem(id=f"test{n}", problem=f"{n}?", kind=ProblemKind.MATH, answer="1") for n in range(3)]


def rollout(
    folder: Path,
    problems: list[Problem],
    condition: str,
    *,
    right: int,
    rounds: tuple[int | None, ...] = (None,),
    model: str = "toy",
) -> None:
    """A graded rollout; the first ``right`` problems are solved."""
    trajectories, grades = [], []
    for number, problem in enumerate(problems):
        for round_ in rounds:
            spans = [
                Span(source=SpanSource.PROMPT, token_ids=[1], text="?"),
                Span(source=SpanSource.MODEL, token_ids=[2], text="1"),
            ]
            one = Trajectory(
                id=trajectory_id(problem.id, 0, round_), problem_id=problem.id, round=round_, model=model, condition=condition,
                spans=spans, stop_reason=StopReason.ANSWERED,
            )  # fmt: skip
            outcome = Outcome.CORRECT if number < right else Outcome.WRONG
            trajectories.append(one)
            grades.append(
                Grade(
                    trajectory_id=one.id, problem_id=problem.id, outcome=outcome, correct=number < right, path="integer"
                )
            )
    write_records(RolloutFolder(folder).trajectories, trajectories)
    write_records(RolloutFolder(folder).grades, grades)


@pytest.fixture
def demo(tmp_path: Path) -> RunFolder:
    """A recipe's run as the first version left it: records of the rollouts are missing."""
    run = RunFolder(tmp_path / "runs" / "demo")
    write_record(run.path, RunRecord(kind=RunKind.RECIPE, model="toy"))
    write_records(run.problem_sets.pool, POOL)
    write_records(run.problem_sets.test, TEST)
    rollout(run.path / "round1" / "greedy", POOL, "greedy", right=1)
    rollout(run.path / "round1" / "hinted", POOL, "base+hint", right=3)
    rollout(run.path / "round2" / "sampled", POOL, "start-0", right=2, model="runs/demo/round1/start-0")
    rollout(run.path / "control" / "sampled", POOL, "base-rft", right=2)
    rollout(run.path / "eval" / "base-rounds", TEST, "base", right=1, rounds=(0, 1))
    rollout(run.path / "eval" / "base", TEST, "base", right=1, rounds=(0,))
    rollout(run.path / "eval" / "start", TEST, "start", right=3, rounds=(0,), model="runs/demo/round2/start")
    for model in ("round1/start-0", "round2/start"):
        (run.path / model).mkdir(parents=True)
        (run.path / model / "config.json").touch()
    return run


def test_parts_of_a_run(demo: RunFolder) -> None:
    found = {one.stage.folder: one for one in find_rollouts(demo.path) if one.stage is not None}
    assert len(found) == 7 and recipe_run_of(demo.path / "eval") == RunFolder(demo.path.resolve())
    assert found["round1/greedy"].tabled == "base" and found["round1/greedy"].condition == "greedy"
    assert {name for name, one in found.items() if one.is_test} == {"eval/base-rounds", "eval/base", "eval/start"}
    assert [found[name].curve for name in ("eval/base-rounds", "eval/base")] == [Curve.HINTS, None]
    for name, file in (("round1/hinted", "pool"), ("eval/start", "test")):
        assert problem_file(found[name]).stem == file
        assert problem_file(rollout_at(demo.path / name)).stem == file
    with pytest.raises(DataError, match=r"holds no trajectories\.jsonl"):
        find_rollouts(demo.problem_sets.path)


def test_a_model_that_moved_with_its_run(demo: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a checkout may hold the run of that name
    moved = demo.path.rename(tmp_path / "elsewhere")
    found = tokenizer_of(rollout_at(moved / "eval" / "start"))
    assert ModelFolder(Path(found)).holds_model() and Path(found) == moved / "round2" / "start"
    assert tokenizer_of(rollout_at(moved / "round1" / "hinted")) == "toy"
    rollout(tmp_path / "gone", TEST, "x", right=1, model="runs/other/model")
    with pytest.raises(ConfigError, match="give its folder with --model"):
        tokenizer_of(rollout_at(tmp_path / "gone"))


def test_what_curate_takes(demo: RunFolder) -> None:
    whole = what_to_curate(demo.path)
    assert [i.name for i in whole.inputs(mixes_text=False)] == ["round1/hinted", "round2/sampled", "round1/greedy"]
    assert [(i.candidate, i.reference) for i in whole.inputs(mixes_text=False)] == [
        (True, False),
        (True, False),
        (False, True),
    ]
    one = what_to_curate(demo.path / "round1" / "hinted")
    assert one.greedy is not None and one.greedy.stage == StageRef.parse("round1/greedy")
    assert [path.stem for path in one.problem_files()] == ["pool"]
    assert what_to_curate(demo.path / "round1" / "greedy").greedy is None
    RolloutFolder(demo.path / "round1" / "hinted").grades.unlink()
    with pytest.raises(ConfigError, match="is not graded; run `selftaught grade"):
        what_to_curate(demo.path / "round1" / "hinted")


def test_what_compare_takes(demo: RunFolder) -> None:
    (row,) = compare_runs(demo.path, demo.path, "base", "start").comparisons
    assert (row.paired.n, row.paired.diff) == (3, pytest.approx(2 / 3))
    with pytest.raises(DataError, match="would be compared with itself.*--condition-a and --condition-b: base, start"):
        compare_runs(demo.path, demo.path)
    with pytest.raises(DataError, match=r"--condition-b 'stort' is not in .*; expected one of base, start"):
        compare_runs(demo.path, demo.path, "base", "stort")
    (row,) = compare_runs(demo.path / "eval" / "base", demo.path / "eval" / "start").comparisons
    assert row.condition_a == "base" and row.condition_b == "start"
    with pytest.raises(DataError, match="share no graded problems"):
        compare_runs(demo.path / "round1" / "hinted", demo.path / "eval" / "start", "base+hint", "start")
