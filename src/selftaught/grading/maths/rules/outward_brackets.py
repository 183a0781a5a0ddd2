"""Intervals with brackets that look outwards."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.intervals import french_brackets


def outward_brackets(pair: Pair, comparison: Comparison) -> Outcome:
    """``]2,5[`` → ``(2,5)``."""
    return pair.rewritten(french_brackets) if "]" in pair.gold + pair.given else None
