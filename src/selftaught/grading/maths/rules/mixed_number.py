"""A mixed number with "and", against a scalar."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.structure import shape_of

_AND_FRACTION = re.compile(r"([-+]?\d+)\s*(?:\\text\{and\}|and)\s*(\\frac\{\d+\}\{\d+\}|\d+/\d+)")


def mixed_number(pair: Pair, comparison: Comparison) -> Outcome:
    """``3\\text{ and }\\frac12`` → ``3 \\frac12``, where only one side is written so."""
    if "and" not in pair.gold + pair.given:
        return None
    gold, given = _joined(pair.gold), _joined(pair.given)
    if (gold != pair.gold) != (given != pair.given) and shape_of(gold).kind == shape_of(given).kind == "scalar":
        return Pair(gold, given)
    return None


def _joined(text: str) -> str:
    match = _AND_FRACTION.fullmatch(text)
    return f"{match[1]} {match[2]}" if match else text
