"""A set or a list of one member, against a value."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.structure import shape_of


def single_member(pair: Pair, comparison: Comparison) -> Outcome:
    """``\\{5\\}`` is ``5``; several values are not one, unless "or" joins spellings of the same."""
    if pair.kinds == {"scalar"} or not pair.kinds <= {"set", "list", "scalar"}:
        return None
    a, b = shape_of(pair.gold), shape_of(pair.given)
    if 1 not in (len(a.parts), len(b.parts)):
        return None
    if len(a.parts) == len(b.parts):
        return comparison.same(a.parts[0], b.parts[0])
    if a.kind == "scalar" and b.kind == "list" and "or" in pair.given:
        return all(comparison.same(pair.gold, part) for part in b.parts)
    return comparison.decide("structure", False)
