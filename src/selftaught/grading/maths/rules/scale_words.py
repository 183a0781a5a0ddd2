"""Hundred, thousand, million, dozen."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.words import scale_words as as_power


def scale_words(pair: Pair, comparison: Comparison) -> Outcome:
    """``1.5\\text{ million}`` → ``(1.5)*10^6``."""
    scaled = pair.rewritten(as_power)
    return comparison.same(scaled.gold, scaled.given) if scaled is not None else None
