"""The function that a starter code asks for."""

from __future__ import annotations

import pytest

from selftaught.problems.starter import called_function, defined_function
from selftaught.records import TestCase

METHOD = "class Solution:\n    def add(self, a: int, b: int = 0) -> int:\n"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("def solve(n):", "solve"),
        ("def solve(n):\n    return n\n", "solve"),
        (METHOD, "add"),
        ("import math\n\ndef solve(n):\n    # your code\n", "solve"),
        ("def a(): pass\ndef b(): pass", None),
        ("n = int(input())", None),
        ("def (", None),
        ("", None),
        (None, None),
    ],
)
def test_the_only_function(code: str | None, name: str | None) -> None:
    function = defined_function(code)
    assert (function.name if function else None) == name


@pytest.mark.parametrize(
    ("code", "inputs", "name"),
    [
        ("def solve(n):", ["24", "[1, 2]"], "solve"),
        ("def solve(a, b):", ["24", "1"], None),
        ("def solve(a, b):", ["24\n1"], "solve"),
        (METHOD, ["1", "1\n2"], "add"),
        (METHOD, ["1\n2\n3"], None),
        ("def solve(n):", ["three"], None),
        ("def solve(n):", [], None),
        (None, ["24"], None),
    ],
)
def test_tests_that_call_it(code: str | None, inputs: list[str], name: str | None) -> None:
    assert called_function(code, [TestCase(input=text, output="1") for text in inputs]) == name
