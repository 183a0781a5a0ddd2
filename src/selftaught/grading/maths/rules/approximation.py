"""A value and its approximation."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.equations import is_name
from selftaught.grading.maths.structure import split_top
from selftaught.grading.maths.values import agree

APPROXIMATELY = r"\approx"


def approximation(pair: Pair, comparison: Comparison) -> Outcome:
    """``\\sqrt{2}\\approx 1.41`` is either side, where there are two and one rounds to the other; ``3\\approx5`` is nothing."""
    if APPROXIMATELY not in pair.gold + pair.given or pair.kinds != {"scalar"}:
        return None
    wanted, given = _sides(pair.gold), _sides(pair.given)
    if len(given) > 2 or len(given) == 2 and not agree(*given):
        return comparison.decide("approximation", False)
    return any(comparison.same(gold, side) for gold in wanted for side in given)


def _sides(text: str) -> list[str]:
    sides = [side for side in split_top(text, APPROXIMATELY) if side]
    return sides[1:] if len(sides) > 1 and is_name(sides[0]) else sides
