"""Tables as CSV."""

from __future__ import annotations

import csv
from pathlib import Path


def test_tables_are_csv_with_plain_numbers(written: Path) -> None:
    with (written / "report" / "tables" / "conditions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 35
    assert all(0 <= float(row["ci95_low"]) <= float(row["pass_at_1"]) <= float(row["ci95_high"]) <= 1 for row in rows)
    with (written / "report" / "tables" / "problems.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 36
