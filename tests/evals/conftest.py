"""A report that several test files look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.evals.build import BenchmarkRuns, EvalRun, build_report
from selftaught.evals.records import ReportData
from selftaught.store import write_records

from .graded import problems, run


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
