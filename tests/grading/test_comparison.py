"""Comparing outputs and values: LiveCodeBench's rules, in memory that the expected output bounds."""

from __future__ import annotations

import tracemalloc
from decimal import Decimal, InvalidOperation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.grading.comparison import (
    LongInteger,
    decode,
    decode_expected,
    first_difference,
    may_equal,
    same_output,
    same_value,
)


def by_lists(given_text: str, expected: str) -> bool:
    """LiveCodeBench's rule, written with lists."""

    def decimals(line: str) -> list[Decimal] | None:
        try:
            return [Decimal(token) for token in line.split()]
        except InvalidOperation:
            return None

    first, second = ([line.strip() for line in text.strip().split("\n")] for text in (given_text, expected))
    return len(first) == len(second) and all(
        a == b or ((x := decimals(a)) is not None and (y := decimals(b)) is not None and x == y)
        for a, b in zip(first, second, strict=True)
    )


OUTPUTS = st.lists(
    st.sampled_from(["1", "1.0", "-0", "a", " ", "\n", "\t", "\r\n", "5", "NaN", "1e1"]), max_size=9
).map("".join)


@given(OUTPUTS, OUTPUTS)
def test_the_rule(first: str, second: str) -> None:
    assert same_output(first, second) is by_lists(first, second)
    assert (first_difference(first, second) == "") is same_output(first, second)


def test_what_differs_is_named() -> None:
    assert first_difference("1\n2", "1\n3") == "line 2: '2' instead of '3'"
    assert first_difference("1", "1\n3") == "1 lines instead of 2"
    assert first_difference("\n\n1\n2\n\n", "1") == "2 lines instead of 1"


@pytest.mark.parametrize("text", ["1 " * 50_000, "1\n" * 50_000, "\n" * 100_000 + "1", "1" * 100_000])
def test_a_large_output_costs_no_memory(text: str) -> None:
    tracemalloc.start()
    try:
        assert not same_output(text, "1 2\n3")
        assert same_output(text, text + "\n")
        assert first_difference(text, "5")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * len(text) + 100_000  # copies of the text, no list of its parts (60 to 100 bytes a part)


def test_long_integers() -> None:
    long, other = "9" * 5000, "9" * 4999 + "8"
    assert decode(f"[{long}]") == [LongInteger(long)]
    assert same_value(decode(long), decode_expected(long)) and not same_value(decode(long), decode(other))
    assert not same_value(decode(long), decode("-" + long)) and not same_value(decode(long), decode(f'"{long}"'))
    assert same_value(decode("2.0"), 2) and decode_expected("(1, 2)") == (1, 2) and decode_expected("a b") == "a b"


def test_what_is_far_too_long_is_not_read() -> None:
    assert may_equal("1" + "0" * 308, "1e308") and not may_equal("[" + "0, " * 100_000 + "0]", "[0]")


def test_endless_depth() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert not same_value(deep, [deep])
