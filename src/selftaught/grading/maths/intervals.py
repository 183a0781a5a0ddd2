"""Intervals and unions of them, from interval notation or from inequalities in one variable."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from selftaught.grading.maths.equations import is_name
from selftaught.grading.maths.evaluate import evaluate
from selftaught.grading.maths.parse import parse_or_none
from selftaught.grading.maths.structure import shape_of, split_relations, split_top
from selftaught.grading.maths.tokens import TooLarge, Unreadable

_TEXT_MARKS = re.compile(r"\\text|[{}]")
_ALL_REAL = re.compile(r"all\s?real\s?(?:values of\s?|numbers\s?)?[a-z]")
_MEMBER = re.compile(r"[A-Za-z](?:_\{?\w+\}?)?\s*\\in(?![A-Za-z])\s*(.+)$")
_OUTWARD = re.compile(r"([\[\]])([^\[\]]+,[^\[\]]+)([\[\]])")


@dataclass(frozen=True)
class Interval:
    """Two ends as texts, and the two brackets: ``[)``."""

    low: str
    high: str
    brackets: str


def as_intervals(text: str) -> list[Interval] | None:
    """A union of intervals, from interval notation, from inequalities in one variable, or ``x \\ne a``."""
    text = real_line(after_in(text) or text)
    without = re.fullmatch(r"(?:\\mathbb\{R\}|\(-\\infty,\s*\\infty\))\s*(?:\\setminus|-)\s*\\\{(.+)\\\}", text)
    if without:
        return _without_points(split_top(without[1], ","))
    pieces = [re.fullmatch(r"([A-Za-z])\s*\\ne\s*(.+)", piece.strip()) for piece in _AND.split(text)]
    if len(pieces) > 1 and all(pieces) and len({piece[1] for piece in pieces if piece}) == 1:
        return _without_points([piece[2] for piece in pieces if piece])
    intervals: list[Interval] = []
    for piece in split_top(text, r"\cup"):
        for alternative in re.split(r"\\text\{\s*or\s*\}|(?<![A-Za-z\\])or(?![A-Za-z])", piece):
            alternative = alternative.strip().strip(",")
            found = _interval(alternative) or _both(alternative)
            if found is None:
                return None
            intervals.extend(found)
    return intervals or None


def joined(intervals: list[Interval]) -> list[Interval]:
    """A union with the pieces joined that touch or overlap, in order; as it is where an end is no number."""
    ends: list[tuple[float, float, Interval]] = []
    for one in intervals:
        low, high = _end(one.low), _end(one.high)
        if low is None or high is None or low > high:
            return intervals
        ends.append((low, high, one))
    ends.sort(key=lambda end: (end[0], end[2].brackets[0] != "["))
    union = [ends[0]]
    for low, high, one in ends[1:]:
        _, last_high, last = union[-1]
        if low > last_high or (low == last_high and last.brackets[1] == ")" and one.brackets[0] == "("):
            union.append((low, high, one))
        elif high > last_high or (high == last_high and one.brackets[1] == "]"):
            union[-1] = (union[-1][0], high, Interval(last.low, one.high, last.brackets[0] + one.brackets[1]))
    return [one for _, _, one in union]


def _end(text: str) -> float | None:
    infinite = {"\\infty": math.inf, "+\\infty": math.inf, "-\\infty": -math.inf}.get(text.strip())
    return _value(text) if infinite is None else infinite


REAL_LINE = "(-\\infty,\\infty)"


def real_line(text: str) -> str:
    """All ways of saying "all real numbers" as one interval."""
    plain = _TEXT_MARKS.sub("", text).strip().casefold()
    plain = "all real x" if _ALL_REAL.fullmatch(plain) else plain
    if plain in ("\\mathbbr^+", "\\mathbbr_+", "all positive real numbers", "positive real numbers"):
        return "(0,\\infty)"
    return (
        REAL_LINE
        if plain in ("\\mathbbr", "all real numbers", "all reals", "all real x", "(-\\infty,+\\infty)")
        else text
    )


def _without_points(points: list[str]) -> list[Interval] | None:
    """The real line without some points, which must be numbers to be put in order."""
    values: list[tuple[float, str]] = []
    for point in points:
        value = _value(point)
        if value is None:
            return None
        values.append((value, point))
    edges = ["-\\infty", *(point for _, point in sorted(values)), "\\infty"]
    return [Interval(low, high, "()") for low, high in zip(edges, edges[1:], strict=False)]


def _interval(text: str) -> list[Interval] | None:
    shape = shape_of(text)
    if shape.kind in ("interval", "tuple") and len(shape.parts) == 2 and shape.brackets != "<>":
        return [Interval(shape.parts[0], shape.parts[1], shape.brackets)]
    if re.search(r"\\ne(?![A-Za-z])", text):
        sides = re.split(r"\\ne(?![A-Za-z])", text)
        if len(sides) == 2 and is_name(sides[0].strip()):
            point = sides[1].strip()
            return [Interval("-\\infty", point, "()"), Interval(point, "\\infty", "()")]
        return None
    sides, operators = split_relations(text)
    if (
        len(sides) == 2
        and re.fullmatch(r"\|[A-Za-z]\|", sides[0])
        and not re.search("[A-Za-z|]", sides[1].replace("sqrt", ""))
    ):
        ends, closed = (_negative(sides[1]), sides[1]), operators[0] in ("\\le", "\\ge")
        if operators[0] in ("<", "\\le"):
            return [Interval(*ends, "[]" if closed else "()")]
        return [
            Interval("-\\infty", ends[0], "(]" if closed else "()"),
            Interval(ends[1], "\\infty", "[)" if closed else "()"),
        ]
    if len(sides) == 2:
        return _half_line(sides, operators[0])
    if len(sides) == 3 and is_name(sides[1]):
        return _between(sides, operators)
    return None


def _negative(text: str) -> str:
    return f"-({text})"


def _half_line(sides: list[str], operator: str) -> list[Interval] | None:
    left, right = sides
    greater = operator in (">", "\\ge")
    closed = operator in ("\\ge", "\\le")
    if is_name(right) and not is_name(left):
        left, right, greater = right, left, not greater
    if not is_name(left) or is_name(right):
        return None
    if greater:
        return [Interval(right, "\\infty", ("[" if closed else "(") + ")")]
    return [Interval("-\\infty", right, "(" + ("]" if closed else ")"))]


def _between(sides: list[str], operators: list[str]) -> list[Interval] | None:
    low, _, high = sides
    first, second = operators
    if first in (">", "\\ge") and second in (">", "\\ge"):
        low, high, first, second = high, low, second.replace(">", "<"), first.replace(">", "<")
        first, second = first.replace("\\ge", "\\le"), second.replace("\\ge", "\\le")
    if first not in ("<", "\\le") or second not in ("<", "\\le"):
        return None
    return [Interval(low, high, ("[" if first == "\\le" else "(") + ("]" if second == "\\le" else ")"))]


def after_in(text: str) -> str | None:
    """``S`` of ``x \\in S``; None without a membership."""
    match = _MEMBER.match(text)
    return match[1].strip() if match else None


_SET_BUILDER = re.compile(r"\\\{\s*([A-Za-z])(?:\s*\\in\s*\\mathbb\{R\})?\s*(?:\||\\mid|:)\s*(.+?)\s*\\\}", re.DOTALL)


def set_builder(text: str) -> str:
    """``\\{x \\mid x>3\\}`` is ``x>3``."""
    match = _SET_BUILDER.fullmatch(text)
    return match[2] if match and match[1] in match[2] and re.search(r"<|>|\\[lgn]e(?![A-Za-z])", match[2]) else text


def french_brackets(text: str) -> str:
    """``]2,5[`` → ``(2,5)``: brackets that look outwards."""
    match = _OUTWARD.fullmatch(text)
    if not match or (match[1], match[3]) == ("[", "]"):
        return text
    return ("(" if match[1] == "]" else "[") + match[2] + (")" if match[3] == "[" else "]")


_AND = re.compile(r",?\s*\\text\{\s*(?:and|,)\s*\}|(?<![A-Za-z\\])and(?![A-Za-z])|,\s?")


def _both(text: str) -> list[Interval] | None:
    """``x>2 and x<5`` is one interval; with a comma between them that only holds where they overlap."""
    pieces = [piece.strip() for piece in _AND.split(text)]
    if len(pieces) != 2 or not all(pieces):
        return None
    names = [next((side.strip() for side in split_relations(piece)[0] if is_name(side)), "") for piece in pieces]
    sides, other = split_relations(pieces[0]), split_relations(pieces[1])
    if len(sides[1]) != 1 or len(other[1]) != 1:
        return None
    first, second = _half_line(sides[0], sides[1][0]), _half_line(other[0], other[1][0])
    if not first or not second or names[0] != names[1]:
        return None
    lower, upper = (first[0], second[0]) if first[0].high == "\\infty" else (second[0], first[0])
    if lower.high != "\\infty" or upper.low != "-\\infty":
        return None
    ends = _value(lower.low), _value(upper.high)
    if ends[0] is None or ends[1] is None or ends[0] >= ends[1]:
        return None
    return [Interval(lower.low, upper.high, lower.brackets[0] + upper.brackets[1])]


def _value(text: str) -> float | None:
    expression = parse_or_none(text)
    if expression is None or expression.variables:
        return None
    try:
        return float(evaluate(expression, {}))
    except (Unreadable, TooLarge, TypeError, ValueError, OverflowError):
        return None
