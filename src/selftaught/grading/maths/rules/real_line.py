"""All ways of saying "all real numbers" become one interval."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.intervals import real_line as as_real_line


def real_line(pair: Pair, comparison: Comparison) -> Outcome:
    """``\\mathbb{R}`` → ``(-\\infty,\\infty)``."""
    return pair.rewritten(as_real_line)
