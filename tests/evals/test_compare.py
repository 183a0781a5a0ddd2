"""Two runs compared: paired on the problems that both have, as tables and as a gate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from selftaught.errors import DataError
from selftaught.evals.compare import compare_runs
from selftaught.store import write_records

from .graded import problems, run


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
