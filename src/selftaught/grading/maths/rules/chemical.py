"""Chemical formulas: the way of writing subscripts does not count."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair

_FORMULA = re.compile(r"(?:[A-Z][a-z]?\d*){2,}")
_MARKS = re.compile(r"\\text|[{}_ ]")


def chemical(pair: Pair, comparison: Comparison) -> Outcome:
    """``\\text{H}_2\\text{O}`` is ``H2O``."""
    if "_" not in pair.gold + pair.given:
        return None
    gold, given = _MARKS.sub("", pair.gold), _MARKS.sub("", pair.given)
    return comparison.decide("string", True) if gold == given and _FORMULA.fullmatch(gold) else None
