"""Are two parsed expressions the same number or the same formula?"""

from __future__ import annotations

from fractions import Fraction

from selftaught.grading.maths.evaluate import Value, arithmetic, evaluate, to_float
from selftaught.grading.maths.parse import Expression, parse_or_none
from selftaught.grading.maths.tokens import TooLarge, Unreadable
from selftaught.grading.maths.units import split_unit

_POINTS = (0.7321987, -1.3971123, 2.1130271, 0.2391733)
"""Seeds of the random points: either sign, no special values."""


def same_value(a: Expression, b: Expression) -> bool | None:
    """Whether two expressions are the same number or the same formula; None when that is not certain.

    A variable that only one uses must not matter to its value. A decimal literal of six or more places equals a number that rounds to it there.
    """
    names = sorted(a.variables | b.variables)
    if not names:
        return _same_number(a, b)
    verdicts: list[bool | None] = []
    beyond: list[bool | None] = []
    """Where both sides leave the real numbers: ``\\sqrt{1/n}`` and ``1/\\sqrt{n}`` differ at negative n only, where neither is real."""
    for index, seed in enumerate(_POINTS):
        values = {name: Fraction(int((seed + 0.618034 * position * (-1) ** (position + index)) * 10**7) or 1, 10**7)
                  for position, name in enumerate(names)}  # fmt: skip
        try:
            first, second = evaluate(a, values), evaluate(b, values)
            (beyond if _is_unreal(first) and _is_unreal(second) else verdicts).append(_close(first, second))
        except (Unreadable, TooLarge):
            continue
    if len(verdicts) < 2:
        verdicts += beyond
    if len(verdicts) < 2 or None in verdicts:
        return None
    return all(verdicts)


def _is_unreal(value: Value) -> bool:
    return not isinstance(value, Fraction) and bool(abs(arithmetic().im(value)) > 1e-30)


def _same_number(a: Expression, b: Expression) -> bool | None:
    first: Value | None
    second: Value | None
    try:
        first = _value_or_none(a)
        second = _value_or_none(b)
    except Unreadable:
        return None
    if first is None or second is None:
        return first is second and a.node == b.node
    if a.is_decimal != b.is_decimal:
        exact, rounded, places = (second, first, a.decimals) if a.is_decimal else (first, second, b.decimals)
        if places >= 6 and not (isinstance(exact, Fraction) and _terminates(exact, places)):
            return bool(rounded) and _rounds_to(exact, rounded, places)
    return _close(first, second)


def _value_or_none(expression: Expression) -> Value | None:
    """The value, None when it is too large."""
    try:
        return evaluate(expression, {})
    except TooLarge:
        return None


def _terminates(value: Fraction, places: int) -> bool:
    return (value * 10**places).denominator == 1


def _rounds_to(exact: Value, rounded: Value, places: int) -> bool:
    mp = arithmetic()
    return bool(abs(to_float(exact, mp) - to_float(rounded, mp)) <= mp.mpf(10) ** -min(places, 40))


def _close(first: Value, second: Value) -> bool | None:
    if isinstance(first, Fraction) and isinstance(second, Fraction):
        return first == second
    mp = arithmetic()
    first, second = to_float(first, mp), to_float(second, mp)
    if not (mp.isfinite(first) and mp.isfinite(second)):
        return None
    gap, scale = abs(first - second), max(abs(first), abs(second), mp.mpf(10) ** -30)
    if gap <= scale * mp.mpf(10) ** -35:
        return True
    return False if gap > scale * mp.mpf(10) ** -20 else None


ROUNDING = 0.5 + 1e-9
"""Of the last decimal place."""
RELATIVE = 1e-2
"""By which two values may differ that are both written without decimals and called approximately equal."""


def is_number(text: str) -> bool:
    """An expression without variables, with a unit or not."""
    return _number(text) is not None


def agree(first: str, second: str) -> bool:
    """Two spellings of one number, or a number and its rounding: ``\\frac13`` and ``0.33``. False when either is no number."""
    a, b = _number(first), _number(second)
    if a is None or b is None:
        return False
    if same_value(a, b):
        return True
    x, y = _real(a), _real(b)
    if x is None or y is None:
        return False
    places = [one.decimals for one in (a, b) if one.is_decimal or _is_whole(one)]
    if not places:
        return abs(x - y) <= RELATIVE * max(abs(x), abs(y))
    return abs(x - y) <= ROUNDING * 10.0 ** -min(places) and (x > 0) == (y > 0)


def _number(text: str) -> Expression | None:
    expression = parse_or_none(split_unit(text.removesuffix("\\ldots").strip()).number)
    return expression if expression is not None and not expression.variables else None


def _is_whole(expression: Expression) -> bool:
    node = expression.node[1] if expression.node[0] == "neg" else expression.node
    return bool(node[0] == "num" and node[1].denominator == 1)


def _real(expression: Expression) -> float | None:
    try:
        return float(evaluate(expression, {}))
    except (Unreadable, TooLarge, TypeError, ValueError, OverflowError):
        return None
