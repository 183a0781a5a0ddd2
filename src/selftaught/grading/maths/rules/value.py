"""Values of plain expressions, and formulas at random points."""

from __future__ import annotations

from fractions import Fraction

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.evaluate import evaluate
from selftaught.grading.maths.parse import Expression, parse_both
from selftaught.grading.maths.tokens import TooLarge, Unreadable
from selftaught.grading.maths.values import same_value


def value(pair: Pair, comparison: Comparison) -> Outcome:
    """Exact rationals, else 50 digits; two formulas are the same when they agree at four random points."""
    first, second = parse_both(pair.gold, pair.given)
    if first is None or second is None:
        return None
    verdict = same_value(first, second)
    if verdict is not None:
        return comparison.decide("value" if not first.variables else "identity", verdict)
    if _is_huge(first) != _is_huge(second):
        return comparison.decide("value", False)
    return None


def _is_huge(expression: Expression) -> bool:
    try:
        evaluate(expression, dict.fromkeys(expression.variables, Fraction(7, 3)))
    except TooLarge:
        return True
    except Unreadable:
        return False
    return False
