"""Read one expression, or two that are to be compared.

Most answers are numbers (``3\\sqrt{2}/2``) or short formulas (``2x^2-1``). Reading and evaluating them takes microseconds, where a
computer-algebra system takes milliseconds, and cannot hang: anything large raises ``TooLarge``, anything unknown ``Unreadable``.
"""

from __future__ import annotations

from dataclasses import dataclass

from selftaught.grading.maths.parser import Node, Parser
from selftaught.grading.maths.tokens import (
    TooLarge,
    Unreadable,
    tokenize,
)

MAX_LENGTH = 600
"""A longer text is no expression."""


@dataclass(frozen=True)
class Expression:
    """A parsed expression. ``variables`` are its free names; ``decimals`` the decimal places of its longest decimal literal."""

    node: Node
    variables: frozenset[str]
    decimals: int
    is_decimal: bool
    """The whole expression is one decimal literal with a sign at most."""
    applied: frozenset[str] = frozenset()
    """Names that may be functions: brackets follow them. In ``alone`` stand those that occur without brackets, too."""
    alone: frozenset[str] = frozenset()


def parse_expression(text: str, functions: frozenset[str] = frozenset()) -> Expression:
    """Parse a normalised answer. Unreadable when it is anything but one expression.

    ``functions`` are names that brackets apply; any other name before brackets is a factor.
    """
    if len(text) > MAX_LENGTH:
        raise Unreadable("long")
    parser = Parser(tokenize(text), functions)
    node = parser.expression(0)
    if parser.position != len(parser.tokens):
        raise Unreadable(f"rest {parser.tokens[parser.position]!r}")
    bare = node[1] if node[0] == "neg" else node
    is_decimal = bare[0] == "num" and parser.decimals > 0
    return Expression(
        node,
        frozenset(parser.variables),
        parser.decimals,
        is_decimal,
        frozenset(parser.applied),
        frozenset(parser.alone),
    )


def parse_or_none(text: str, functions: frozenset[str] = frozenset()) -> Expression | None:
    """The expression; None when the parser does not know it or it is too large."""
    try:
        return parse_expression(text, functions)
    except (Unreadable, TooLarge, RecursionError, ValueError, OverflowError):
        return None


def parse_both(first: str, second: str) -> tuple[Expression | None, Expression | None]:
    """Two expressions that are to be compared: they agree on which names are functions.

    ``f(x)^2`` and ``f(x^2)`` are values of a function; ``h(a+b)`` is a product where the other side has ``ha+hb``.
    """
    a, b = parse_or_none(first), parse_or_none(second)
    if a is not None and b is not None and (functions := (a.applied | b.applied) - a.alone - b.alone):
        return parse_or_none(first, functions), parse_or_none(second, functions)
    return a, b
