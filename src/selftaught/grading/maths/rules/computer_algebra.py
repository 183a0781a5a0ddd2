"""math-verify, for all that no rule before decides."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair


def computer_algebra(pair: Pair, comparison: Comparison) -> Outcome:
    """math-verify in a worker process, the reference first."""
    return comparison.ask(pair)
