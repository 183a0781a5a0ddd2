"""Tables of words."""

from __future__ import annotations

from selftaught.report.tables import Table


def test_columns_without_content_are_not_shown() -> None:
    table = Table("t", ["a", "b", "c", "d"], [["", "–", "1", "x"], ["", "", "–", "y"]], num_labels=2)
    assert table.without_empty() == Table("t", ["a", "c", "d"], [["", "1", "x"], ["", "–", "y"]], num_labels=1)
