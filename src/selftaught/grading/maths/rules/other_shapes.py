"""Shapes that no rule before compares."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.parse import parse_or_none


def other_shapes(pair: Pair, comparison: Comparison) -> Outcome:
    """A value is no union, matrix, set or interval; what is no plain value is asked of math-verify."""
    kinds = pair.kinds
    if kinds == {"scalar"}:
        return None
    if "scalar" in kinds and kinds & {"union", "matrix", "empty", "set", "interval"}:
        scalar = pair.gold if pair.gold_kind == "scalar" else pair.given
        if parse_or_none(scalar) is None:
            return comparison.ask(pair)
    return comparison.decide("structure", False)
