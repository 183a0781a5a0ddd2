"""Words before a value."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.rules.bounds import CHANGES_NUMBER
from selftaught.grading.maths.structure import shape_of

CAPTION = re.compile(r"^\\text\{[^{}]*\}\s*[:=]?\s*([^\s{}].*)$", re.DOTALL)
"""``\\text{Area: } 5``."""


def caption(pair: Pair, comparison: Comparison) -> Outcome:
    """``\\text{the set } \\{1,2\\}`` is ``\\{1,2\\}``, unless the words change the value."""
    match = CAPTION.match(pair.given)
    if not match or CHANGES_NUMBER.search(pair.given) or shape_of(pair.given).kind != "scalar":
        return None
    if shape_of(pair.gold).kind == "scalar" and CAPTION.match(pair.gold):
        return None
    return comparison.same(pair.gold, match[1])
