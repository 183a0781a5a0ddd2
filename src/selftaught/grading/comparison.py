"""Does a program's output match? LiveCodeBench's rules, with no float tolerance.

Standard output: stripped, split into lines, each stripped; as many lines on both sides; a line matches when it is spelt the
same, or when all tokens of both are decimal numbers in ASCII and the lists are equal (``5.0`` is ``5``). Return values: Python's
``==`` on the JSON value.

Both sides are walked at the same pace and no list of lines or tokens is made, so an output of millions of numbers costs
the grader no memory and no more time than the expected output.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import zip_longest
from typing import Any

MAX_NUMBER_CHARS = 5_000
"""A longer token is compared as text."""
MAX_INT_CHARS = 4_000
"""A longer integer in JSON is compared by its digits: Python's conversion is quadratic, and refused beyond 4,300."""

_TOKEN = re.compile(r"\S+", re.ASCII)
_CHARS_PER_CHAR = 400
"""``1e308`` in five characters may be returned as an integer of 309 digits, a character as ``\\U0010ffff`` in twelve."""


def same_output(given: str, expected: str) -> bool:
    """Whether two standard outputs match."""
    return given == expected or _difference(given, expected) is None


def first_difference(given: str, expected: str) -> str:
    """In words, for the report; empty when there is none."""
    return _difference(given, expected) or ""


def _difference(given: str, expected: str) -> str | None:
    pairs = zip_longest(_lines(given), _lines(expected))
    for number, (a, b) in enumerate(pairs, start=1):
        if a is None or b is None:
            return f"{_num_lines(given)} lines instead of {_num_lines(expected)}"
        if a != b and not _same_numbers(a, b):
            return f"line {number}: {_short(a)} instead of {_short(b)}"
    return None


def _lines(text: str) -> Iterator[str]:
    """Lines of the stripped text, each stripped, one after another."""
    start, end = _bounds(text)
    while True:
        newline = text.find("\n", start, end)
        if newline < 0:
            yield text[start:end].strip()
            return
        yield text[start:newline].strip()
        start = newline + 1


def _num_lines(text: str) -> int:
    return text.count("\n", *_bounds(text)) + 1


def _bounds(text: str) -> tuple[int, int]:
    """Where the stripped text begins and ends."""
    start = len(text) - len(text.lstrip())
    return start, max(start, len(text.rstrip()))


def _same_numbers(a: str, b: str) -> bool:
    """Whether all tokens of both lines are decimal numbers and the lists are equal."""
    for first, second in zip_longest(_TOKEN.finditer(a), _TOKEN.finditer(b)):
        if first is None or second is None:
            return False
        one, other = _decimal(first[0]), _decimal(second[0])
        if one is None or other is None or one != other:
            return False
    return True


def _decimal(token: str) -> Decimal | None:
    if len(token) > MAX_NUMBER_CHARS or not token.isascii() or "_" in token:
        return None  # Python would read "1_000" and the digits of other scripts, which no judge takes for 1000
    try:
        number = Decimal(token)
    except InvalidOperation:
        return None
    return None if number.is_snan() else number


@dataclass(frozen=True)
class LongInteger:
    """An integer of more than ``MAX_INT_CHARS`` digits, by its digits as JSON writes them."""

    digits: str


def may_equal(returned: str, expected: str) -> bool:
    """False when a JSON text is so much longer than the expected one that reading it would be a waste."""
    return len(returned) <= _CHARS_PER_CHAR * (len(expected) + 10)


def same_value(given: Any, expected: Any) -> bool:
    """Python's ``==`` on two decoded JSON values; an endless depth counts as different."""
    try:
        return bool(given == expected)
    except RecursionError:
        return False


def decode(text: str) -> Any:
    """One JSON value; ``NaN`` and ``Infinity`` as Python writes them. ValueError when it is none."""
    return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int | LongInteger:
    return int(digits) if len(digits) <= MAX_INT_CHARS else LongInteger(digits)


def decode_expected(text: str) -> Any:
    """The expected value of a call. What is no JSON is tried as Python writes it (``True``), else it is the text itself."""
    try:
        return decode(text)
    except ValueError:
        import ast

        try:
            return ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text.strip()


def _short(text: str, limit: int = 60) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
