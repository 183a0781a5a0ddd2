"""Tuples and intervals."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.structure import shape_of


def ordered(pair: Pair, comparison: Comparison) -> Outcome:
    """Order and brackets count: ``(1,2)`` is neither ``(2,1)`` nor ``[1,2]``."""
    if not pair.kinds <= {"tuple", "interval"}:
        return None
    a, b = shape_of(pair.gold), shape_of(pair.given)
    angled = "<>" in (a.brackets, b.brackets)
    if len(a.parts) == 2 and a.brackets != b.brackets and not angled:
        infinite = any("\\infty" in part for part in a.parts)
        return comparison.decide("interval" if infinite or "interval" in pair.kinds else "structure", False)
    return comparison.all_same(a.parts, b.parts)
