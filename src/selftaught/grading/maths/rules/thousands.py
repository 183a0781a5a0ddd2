"""A number in brackets with marks of thousands, against a plain number."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair

_GROUPED = re.compile(r"\(([-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?)\)")


def thousands(pair: Pair, comparison: Comparison) -> Outcome:
    """``(1,234)`` → ``1234`` where the reference is one number."""
    grouped = _GROUPED.fullmatch(pair.given)
    if grouped and re.fullmatch(r"[-+]?\d+(?:\.\d+)?", pair.gold):
        return Pair(pair.gold, grouped[1].replace(",", ""))
    return None
