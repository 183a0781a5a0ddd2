"""Equations: an assignment is its value, two equations must be the same one."""

from __future__ import annotations

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.equations import (
    Equation,
    equation_list,
    is_condition,
    is_name,
    same_equation,
    same_role,
    values_of,
)
from selftaught.grading.maths.parse import parse_or_none
from selftaught.grading.maths.structure import shape_of, squeeze


def equation(pair: Pair, comparison: Comparison) -> Outcome:
    """``x=5`` is ``5``; ``2x=4y`` is ``x=2y``; a condition on variables is no value."""
    gold, given = pair.gold, pair.given
    a, b = equation_list(gold), equation_list(given)
    if a is None and b is None:
        return None
    if a is not None and b is not None:
        return _two_equations(a, b, pair, comparison)
    equations = a if a is not None else b
    assert equations is not None
    values = values_of(equations)
    if values is None:
        other = given if a is not None else gold
        if a is None and len(equations) == 1 and not is_condition(equations[0]):
            return comparison.same(gold, equations[0][-1])
        if parse_or_none(other) is not None:
            return comparison.decide("equation", False)
        return comparison.ask(pair)
    in_order = ",".join(sides[-1] for sides in equations)
    is_list = shape_of(given if a is not None else gold).kind == "list"
    forms = [in_order] if is_list else [values, f"({in_order})"] if values.startswith("(") else [values]
    return any(
        comparison.same(text if a is not None else gold, given if a is not None else text)
        for text in dict.fromkeys(forms)
    )


def _two_equations(a: list[Equation], b: list[Equation], pair: Pair, comparison: Comparison) -> bool:
    if len(a) != len(b):
        return comparison.decide("equation", False)
    if all(is_name(sides[0]) for sides in (*a, *b)):
        names_a, names_b = sorted(squeeze(e[0]) for e in a), sorted(squeeze(e[0]) for e in b)
        if names_a == names_b or len(a) == 1 and same_role(a[0][0], b[0][0]):

            def one(first: Equation, second: Equation) -> bool:
                same_name = squeeze(first[0]) == squeeze(second[0]) or len(a) == 1
                return same_name and comparison.same(first[-1], second[-1])

            return comparison.match_unordered(a, b, one)
    if len(a) == 1:
        verdict = same_equation(a[0], b[0])
        if verdict is not None:
            return comparison.decide("equation", verdict)
    return comparison.ask(pair)
