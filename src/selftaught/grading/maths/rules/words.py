"""Answers in words."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.parse import parse_or_none
from selftaught.grading.maths.rules.caption import CAPTION
from selftaught.grading.maths.structure import shape_of
from selftaught.grading.maths.words import (
    fold_text,
    fold_words,
    has_long_word,
    has_word,
    is_empty,
    letter_of,
    mentions,
    number_in_words,
    word_list,
    words_of,
)

_JOINED = re.compile(r"\b(?:and|or)\b")
"""What joins the names of a list: both of two people are not one of them. A comma stands for either."""


def words(pair: Pair, comparison: Comparison) -> Outcome:
    """Names, yes and no, "no solution", "five": case and articles do not count; words are not equal to a formula."""
    gold, given = pair.gold, pair.given
    a, b = words_of(gold), words_of(given)
    if is_empty(gold, a) and is_empty(given, b):
        return comparison.decide("text", True)
    if has_word(gold) and has_word(given) and fold_text(gold) == fold_text(given):
        return comparison.decide("text", True)
    if a is not None and b is None and (number := number_in_words(a)):
        return comparison.same(number, given)
    if b is not None and a is None and (number := number_in_words(b)):
        return comparison.same(gold, number)
    if a is None and b is None:
        return None
    if a is None or b is None:
        return _one_in_words(pair, a, comparison)
    if len(a) == 1 and len(b) == 1:
        return comparison.decide("text", letter_of(gold) == letter_of(given))
    if fold_words(a) == fold_words(b):
        return comparison.decide("text", True)
    first, second = word_list(a), word_list(b)
    joined = {match[0] for side in (a, b) for match in _JOINED.finditer(side)}
    return comparison.decide("text", len(first) > 1 and first == second and len(joined) < 2)


def _one_in_words(pair: Pair, gold_words: str | None, comparison: Comparison) -> Outcome:
    """One side is words: different, unless the other is no plain value or formula either."""
    in_words, other = (pair.gold, pair.given) if gold_words is not None else (pair.given, pair.gold)
    if has_long_word(in_words):
        if CAPTION.match(other) or parse_or_none(other) is None and shape_of(other).kind == "scalar":
            return None
        return comparison.decide("text", False)
    if gold_words is not None and mentions(pair.given, gold_words):
        return comparison.decide("text", True)
    return None
