"""The results table on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from selftaught.evals.records import ReportData
from selftaught.report.terminal import print_summary

from .synthetic import MadeRun


def printed(data: ReportData) -> list[str]:
    """The lines of the summary on a terminal of 80 columns."""
    stream = io.StringIO()
    print_summary(data, Console(file=stream, width=80, color_system=None))
    return stream.getvalue().splitlines()


def test_every_condition_is_shown_within_80_columns(made: MadeRun) -> None:
    lines = printed(made.data)
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for name in made.data.condition_names():
        assert name in text


def test_without_a_grade_one_line_says_so() -> None:
    assert printed(ReportData()) == ["No graded trajectory yet."]
