"""Matrices and columns."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.structure import shape_of


def matrix(pair: Pair, comparison: Comparison) -> Outcome:
    """Rows and columns count; a column or a row is a tuple."""
    if "matrix" not in pair.kinds or not pair.kinds <= {"matrix", "tuple"}:
        return None
    a, b = shape_of(pair.gold), shape_of(pair.given)
    if a.kind == b.kind and a.columns != b.columns:
        return comparison.decide("structure", False)
    for shape in (a, b):
        if a.kind != b.kind and shape.kind == "matrix" and shape.columns not in (1, len(shape.parts)):
            return comparison.decide("structure", False)
    return comparison.all_same(a.parts, b.parts)
