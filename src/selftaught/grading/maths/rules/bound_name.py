"""The name of a function's argument, of a sum's index and of an integral's variable does not count."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.structure import names_in, rename

_DEFINITION = re.compile(r"([A-Za-z]'*(?:_\{?\w+\}?)?)\(([A-Za-z](?:,\s*[A-Za-z])*)\)=([^=]+)")
_MAPPING = re.compile(r"()\(?([A-Za-z](?:,\s*[A-Za-z])*)\)?\s*\\mapsto(?![A-Za-z])\s*(.+)")


_INDEX = re.compile(
    r"\\(?:sum|prod|bigcup|bigcap|max|min|lim|sup|inf)\s*_\s*\{?\s*([A-Za-z])(?![A-Za-z])\s*(?==|\\in(?![A-Za-z])|\\to(?![A-Za-z])|[<>]|\\[lg]e(?![A-Za-z])|\}|\s)"
    r"|\\\{\s*([A-Za-z])\s*(?=:|\||\\mid(?![A-Za-z])|\\in(?![A-Za-z]))"
)
"""The name below a sum, a product or a limit, and that of a set by its condition."""
_INTEGRAL = re.compile(r"\\int(?![A-Za-z])((?:\s*[_^]\s*(?:\{[^{}]*\}|\\[A-Za-z]+|.))*)")
_DIFFERENTIAL = re.compile(r"(?<![A-Za-z\\^_{])d\s?([A-Za-z])(?![A-Za-z])")


def bound_name(pair: Pair, comparison: Comparison) -> Outcome:
    """``f(t)=3t`` → ``f(x)=3x`` where the reference has ``f(x)``; ``\\sum_{i}a_i`` is ``\\sum_{k}a_k``."""
    if "_" in pair.given or "\\int" in pair.given or "\\{" in pair.given:
        renamed = _with_indices_of(pair.gold, pair.given)
        if renamed != pair.given:
            pair = Pair(pair.gold, renamed)
            return _with_argument(pair) or pair
    return _with_argument(pair)


def _with_indices_of(gold: str, given: str) -> str:
    """``given`` with the index of its sums and the variable of its integrals named as in ``gold``, where that changes no meaning."""
    wanted, bound = _bound(gold), _bound(given)
    if not bound or wanted == bound or len(wanted) != len(bound) or len(set(wanted)) != len(wanted):
        return given
    renamed = [(old, new) for old, new in zip(bound, wanted, strict=True) if old != new]
    start = min(match.start() for form in (_INDEX, _INTEGRAL) for match in form.finditer(given))
    if names_in(given[:start]) & {old for old, _ in renamed} or names_in(given) & {new for _, new in renamed} - set(
        bound
    ):
        return given  # the name also stands for something else
    return rename(given, dict(renamed)) if len(set(bound)) == len(bound) else given


def _bound(text: str) -> list[str]:
    """The names that sums, products and integrals bind, in order."""
    found = [(match.start(), match[1] or match[2]) for match in _INDEX.finditer(text)]
    integrals = list(_INTEGRAL.finditer(text))
    if integrals:
        differentials = [(match.start(), match[1]) for match in _DIFFERENTIAL.finditer(text, integrals[0].end())]
        if len(differentials) != len(integrals):
            return []
        if {name for _, name in differentials} & set().union(*(names_in(match[1]) for match in integrals)):
            return []  # the name also stands in a bound of the integral: written loosely, left alone
        found += differentials
    return [name for _, name in sorted(found)]


def _with_argument(pair: Pair) -> Outcome:
    """The argument of a function's definition is named as in the reference."""
    if "=" not in pair.given and "\\mapsto" not in pair.given:
        return None
    for form in (_DEFINITION, _MAPPING):
        gold, given = form.fullmatch(pair.gold), form.fullmatch(pair.given)
        if gold and given and gold[1] == given[1]:
            wanted, bound = re.findall("[A-Za-z]", gold[2]), re.findall("[A-Za-z]", given[2])
            free = names_in(given[3]) - set(bound)
            if wanted == bound or len(wanted) != len(bound) or free & set(wanted):
                return None
            names = dict(zip(bound, wanted, strict=True))
            head = given[0][: given.start(3)]
            return Pair(pair.gold, rename_head(head, names) + rename(given[3], names))
    return None


def rename_head(head: str, names: dict[str, str]) -> str:
    """The head of a definition with its arguments renamed; the function keeps its name."""
    start = head.index("(") if head[:1] != "(" and "(" in head else 0
    return head[:start] + rename(head[start:], names)
