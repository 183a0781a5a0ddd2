"""Graded runs to the report's document: slices, pairs, transitions, curves, claims, comparison of two runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from selftaught.errors import DataError
from selftaught.evals.build import BenchmarkRuns, EvalRun, build_report, slices_of
from selftaught.evals.claims import check_claims
from selftaught.evals.compare import compare_runs
from selftaught.evals.records import ReportData
from selftaught.evals.rows import thinking_tokens
from selftaught.records import (
    ExecStatus,
    Grade,
    HintInfo,
    HintPosition,
    Outcome,
    Problem,
    ProblemKind,
    Span,
    SpanSource,
    StopReason,
    ToolInfo,
    Trajectory,
)
from selftaught.store import read_jsonl, write_records

GROUPS = ("hard", "easy", "code", "choice")


def problems(count: int = 40) -> list[Problem]:
    return [
        Problem(
            id=f"p{n}",
            problem=f"q{n}",
            kind=ProblemKind.MATH,
            answer=str(n),
            metadata={"group": GROUPS[n % 4], "family": f"f{n % 3}"},
        )
        for n in range(count)
    ]


def rollout(problem: Problem, sample: int, calls: int, round_: int | None = None) -> Trajectory:
    spans = [
        Span(source=SpanSource.PROMPT, token_ids=[1, 2], text="q<think>\n"),
        Span(source=SpanSource.MODEL, token_ids=[3] * 10, text="thinking"),
    ]
    for _ in range(calls):
        tool = ToolInfo(
            code="import math\nmath.x", status=ExecStatus.ERROR, output="Traceback\nAttributeError: no x", wall_s=0.5
        )
        spans.append(Span(source=SpanSource.TOOL, token_ids=[4] * 5, text="```output\n…\n```\n", tool=tool))
    spans.append(Span(source=SpanSource.MODEL, token_ids=[5] * 4, text="</think>\\boxed{1}"))
    suffix = "" if round_ is None else f"@{round_}"
    return Trajectory(
        id=f"{problem.id}#{sample}{suffix}",
        problem_id=problem.id,
        sample=sample,
        round=round_,
        spans=spans,
        stop_reason=StopReason.ANSWERED,
    )


def run(
    folder: Path,
    condition: str,
    given: list[Problem],
    right: Callable[[int, int], bool],
    samples: int = 1,
    calls: int = 0,
    rounds: int | None = None,
) -> EvalRun:
    """Write a graded run in which sample s of problem n is right when ``right(n, s)``; by rounds, s is the round."""
    numbered = [
        (n, p, s) for n, p in enumerate(given) for s in (range(samples) if rounds is None else range(rounds + 1))
    ]
    trajectories = [
        rollout(p, s if rounds is None else 0, calls, None if rounds is None else s) for _, p, s in numbered
    ]
    grades = [
        Grade(trajectory_id=t.id, problem_id=t.problem_id, correct=right(n, s), extracted=str(right(n, s)), path="integer",
              outcome=Outcome.CORRECT if right(n, s) else Outcome.WRONG)
        for t, (n, _, s) in zip(trajectories, numbered, strict=True)
    ]  # fmt: skip
    write_records(folder / condition / "trajectories.jsonl", trajectories)
    write_records(folder / condition / "grades.jsonl", grades)
    return EvalRun(
        condition,
        folder / condition / "trajectories.jsonl",
        folder / condition / "grades.jsonl",
        "toy",
        "greedy",
        scaling=rounds is not None,
    )


@pytest.fixture
def report(tmp_path: Path) -> ReportData:
    given = problems()
    write_records(tmp_path / "problems.jsonl", given)
    runs = [
        run(tmp_path, "start", given, lambda n, s: n % 10 != 0, calls=1),
        run(tmp_path, "base", given, lambda n, s: n % 4 == 1 or n == 0),
        run(tmp_path, "base+hint", given, lambda n, s: n % 2 == 1, calls=2),
        run(tmp_path, "rounds", given, lambda n, s: n % 4 <= s, rounds=3),
    ]
    curve = EvalRun("base", runs[3].trajectories, runs[3].grades, scaling=True)
    return build_report(
        [BenchmarkRuns("test", given, tmp_path / "problems.jsonl", [*runs[:3], curve])], base_folder=tmp_path
    )


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


def test_pairs_and_transitions_agree_with_the_shares(report: ReportData) -> None:
    pair = next(row for row in report.paired if (row.a, row.b, row.benchmark) == ("start", "base", "all"))
    assert pair.diff == pytest.approx(36 / 40 - 11 / 40)
    assert pair.ci95[0] < pair.diff < pair.ci95[1]
    change = next(row for row in report.transitions if (row.a, row.b, row.benchmark) == ("base", "start", "all"))
    assert change.wrong_to_right + change.right_to_right == 36
    assert change.right_to_wrong + change.right_to_right == 11
    assert change.right_to_wrong == 1
    assert change.broken == ["p0"]
    assert change.rate_right_to_wrong == pytest.approx(1 / 11)


def test_curve_tools_families_grid_and_samples(report: ReportData) -> None:
    curve = [row for row in report.scaling if row.method == "hints"]
    assert [(row.round, row.pass_at_1) for row in curve] == [(0, 0.25), (1, 0.5), (2, 0.75), (3, 1.0)]
    assert curve[3].diff_from_first == 0.75
    used = next(row for row in report.tools if row.condition == "base+hint" and row.benchmark == "all")
    assert used.statuses == {"error": 80}
    assert used.error_types == {"AttributeError": 80}
    assert used.modules == {"math": 80}
    assert used.accuracy_without_call is None
    assert {(row.family, row.condition) for row in report.families} == {
        (f"f{n}", c) for n in range(3) for c in ("base", "base+hint", "start")
    }
    assert len(report.grid) == 40
    assert report.grid[0].cells == {"base": 1.0, "base+hint": 0.0, "start": 0.0}
    assert {sample.why for sample in report.samples} >= {"fixed", "broken"}
    assert report.runs[0].trajectories == "base/trajectories.jsonl"
    assert ReportData.model_validate_json(report.model_dump_json()) == report


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


def test_several_samples_give_pass_at_k_majority_and_spread(tmp_path: Path) -> None:
    given = problems(10)
    write_records(tmp_path / "problems.jsonl", given)
    one = run(tmp_path, "m", given, lambda n, s: (n + s) % 4 == 0, samples=4)
    data = build_report(
        [BenchmarkRuns("mine", given, tmp_path / "problems.jsonl", [one])], base_folder=tmp_path, reference="m"
    )
    row = data.conditions[0]
    assert (row.k, row.pass_at_1) == (4, 0.25)
    assert row.pass_at_k == {1: pytest.approx(0.25), 2: pytest.approx(0.5), 4: pytest.approx(1.0)}
    assert row.maj_at_k == 0.0
    assert row.std_across_samples is not None
    assert [point.round for point in data.scaling if point.method == "majority"] == [1, 2, 4]
    assert any("10 problems" in note or "problems:" in note for note in data.notes)


def test_slices_keep_a_users_own_groups_under_the_benchmarks_name() -> None:
    own = [problem.model_copy(update={"metadata": {"group": "algebra"}}) for problem in problems(4)]
    assert [slice_.name for slice_ in slices_of("mine", own)] == ["mine", "mine/algebra"]


def test_thinking_ends_where_it_is_closed() -> None:
    assert thinking_tokens(rollout(problems(1)[0], 0, 1)) == 15


def test_compare_two_runs(tmp_path: Path, run_cli: Callable[..., object]) -> None:
    given = problems(20)
    for name, bar in (("before", 12), ("after", 6)):
        folder = tmp_path / name / "mine"
        write_records(folder / "problems.jsonl", given)
        run(folder, "m", given, lambda n, s, bar=bar: n < bar)  # type: ignore[misc]
    report = compare_runs(tmp_path / "before", tmp_path / "after")
    assert report.whole()[0].paired.diff == pytest.approx(-0.3)
    assert report.whole()[0].transition.right_to_wrong == 6
    assert run_cli("compare", tmp_path / "before", tmp_path / "after").exit_code == 0  # type: ignore[attr-defined]
    gate = run_cli("compare", tmp_path / "before", tmp_path / "after", "--fail-below", "-2", "--json")
    assert gate.exit_code == 1  # type: ignore[attr-defined]
    assert json.loads(gate.stdout)["comparisons"]  # type: ignore[attr-defined]
    with pytest.raises(DataError):
        compare_runs(tmp_path / "before", tmp_path / "nowhere")
