"""Inequalities in one variable are intervals."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.intervals import as_intervals
from selftaught.grading.maths.rules.union import same_union

_RELATION = re.compile(r"<|>|\\[lg]e(?![A-Za-z])|\\ne(?![A-Za-z])")


def inequality(pair: Pair, comparison: Comparison) -> Outcome:
    """``-1<x\\le 2`` is ``(-1,2]``; an inequality is no value."""
    if not _RELATION.search(pair.gold + pair.given):
        return None
    a, b = as_intervals(pair.gold), as_intervals(pair.given)
    if a is not None and b is not None:
        return same_union(a, b, comparison)
    if "=" in pair.gold + pair.given:
        return None
    if bool(_RELATION.search(pair.gold)) != bool(_RELATION.search(pair.given)):
        return comparison.decide("interval", False)
    return comparison.ask(pair)
