"""Graded runs to the report's document: slices, pairs, transitions, curves, claims, comparison of two runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from selftaught.evals.build import BenchmarkRuns, EvalRun, build_report, slices_of
from selftaught.evals.claims import check_claims
from selftaught.evals.records import ReportData
from selftaught.evals.rows import thinking_tokens
from selftaught.records import (
    Grade,
    HintInfo,
    HintPosition,
    Span,
    SpanSource,
    Trajectory,
)
from selftaught.store import read_jsonl, write_records

from .graded import problems, rollout, run


def test_conditions_stand_in_order_on_every_slice(report: ReportData) -> None:
    assert report.condition_names() == ["base", "base+hint", "start"]
    assert report.benchmarks() == ["all", "hard", "easy", "code", "choice"]
    base = report.condition("base", "all")
    assert base is not None
    assert (base.n, base.k, base.pass_at_1) == (40, 1, 11 / 40)
    assert base.ci95[0] < base.pass_at_1 < base.ci95[1]
    assert sum(base.outcomes.values()) == 40
    assert len(base.outcomes) == 6
    assert report.condition("base", "easy").pass_at_1 == 1.0  # type: ignore[union-attr]
    hint = report.condition("base+hint", "all")
    assert hint is not None
    assert (hint.tool_call_rate, hint.tool_calls_mean, hint.tokens_mean) == (1.0, 2.0, 24.0)
    assert hint.decoding == "greedy"


def test_claims_are_checked_and_failures_shown(report: ReportData) -> None:
    checks = {check.name: check for check in report.checks}
    assert checks["START lifts the base"].passed
    # Ten of ten: the interval [72, 100] excludes 70 %.
    assert checks["The base solves easy problems"].verdict == "met"
    rounds = checks["The first end-of-thinking round helps the base, later ones do not hurt"]
    assert "points" in rounds.measured
    assert check_claims(ReportData()) == []


def test_ungraded_trajectories_are_told_apart_and_not_counted(tmp_path: Path) -> None:
    given = problems()
    write_records(tmp_path / "problems.jsonl", given)
    half = run(tmp_path, "m", given, lambda n, s: n % 2 == 0)
    grades = list(read_jsonl(half.grades, Grade))
    write_records(half.grades, grades[:30])
    none = run(tmp_path, "n", given, lambda n, s: True)
    none.grades.unlink()
    data = build_report([BenchmarkRuns("test", given, tmp_path / "problems.jsonl", [half, none])], base_folder=tmp_path)
    row = data.condition("m", "all")
    assert row is not None
    assert (row.n, row.num_trajectories, row.num_ungraded, row.pass_at_1) == (30, 30, 10, 0.5)
    assert sum(row.outcomes.values()) == 30
    assert data.condition("n", "all") is None
    assert [(ref.condition, ref.num_trajectories, ref.num_ungraded) for ref in data.runs] == [
        ("m", 40, 10),
        ("n", 40, 40),
    ]
    assert any("10 of 40 trajectories are not graded yet" in note for note in data.notes)
    assert any("all 40 trajectories are not graded yet" in note for note in data.notes)
    assert not any("have no trajectory" in note for note in data.notes)


def test_the_model_left_alone_is_round_zero_of_its_curve(tmp_path: Path) -> None:
    given = problems()
    write_records(tmp_path / "problems.jsonl", given)
    curve = run(tmp_path, "rounds", given, lambda n, s: n % 4 <= s, rounds=3)
    runs = [
        EvalRun("base", curve.trajectories, curve.grades, scaling=True),
        EvalRun("base", curve.trajectories, curve.grades, round=0),
    ]
    data = build_report([BenchmarkRuns("test", given, tmp_path / "problems.jsonl", runs)], base_folder=tmp_path)
    row = data.condition("base", "all")
    assert row is not None
    assert (row.n, row.k, row.pass_at_1) == (40, 1, 0.25)
    assert {(ref.condition, ref.round, ref.num_trajectories) for ref in data.runs} == {
        ("base", 0, 40),
        ("base by rounds (hints)", None, 160),
    }


@pytest.mark.parametrize(
    ("given_runs", "expected"),
    [
        ([("a", False, False), ("base", True, False)], "base"),
        ([("a", True, False), ("b", False, False)], "b"),  # without hints
        ([("a", False, True), ("b", False, False)], "b"),  # not trained here
        ([("b", False, False), ("a", False, False)], "b"),  # the one given first, whatever its name
    ],
)
def test_the_reference_is_chosen_by_sense(
    tmp_path: Path, given_runs: list[tuple[str, bool, bool]], expected: str
) -> None:
    given = problems(8)
    write_records(tmp_path / "problems.jsonl", given)
    runs = []
    for name, hinted, trained in given_runs:
        one = run(tmp_path, name, given, lambda n, s: n % 2 == 0, calls=1)
        if hinted:
            hint = HintInfo(id="h", position=HintPosition.AFTER_WORD, reason="r")
            rows = [
                t.model_copy(
                    update={"spans": [*t.spans, Span(source=SpanSource.HINT, token_ids=[1], text="x", hint=hint)]}
                )
                for t in read_jsonl(one.trajectories, Trajectory)
            ]
            write_records(one.trajectories, rows)
        model = tmp_path / f"model-{name}"
        model.mkdir()
        if trained:
            (model / "training.json").write_text("{}")
        runs.append(replace(one, model=str(model)))
    data = build_report([BenchmarkRuns("test", given, tmp_path / "problems.jsonl", runs)], base_folder=tmp_path)
    assert data.reference == expected
    assert {row.b for row in data.paired if row.a != expected} == {expected}


def test_slices_keep_a_users_own_groups_under_the_benchmarks_name() -> None:
    own = [problem.model_copy(update={"metadata": {"group": "algebra"}}) for problem in problems(4)]
    assert [slice_.name for slice_ in slices_of("mine", own)] == ["mine", "mine/algebra"]


def test_thinking_ends_where_it_is_closed() -> None:
    assert thinking_tokens(rollout(problems(1)[0], 0, 1)) == 15
