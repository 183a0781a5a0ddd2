"""Units of measure."""

from __future__ import annotations

from fractions import Fraction

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.evaluate import evaluate
from selftaught.grading.maths.parse import parse_or_none
from selftaught.grading.maths.tokens import TooLarge, Unreadable
from selftaught.grading.maths.units import split_unit


def unit(pair: Pair, comparison: Comparison) -> Outcome:
    """A unit that one side leaves out is ignored; two of one dimension are converted; two of different ones differ."""
    a, b = split_unit(pair.gold), split_unit(pair.given)
    if a.number == pair.gold and b.number == pair.given:
        return None
    if comparison.depth > 1 and a.words and b.words and a.words != b.words:
        return comparison.decide("unit", False)  # "5 red, 3 blue" is not "3 red, 5 blue"
    if not a.dimension or not b.dimension or (a.dimension, a.factor) == (b.dimension, b.factor):
        return comparison.same(a.number, b.number)
    if a.dimension != b.dimension:
        return comparison.decide("unit", False)
    first, second = parse_or_none(a.number), parse_or_none(b.number)
    if first is None or second is None or first.variables or second.variables:
        return comparison.decide("unit", False)
    try:
        x, y = evaluate(first, {}), evaluate(second, {})
    except (Unreadable, TooLarge):
        return comparison.decide("unit", False)
    exact = isinstance(x, Fraction) and isinstance(y, Fraction)
    return comparison.decide("unit", exact and x * a.factor == y * b.factor)
