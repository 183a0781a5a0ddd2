"""Where the names of a formula come from: "for all real x", "k an integer", "for any constant c"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.structure import rename

_SETS = {"R": "real", "Z": "integer", "N": "natural", "Q": "rational", "C": "complex"}
_SORTS = frozenset("real integer natural rational complex positive negative nonnegative nonzero odd even prime".split())
_CONSTANT = frozenset(("constant", "arbitrary", "parameter"))
_OTHER = frozenset(
    "for all any every each some where with is are be being a an the number value constant arbitrary parameter in of and whole "
    "variable on belongs to given fixed".split()
)
_START = re.compile(
    r"(?:[,;:(]\s*|\s)*(?:\\forall(?![A-Za-z])|\\text\{[\s,;(]*(?:for|where|with|and|,)?\s*(?:all|any|every|each|some|arbitrary|[a-zA-Z]\s*\}?\s*(?:\\in|\\text\{\s*(?:is|are))|(?:real|integer|constant)s?|\}\s*(?:\\text\{[^{}]*\}\s*)?[A-Za-z])|(?<![A-Za-z\\])(?:for|where)(?![A-Za-z])\s*(?:all|any|every|each|some|[a-zA-Z]\b)|(?<=[^,(\[{\s])[,:]\s*[A-Za-z](?:,\s*[A-Za-z])*\s*\\in(?![A-Za-z]))"
)
_DOMAIN_FIRST = re.compile(r"^[A-Za-z]\s*\\in\s*\\mathbb\{R\}\s*(?:,|\\text\{[^{}]*\}|:|\|)\s*(?=\S)")


@dataclass(frozen=True)
class _Qualified:
    """A formula without its qualifier; the sorts that the qualifier names, and the constants that it binds."""

    formula: str
    sorts: frozenset[str] = frozenset()
    constants: tuple[str, ...] = ()


def qualifier(pair: Pair, comparison: Comparison) -> Outcome:
    """``3x\\text{ for all real }x`` → ``3x``; two sides whose names come from different sets differ; bound constants are renamed."""
    gold, given = _qualified(pair.gold), _qualified(pair.given)
    if gold.formula == pair.gold and given.formula == pair.given:
        return None
    if gold.sorts and given.sorts and gold.sorts != given.sorts:
        return comparison.decide("qualifier", False)
    formula = given.formula
    if len(gold.constants) == len(given.constants):
        formula = rename(formula, dict(zip(given.constants, gold.constants, strict=True)))
    return Pair(gold.formula, formula)


def _qualified(text: str) -> _Qualified:
    if "\\mathbb" in text:
        text = _DOMAIN_FIRST.sub("", text)
    for start in _START.finditer(text):
        words, names = _words_and_names(text[start.start() :])
        if start.start() and words is not None:
            sorts = frozenset(word for word in words if word in _SORTS)
            constants = tuple(dict.fromkeys(names)) if _CONSTANT & set(words) else ()
            return _Qualified(text[: start.start()].strip().rstrip(",;:("), sorts, constants)
    return _Qualified(text)


def _words_and_names(clause: str) -> tuple[list[str] | None, list[str]]:
    """The words of a qualifier and the names that it binds; no words where the clause says anything else."""
    clause = re.sub(
        r"\\mathbb\{([A-Z])\}(?:\^[+*]|_[+]|\^\{[+*]\})?",
        lambda found: f" {_SETS.get(found[1], found[1] + '?')} ",
        clause,
    )
    clause = (
        clause.replace("\\forall", " for all ")
        .replace("\\in", " in ")
        .replace("\\text", " ")
        .casefold()
        .replace("non-", "non")
    )
    tokens = re.findall(r"[a-z]+(?:_\{?\w+\}?)?|[^\s{}(),.;:a-z]", clause)
    names = [token for token in tokens if len(token.partition("_")[0]) == 1 and token[0].isalpha() and token != "a"]
    words = [
        token.removesuffix("s") if token.removesuffix("s") in _SORTS | _OTHER else token
        for token in tokens
        if token not in names
    ]
    return (words if names and all(word in _SORTS | _OTHER for word in words) else None), names
