"""Does a program's output match? LiveCodeBench's rules, with no float tolerance.

Standard output: stripped, split into lines, each stripped; as many lines on both sides; a line matches when it is spelt the
same, or when all tokens of both are decimal numbers and the lists are equal (``5.0`` is ``5``). Return values: Python's
``==`` on the JSON value.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_NUMBER_CHARS = 5_000
"""A longer token is compared as text."""


def same_output(given: str, expected: str) -> bool:
    """Whether two standard outputs match."""
    given_lines, expected_lines = _lines(given), _lines(expected)
    return len(given_lines) == len(expected_lines) and all(
        a == b or _same_numbers(a, b) for a, b in zip(given_lines, expected_lines, strict=True)
    )


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _same_numbers(a: str, b: str) -> bool:
    first, second = _decimals(a), _decimals(b)
    return first is not None and second is not None and first == second


def _decimals(line: str) -> list[Decimal] | None:
    numbers: list[Decimal] = []
    for token in line.split():
        if len(token) > MAX_NUMBER_CHARS:
            return None
        try:
            number = Decimal(token)
        except InvalidOperation:
            return None
        if number.is_snan():
            return None
        numbers.append(number)
    return numbers


def first_difference(given: str, expected: str) -> str:
    """In words, for the report."""
    given_lines, expected_lines = _lines(given), _lines(expected)
    for number, (a, b) in enumerate(zip(given_lines, expected_lines, strict=False), start=1):
        if a != b and not _same_numbers(a, b):
            return f"line {number}: {_short(a)} instead of {_short(b)}"
    return f"{len(given_lines)} lines instead of {len(expected_lines)}"


def same_value(given: Any, expected: Any) -> bool:
    """Python's ``==`` on two decoded JSON values; an endless depth counts as different."""
    try:
        return bool(given == expected)
    except RecursionError:
        return False


def decode(text: str) -> Any:
    """One JSON value; ``NaN`` and ``Infinity`` as Python writes them. ValueError when it is none."""
    return json.loads(text)


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


def is_nan(value: Any) -> bool:
    """Whether a decoded value is not a number."""
    return isinstance(value, float) and math.isnan(value)
