"""The name of a function's argument does not count."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.structure import names_in, rename

_DEFINITION = re.compile(r"([A-Za-z]'*(?:_\{?\w+\}?)?)\(([A-Za-z](?:,\s*[A-Za-z])*)\)=([^=]+)")
_MAPPING = re.compile(r"()\(?([A-Za-z](?:,\s*[A-Za-z])*)\)?\s*\\mapsto(?![A-Za-z])\s*(.+)")


def bound_name(pair: Pair, comparison: Comparison) -> Outcome:
    """``f(t)=3t`` → ``f(x)=3x`` where the reference has ``f(x)``."""
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
