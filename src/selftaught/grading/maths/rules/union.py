"""Unions of intervals."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.intervals import Interval, as_intervals, joined


def union(pair: Pair, comparison: Comparison) -> Outcome:
    """``(1,2)\\cup(3,4)`` is ``(3,4)\\cup(1,2)``; pieces that touch are one."""
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
    return same_union(first, second, comparison)


def same_union(first: list[Interval], second: list[Interval], comparison: Comparison) -> bool:
    """The same intervals in any order, pieces that touch being one: ``[0,1]\\cup[1,2]`` is ``[0,2]``."""
    if len(first) > 1 or len(second) > 1:
        first, second = joined(first), joined(second)
    same = comparison.match_unordered(first, second, lambda a, b: same_interval(a, b, comparison))
    return comparison.decide("interval", same)


def same_interval(a: Interval, b: Interval, comparison: Comparison) -> bool:
    """Equal brackets and equal ends."""
    return a.brackets == b.brackets and comparison.same(a.low, b.low) and comparison.same(a.high, b.high)
