"""Whether the embedded reasoner was made for a question: it knows the families of `selftaught.toy.families`, no others.

A question's *shape* is its text with numbers, lists of numbers and the families' nouns taken out. The shapes of all
families are those of some drawn problems; a question of another shape is outside.
"""

from __future__ import annotations

import random
import re
from functools import cache

from selftaught.toy.families import GROUPS
from selftaught.toy.families.easy import THINGS

NUM_DRAWS = 48
"""Problems drawn from each family. A family has at most six wordings; 48 draws miss one of them with a chance of 1 in
1000."""

_SAMPLES = re.compile(r"\s(?:Samples:|[A-Z][).] )")
_LIST = re.compile(r"#(?:(?:,| and|, and) #)+")
_NOUN = re.compile(rf"\b(?:{'|'.join(THINGS)})\b")


def is_known(question: str) -> bool:
    """Whether a question has the shape of a family's."""
    return shape(question) in _shapes()


def shape(question: str) -> str:
    """The question's statement without its numbers, nouns, options and samples.

    Letter case and spacing do not count.
    """
    statement = _SAMPLES.split("\n" + question.strip())[0]
    text = _NOUN.sub("@", re.sub(r"\d+", "#", statement))
    return " ".join(_LIST.sub("#", text).lower().split())


@cache
def _shapes() -> frozenset[str]:
    rng = random.Random(0)
    families = [family for group in GROUPS.values() for family in group.values()]
    return frozenset(shape(family(rng).question) for family in families for _ in range(NUM_DRAWS))
