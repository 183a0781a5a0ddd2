"""The value of a parsed expression: exact for rationals, 50 digits for the rest.

Nothing here can hang: what would become large raises ``TooLarge``, what has no value ``Unreadable``.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from selftaught.grading.maths.parse import Expression
from selftaught.grading.maths.parser import MAX_BITS, Node
from selftaught.grading.maths.tokens import TRIG, TooLarge, Unreadable

DIGITS = 50
"""Decimal digits of the values that are not rational."""

Value = Any
"""Fraction, or mpmath's mpf or mpc."""


_OF_THREAD = threading.local()


def arithmetic() -> Any:
    """mpmath's functions at ``DIGITS`` digits, of this thread alone.

    The precision of ``mpmath.mp`` belongs to the whole process: two threads that change it at once compute with wrong digits.
    """
    context = getattr(_OF_THREAD, "context", None)
    if context is None:
        from mpmath.ctx_mp import MPContext

        context = MPContext()
        context.dps = DIGITS
        _OF_THREAD.context = context
    return context


def evaluate(expression: Expression, values: Mapping[str, Value]) -> Value:
    """Value with the given variables, exact where it can be. TooLarge or Unreadable when there is none."""
    try:
        return _value(expression.node, values, arithmetic(), False)
    except (ZeroDivisionError, OverflowError, ValueError, RecursionError, TypeError, ArithmeticError) as error:
        raise Unreadable(type(error).__name__) from None


def _value(node: Node, values: Mapping[str, Value], mp: Any, in_trig: bool) -> Value:
    operator = node[0]
    if operator == "num":
        return node[1]
    if operator == "var":
        return values[node[1]]
    if operator == "const":
        return {"pi": +mp.pi, "e": +mp.e, "i": mp.mpc(0, 1)}[node[1]]
    if operator == "neg":
        return -_value(node[1], values, mp, in_trig)
    if operator == "deg":
        degrees = _value(node[1], values, mp, False)
        return to_float(degrees, mp) * mp.pi / 180 if in_trig else degrees
    if operator == "log":
        return _log(node, values, mp)
    if operator == "call":
        return _call(node, values, mp)
    if operator == "apply":
        return _unknown(node[1], [_value(argument, values, mp, False) for argument in node[2:]], mp)
    if operator == "fact":
        return _factorial(_value(node[1], values, mp, in_trig), mp)
    left, right = _value(node[1], values, mp, in_trig), _value(node[2], values, mp, in_trig)
    if operator == "pow":
        return _power(left, right, mp)
    if not (isinstance(left, Fraction) and isinstance(right, Fraction)):
        left, right = to_float(left, mp), to_float(right, mp)
    if operator == "add":
        return _bounded(left + right)
    if operator == "mul":
        return _bounded(left * right)
    return _bounded(left / right)


def _unknown(name: str, arguments: list[Value], mp: Any) -> Fraction:
    """A value of a function that is not known: a number that depends on its name and on nothing but the arguments' values."""
    spelt = [mp.nstr(to_float(argument, mp), 25) for argument in arguments]
    digest = hashlib.blake2b("|".join([name, *spelt]).encode(), digest_size=6).digest()
    return Fraction(int.from_bytes(digest, "big") + 1, 2**47)


def _bounded(value: Value) -> Value:
    if isinstance(value, Fraction) and max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise TooLarge
    return value


def to_float(value: Value, mp: Any) -> Value:
    """A fraction as a number of mpmath; any other value as it is."""
    return mp.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def _power(base: Value, exponent: Value, mp: Any) -> Value:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        size = max(base.numerator.bit_length(), base.denominator.bit_length()) * abs(exponent.numerator)
        if abs(base) in (0, 1):
            size = 1
        if size > MAX_BITS:
            raise TooLarge
        return base**exponent.numerator
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and base >= 0:
        exact = _exact_root(base, exponent.denominator)
        if exact is not None:
            return _power(exact, Fraction(exponent.numerator), mp)
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator % 2:
        size = _power(-base, exponent, mp)  # the real root of odd order, as in \\sqrt[3]{-8}
        return size if exponent.numerator % 2 == 0 else -size
    floating_base, floating_exponent = to_float(base, mp), to_float(exponent, mp)
    if abs(floating_exponent) * max(1, abs(mp.log(abs(floating_base), 2)) if floating_base else 1) > MAX_BITS:
        raise TooLarge
    return mp.power(floating_base, floating_exponent)


