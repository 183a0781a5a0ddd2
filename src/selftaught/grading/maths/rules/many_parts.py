"""Lists that are too long to be compared."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.structure import shape_of

MAX_PARTS = 64


def many_parts(pair: Pair, comparison: Comparison) -> Outcome:
    """More than 64 parts are different unless they are spelt the same."""
    if max(len(shape_of(text).parts) for text in (pair.gold, pair.given)) > MAX_PARTS:
        return comparison.decide("structure", False)
    return None
