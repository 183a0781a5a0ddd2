"""Both sides are spelt the same, spaces apart."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.structure import squeeze


def spelling(pair: Pair, comparison: Comparison) -> Outcome:
    """``x+1`` is ``x + 1``."""
    return comparison.decide("string", True) if squeeze(pair.gold) == squeeze(pair.given) else None
