"""Percentages."""

from __future__ import annotations

import re
from fractions import Fraction

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.evaluate import evaluate
from selftaught.grading.maths.parse import parse_or_none
from selftaught.grading.maths.tokens import TooLarge, Unreadable
from selftaught.grading.maths.units import split_unit

_PERCENT = re.compile(
    r"(.+?)\s*(?:%|\\text\{\s*(?:percent|pct|per cent|percentage|%)\s*\}|(?<![A-Za-z])(?:percent|pct))$"
)


def percent(pair: Pair, comparison: Comparison) -> Outcome:
    """``50%`` is ``0.5``, and ``50`` where a percentage was asked for; ``0.5`` is not ``0.5%``."""
    if not any(mark in text for mark in ("%", "percent", "pct", "per cent") for text in (pair.gold, pair.given)):
        return None
    a, b = _PERCENT.fullmatch(pair.gold), _PERCENT.fullmatch(pair.given)
    if a and b:
        return comparison.same(a[1], b[1])
    if not a and not b:
        return None
    number, other = (a[1], pair.given) if a else (b[1] if b else "", pair.gold)
    first, second = parse_or_none(number), parse_or_none(split_unit(other).number)
    if first is None or second is None or first.variables or second.variables:
        return comparison.same(a[1] if a else pair.gold, b[1] if b else pair.given)
    try:
        hundredths, plain = evaluate(first, {}), evaluate(second, {})
    except (Unreadable, TooLarge):
        return comparison.same(number, other)
    if isinstance(hundredths, Fraction) and isinstance(plain, Fraction):
        same = hundredths / 100 == plain or (hundredths == plain and abs(hundredths) >= 1)
        return comparison.decide("percent", same)
    return comparison.same(number, other)
