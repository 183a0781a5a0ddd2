"""A transposed tuple beside a matrix is the column."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair

_TRANSPOSED = re.compile(r"([(\[].*[)\]])\^\{?(?:T|\\top|\\intercal|\\text\{T\})\}?")


def transposed(pair: Pair, comparison: Comparison) -> Outcome:
    """``(1,2)^T`` → ``(1,2)``, where one side is written as a matrix."""
    if "begin" in pair.gold or "begin" in pair.given:
        return pair.rewritten(lambda text: _TRANSPOSED.sub(r"\1", text))
    return None
