"""Residues."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.structure import split_top

_MODULUS = re.compile(
    r"(.*?)\s*\(?\s*(?:\\pmod\s*\{?([^{}]+)\}?|\\p?b?mod\s*\{?([^{}()]+)\}?|(?:\\text\{\s*)?\(?mod\s*\}?\s*\{?([^{}()]+)\}?)\s*\)?"
)
_IDENTICAL = re.compile(r"\\equiv(?![A-Za-z])\s*")


def residue(pair: Pair, comparison: Comparison) -> Outcome:
    """``5 \\pmod 7`` is ``12 \\pmod 7``; a modulus that one side leaves out is ignored. Without one ``\\equiv`` → ``=``."""
    has_modulus = "mod" in pair.gold or "mod" in pair.given
    a, b = (_MODULUS.fullmatch(text) if has_modulus else None for text in (pair.gold, pair.given))
    if not a and not b:
        return pair.rewritten(lambda text: _IDENTICAL.sub("=", text))
    first, second = (a[1].strip() if a else pair.gold), (b[1].strip() if b else pair.given)
    if not first or not second:
        return None
    first, second = split_top(first, r"\equiv")[-1], split_top(second, r"\equiv")[-1]
    if a and b:
        modulus, other = (next(filter(None, match.groups()[1:])).strip() for match in (a, b))
        if not comparison.same(modulus, other):
            return comparison.decide("modulus", False)
        if all(re.fullmatch(r"-?\d{1,30}", text) for text in (first, second, modulus)) and int(modulus):
            return comparison.decide("modulus", (int(first) - int(second)) % int(modulus) == 0)
    return comparison.same(first, second)
