"""Unions of intervals."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.intervals import Interval, as_intervals


def union(pair: Pair, comparison: Comparison) -> Outcome:
    """``(1,2)\\cup(3,4)`` is ``(3,4)\\cup(1,2)``."""
    kinds = pair.kinds
    if "union" not in kinds:
        return None
    both = as_intervals(pair.gold), as_intervals(pair.given)
    if kinds == {"union", "list"} and not all(both):
        return None
    if not kinds <= {"union", "interval", "tuple", "list"}:
        return None
    first, second = both
    if first is None or second is None:
        return comparison.ask(pair)
    return comparison.decide(
        "interval", comparison.match_unordered(first, second, lambda a, b: same_interval(a, b, comparison))
    )


def same_interval(a: Interval, b: Interval, comparison: Comparison) -> bool:
    """Equal brackets and equal ends."""
    return a.brackets == b.brackets and comparison.same(a.low, b.low) and comparison.same(a.high, b.high)