def _exact_root(value: Fraction, index: int) -> Fraction | None:
    if index > 64:
        return None
    above, below = _integer_root(value.numerator, index), _integer_root(value.denominator, index)
    return Fraction(above, below) if above is not None and below is not None else None


def _integer_root(value: int, index: int) -> int | None:
    if value < 2:
        return value
    if index == 2:
        root = math.isqrt(value)
        return root if root * root == value else None
    low, high = 1, 1 << (value.bit_length() // index + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**index <= value else (low, middle - 1)
    return low if low**index == value else None


def _factorial(value: Value, mp: Any) -> Value:
    if not isinstance(value, Fraction) or value.denominator != 1 or value < 0:
        if abs(value) > 100:
            raise Unreadable("factorial")
        return mp.gamma(to_float(value, mp) + 1)
    if value > 2000:
        raise TooLarge
    return Fraction(math.factorial(value.numerator))


def _log(node: Node, values: Mapping[str, Value], mp: Any) -> Value:
    argument = to_float(_value(node[1], values, mp, False), mp)
    if node[2] is None:
        return mp.log(argument) * values["\\log"]
    base = _value(node[2], values, mp, False)
    result = mp.log(argument) / mp.log(to_float(base, mp))
    nearest = mp.nint(result.real) if abs(mp.im(result)) < mp.mpf(10) ** -40 else None
    if nearest is not None and abs(result - nearest) < mp.mpf(10) ** -40:
        return Fraction(int(nearest))
    return result


def _call(node: Node, values: Mapping[str, Value], mp: Any) -> Value:
    name = node[1]
    arguments = [_value(argument, values, mp, name in TRIG) for argument in node[2:]]
    first = arguments[0]
    if name in ("root", "sqrt", "cbrt"):
        index = arguments[1] if name == "root" else Fraction(2 if name == "sqrt" else 3)
        return _root(first, index, mp)
    if name == "abs":
        return abs(first)
    if name in ("floor", "ceil"):
        if isinstance(first, Fraction):
            return Fraction(math.floor(first) if name == "floor" else math.ceil(first))
        return Fraction(int(mp.floor(first) if name == "floor" else mp.ceil(first)))
    if name in ("max", "min"):
        return (max if name == "max" else min)(arguments)
    if name == "binom" and not all(
        isinstance(argument, Fraction) and argument.denominator == 1 for argument in arguments
    ):
        return mp.binomial(*(to_float(argument, mp) for argument in arguments))
    if name in ("gcd", "lcm", "binom"):
        whole = [
            argument.numerator for argument in arguments if isinstance(argument, Fraction) and argument.denominator == 1
        ]
        if len(whole) != len(arguments) or max(whole) > 5000 * (name == "binom") + 10**30 * (name != "binom"):
            raise Unreadable(name)
        return Fraction({"gcd": math.gcd, "lcm": math.lcm, "binom": math.comb}[name](*whole))
    if name in ("Re", "Im"):
        raise Unreadable(name)
    functions = {"ln": mp.log, "lg": mp.log10, "arcsin": mp.asin, "arccos": mp.acos, "arctan": mp.atan, "arccot": mp.acot,
                 "arcsec": mp.asec, "arccsc": mp.acsc}  # fmt: skip
    floating = to_float(first, mp)
    if name in ("exp", "sinh", "cosh") and abs(floating) > MAX_BITS:
        raise TooLarge
    function = functions.get(name) or getattr(mp, name, None)
    if function is None:
        raise Unreadable(name)
    return function(floating)


def _root(radicand: Value, index: Value, mp: Any) -> Value:
    if not isinstance(index, Fraction) or index.denominator != 1 or index < 1:
        return _power(radicand, Fraction(1) / index, mp)
    whole = index.numerator
    if isinstance(radicand, Fraction):
        exact = _exact_root(abs(radicand), whole)
        if exact is not None and (radicand >= 0 or whole % 2):
            return exact if radicand >= 0 else -exact
        if radicand < 0 and whole % 2:
            return -mp.root(to_float(-radicand, mp), whole)
    return mp.root(to_float(radicand, mp), whole)
