"""Rows of the tables: pairs, transitions, curves, families, several samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.evals.build import BenchmarkRuns, build_report
from selftaught.evals.records import ReportData
from selftaught.store import write_records

from .graded import problems, run


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
