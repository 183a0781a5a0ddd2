"""Ratios."""

from __future__ import annotations

import re
from fractions import Fraction

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.evaluate import evaluate
from selftaught.grading.maths.parse import parse_or_none
from selftaught.grading.maths.structure import split_top
from selftaught.grading.maths.tokens import TooLarge, Unreadable

_DATE = re.compile(
    r"[12]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])|(?:0[1-9]|[12]\d|3[01])/(?:0[1-9]|[12]\d|3[01])/[12]\d{3}"
)


def ratio(pair: Pair, comparison: Comparison) -> Outcome:
    """``4:6`` is ``2:3`` and ``2 to 3``; times of day and dates are spelt the same or differ."""
    if _DATE.fullmatch(pair.gold) or _DATE.fullmatch(pair.given):
        return comparison.decide("string", False)  # equal spellings were decided before
    a, b = _parts(pair.gold), _parts(pair.given)
    if a is None or b is None or len(a) != len(b):
        return None
    values = [parse_or_none(part) for part in (*a, *b)]
    try:
        numbers = [evaluate(value, {}) for value in values if value is not None and not value.variables]
    except (Unreadable, TooLarge):
        return None
    if len(numbers) != 2 * len(a) or not all(isinstance(number, Fraction) and number for number in numbers):
        return None
    first, second = numbers[: len(a)], numbers[len(a) :]
    same = all(x * second[0] == y * first[0] for x, y in zip(first, second, strict=True))
    return comparison.decide("ratio", same)


def _parts(text: str) -> list[str] | None:
    """Parts of ``a:b:c`` or ``a to b``; None for a time of day and for anything else."""
    if ":" not in text and "to" not in text or re.fullmatch(r"\d{1,2}:\d{2}", text):
        return None
    parts = split_top(re.sub(r"(?<=\d)\s*(?:\\text\{to\}|to)\s*(?=\d)", ":", text), ":")
    return parts if len(parts) > 1 and all(parts) else None
