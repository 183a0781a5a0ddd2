"""An element of a set, against the set."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.intervals import after_in


def membership(pair: Pair, comparison: Comparison) -> Outcome:
    """``x \\in S`` is ``S``."""
    if "\\in" not in pair.gold + pair.given:
        return None
    a, b = after_in(pair.gold), after_in(pair.given)
    if a is None and b is None:
        return None
    return comparison.same(a or pair.gold, b or pair.given)
