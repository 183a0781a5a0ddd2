"""A chain of equations ends in its value."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.equations import equation_list, is_name
from selftaught.grading.maths.rules.approximation import APPROXIMATELY
from selftaught.grading.maths.values import agree, is_number


def chain(pair: Pair, comparison: Comparison) -> Outcome:
    """``m+n = 70+3 = 73`` → ``73``; a chain of numbers that differ has no value."""
    if "=" not in pair.gold + pair.given:
        return None
    gold, given = _ends(pair.gold), _ends(pair.given)
    if given is not None and not all(agree(first, second) for first in given for second in given):
        return comparison.decide("chain", False)
    if gold is None and given is None:
        return None
    wanted = [pair.gold] if gold is None else gold[-1:]
    said = [pair.given] if given is None else [given[0], given[-1]]
    return any(comparison.same(one, other) for one in wanted for other in dict.fromkeys(said))


def _ends(text: str) -> list[str] | None:
    """The numbers that a chain ends in, two or more; None where the text is no such chain, or a name with its value."""
    equations = equation_list(text)
    if equations is None or len(equations) != 1:
        return None
    sides = equations[0]
    numbers: list[str] = []
    for side in reversed(sides):
        if APPROXIMATELY in side or not is_number(side):
            break
        numbers.insert(0, side)
    head = sides[: len(sides) - len(numbers)]
    if len(numbers) < 2 or any(is_name(side) for side in head) and len(head) == 1 and _all_equal(numbers):
        return None
    return numbers


def _all_equal(numbers: list[str]) -> bool:
    return len(set(numbers)) == 1
