"""Where the names of a formula come from: "for all real x", "k an integer", "for any constant c"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.structure import names_in, rename

_SETS = {"R": "real", "Z": "integer", "N": "natural", "Q": "rational", "C": "complex"}
_SORTS = frozenset("real integer natural rational complex positive negative nonnegative nonzero odd even prime".split())
_CONSTANT = frozenset(("constant", "arbitrary", "parameter"))
_OTHER = frozenset(
    "for all any every each some where with is are be being a an the number value constant arbitrary parameter in of and whole "
    "variable on belongs to given fixed".split()
)
_SORT = r"(?:all|any|every|each|some|arbitrary|real|integer|constant)s?"
_START = re.compile(
    r"(?:[,;:(]\s*|\s)*(?:\\forall(?![A-Za-z])"
    rf"|\\text\{{[\s,;(]*(?:for|where|with|and|,)?\s*(?:{_SORT}|[a-zA-Z]\s*\}}?\s*(?:\\in|\\text\{{\s*(?:is|are))"
    r"|\}\s*(?:\\text\{[^{}]*\}\s*)?[A-Za-z])"
    rf"|(?<![A-Za-z\\])(?:for|where)(?![A-Za-z])\s*(?:{_SORT}|[a-zA-Z]\b)"
    r"|(?<=[^,(\[{\s])[,:(]\s*[A-Za-z](?:,\s*[A-Za-z])*\s*"
    r"(?:\\in(?![A-Za-z])|\\text\{\s*(?:is |are |an? |any |arbitrary |real |integer )*constant))"
)
"""Where a trailing qualifier may start."""
_LEADING = re.compile(
    r"((?:\\forall(?![A-Za-z])|\\text\{\s*for\b|[A-Za-z]\s*\\in(?![A-Za-z]))[^=<>]{1,60}?)\s*(?:[,:|]|\\text\{\s*[,:]?\s*\})\s*(?=\S)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Qualified:
    """A formula without its qualifier; the sorts that the qualifier names, and the names that it binds."""

    formula: str
    sorts: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()


def qualifier(pair: Pair, comparison: Comparison) -> Outcome:
    """``3x\\text{ for all real }x`` → ``3x``; names from different sets differ, and the names themselves do not count."""
    if not any(word in pair.gold + pair.given for word in ("\\text", "\\in", "\\forall", "for", "where")):
        return None
    gold, given = _qualified(pair.gold), _qualified(pair.given)
    if gold.formula == pair.gold and given.formula == pair.given:
        return None
    if gold.sorts and given.sorts and gold.sorts != given.sorts:
        return comparison.decide("qualifier", False)
    gold, given = _with_same_names(gold, given)
    wanted = [name for name in gold.names if name not in given.names]
    bound = [name for name in given.names if name not in gold.names]
    if len(wanted) != len(bound) or names_in(given.formula) & set(wanted):
        return Pair(gold.formula, given.formula)
    return Pair(gold.formula, rename(given.formula, dict(zip(bound, wanted, strict=True))))


def _with_same_names(gold: _Qualified, given: _Qualified) -> tuple[_Qualified, _Qualified]:
    """``k\\pi`` beside ``n\\pi`` for every integer n: the side that says nothing of its names binds as many, of the usual letters."""
    for first, second in ((gold, given), (given, gold)):
        if not first.names or second.names or not first.sorts <= {"integer"}:
            continue
        free = sorted(names_in(second.formula) - names_in(first.formula))
        bound = sorted(set(first.names) & names_in(first.formula) - names_in(second.formula))
        usual = _INDICES if first.sorts else _CONSTANTS
        if free and len(free) == len(bound) == len(first.names) and set(free) <= usual:
            named = _Qualified(second.formula, frozenset(), tuple(free))
            return (gold, named) if first is gold else (named, given)
    return gold, given


_INDICES = frozenset("kmnljpqrst")
_CONSTANTS = frozenset("abcdkmABCDKM")


def _qualified(text: str) -> _Qualified:
    leading = _LEADING.match(text)
    if leading and (clause := _Clause.read(leading[1])):
        return _Qualified(text[leading.end() :], clause.sorts, clause.names)
    for start in _START.finditer(text):
        if start.start() and (clause := _Clause.read(text[start.start() :])):
            return _Qualified(text[: start.start()].strip().rstrip(",;:("), clause.sorts, clause.names)
    return _Qualified(text)


@dataclass(frozen=True)
class _Clause:
    sorts: frozenset[str]
    names: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> _Clause | None:
        """What a qualifier says; None where the clause says anything else."""
        text = re.sub(
            r"\\mathbb\{([A-Z])\}(?:\^[+*]|_[+]|\^\{[+*]\})?",
            lambda found: f" {_SETS.get(found[1], found[1] + '?')} ",
            text,
        )
        text = (
            text.replace("\\forall", " for all ").replace("\\in", " in ").replace("\\text", " ").replace("non-", "non")
        )
        tokens = re.findall(r"[A-Za-z]+(?:_\{?\w+\}?)?|[^\s{}(),.;:A-Za-z]", text)
        names = [token for token in tokens if len(token.partition("_")[0]) == 1 and token[0].isalpha() and token != "a"]
        words = {_singular(token.casefold()) for token in tokens if token not in names}
        if not names or not words <= _SORTS | _OTHER or "some" in words and not words & (_CONSTANT | {"integer"}):
            return None
        return cls(frozenset(words & _SORTS), tuple(dict.fromkeys(names)))


def _singular(word: str) -> str:
    return word.removesuffix("s") if word.removesuffix("s") in _SORTS | _OTHER else word
