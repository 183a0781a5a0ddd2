"""Equations: ``x=5`` is an assignment, ``x+y=1`` a condition on its variables."""

from __future__ import annotations

import re
from fractions import Fraction

from selftaught.grading.maths.evaluate import evaluate
from selftaught.grading.maths.parse import parse_both, parse_or_none
from selftaught.grading.maths.structure import shape_of, split_equation, squeeze
from selftaught.grading.maths.tokens import TooLarge, Unreadable

Equation = list[str]
"""The sides of an equation, two or more."""

_ASSIGNMENT = re.compile(
    r"(?:\\[A-Za-z]+|[A-Za-z](?:_\{?\w+\}?)?'*|[A-Za-z]\([A-Za-z](?:,\s*[A-Za-z])*\)|\|?[A-Z]{2,3}\|?|\\text\{[^{}]*\}|\\angle\s*[A-Z]+|\\overline\{[A-Z]+\}|[A-Za-z]+\([A-Za-z0-9]+\))"
)


def is_name(text: str) -> bool:
    """A name that can be given a value: ``x``, ``a_1``, ``f(x)``, ``\\text{Area}``, ``\\angle ABC``."""
    return bool(_ASSIGNMENT.fullmatch(text.strip())) and text.strip() not in ("\\infty", "\\pi", "e", "i")


def is_condition(sides: Equation) -> bool:
    """``2x+y=0`` is a condition on its variables; ``\\frac{a}{b}=\\frac12`` and ``2+3=5`` give a value."""
    first = parse_or_none(sides[0])
    if first is None:
        return False
    return bool(first.variables) and (
        len(sides) == 2 and sides[1].strip() == "0" or bool(re.search(r"[^({\s][+-]", sides[0]))
    )


def same_role(a: str, b: str) -> bool:
    """``f(x)`` and ``y`` both name the value of a function of x."""
    roles = {"y", "f(x)", "g(x)", "h(x)", "p(x)", "P(x)"}
    return squeeze(a) in roles and squeeze(b) in roles


def equation_list(text: str) -> list[Equation] | None:
    """Equations of a list of equations, each as its sides; None when a part is none."""
    if "=" not in text:
        return None
    shape = shape_of(text)
    inner = shape.parts if shape.kind in ("list", "set", "tuple") else (text,)
    equations = [_name_first(split_equation(part)) for part in inner]
    if len(equations) > 1 and len(equations[0]) > 1 and all(len(e) == 1 for e in equations[1:]):
        return [[equations[0][0], e[-1]] for e in equations]  # x=1,2,3
    return equations if all(len(e) > 1 for e in equations) else None


_NAME = r"\d*(?:[a-zA-Z]|\\(?:alpha|beta|gamma|delta|theta))"
_SUM = re.compile(rf"{_NAME}(?:\+{_NAME})+|[a-z]{{2,3}}")


def _name_first(sides: Equation) -> list[str]:
    """``5=x`` → ``x=5``."""
    return sides[::-1] if len(sides) == 2 and is_name(sides[1]) and not is_name(sides[0]) else sides


def _is_asked_sum(text: str) -> bool:
    """``m+n`` or ``100m+n``: the number that a question asks for; a line in x, y and z is none."""
    return bool(_SUM.fullmatch(squeeze(text))) and not set(re.findall("[A-Za-z]", text)) <= set("xyz")


def values_of(equations: list[Equation]) -> str | None:
    """Right sides of assignments: a set for one variable, a tuple in order of name for several."""
    if len(equations) == 1 and len(equations[0]) == 2 and _is_asked_sum(equations[0][0]):
        return equations[0][1]
    if not all(is_name(sides[0]) for sides in equations):
        return None
    names = [squeeze(sides[0]) for sides in equations]
    if len(equations) == 1:
        return equations[0][-1]
    if len(set(names)) == 1 or len({re.sub(r"_.*", "", name) for name in names}) == 1:
        return "\\{" + ",".join(sides[-1] for sides in equations) + "\\}"
    ordered = sorted(equations, key=lambda sides: squeeze(sides[0]))
    return "(" + ",".join(sides[-1] for sides in ordered) + ")"


def same_equation(a: list[str], b: list[str]) -> bool | None:
    """Two equations with the same solutions: their differences are proportional by a constant."""
    if len(a) != 2 or len(b) != 2:
        return None
    first, second = parse_both(f"({a[0]})-({a[1]})", f"({b[0]})-({b[1]})")
    if first is None or second is None:
        return None
    if first.variables != second.variables:
        return False
    names = sorted(first.variables)
    ratios = []
    for index in range(4):
        values = {
            name: Fraction(3 * index + 7 * position + 2, 5 + 2 * position + index) * (-1) ** (index * (position + 1))
            for position, name in enumerate(names)
        }
        try:
            x, y = evaluate(first, values), evaluate(second, values)
            if not isinstance(x, Fraction) or not isinstance(y, Fraction) or x == 0 or y == 0:
                return None
            ratios.append(x / y)
        except (Unreadable, TooLarge):
            return None
    return True if len(set(ratios)) == 1 else None
