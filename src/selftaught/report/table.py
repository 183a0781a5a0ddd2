"""What every table of the report is made of, and the condition that differences are taken from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from selftaught.evals.records import PairedRow, ReportData


@dataclass(frozen=True)
class Table:
    """Headings and rows of finished words; the first ``num_labels`` columns are words (left), the others numbers (right)."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    num_labels: int = 1
    note: str = ""
    strong: list[int] = field(default_factory=list)
    """Rows to stand out."""


def reference_of(data: ReportData) -> str:
    """The condition that others are compared with: ``base``, or in its absence the one that most pairs name second."""
    named = Counter(row.b for row in data.paired)
    if "base" in named or not named:
        return "base"
    return named.most_common(1)[0][0]


def paired_with_reference(data: ReportData, name: str, benchmark: str) -> PairedRow | None:
    """The paired difference of ``name`` from the reference on ``benchmark``."""
    reference = reference_of(data)
    return next((r for r in data.paired if r.a == name and r.b == reference and r.benchmark == benchmark), None)
