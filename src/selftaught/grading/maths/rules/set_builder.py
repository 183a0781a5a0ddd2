"""A set by its condition is that condition."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.intervals import set_builder as condition_of


def set_builder(pair: Pair, comparison: Comparison) -> Outcome:
    """``\\{x \\mid x>3\\}`` → ``x>3``."""
    return pair.rewritten(condition_of) if "\\{" in pair.gold + pair.given else None
