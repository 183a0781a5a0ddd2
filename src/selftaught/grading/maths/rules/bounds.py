"""Words that make another answer of the number beside them."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair

_WORDS = (
    "not|or|least|most|more|less|fewer|greater|than|under|over|below|above|between|except|minus|negative|plus|half|twice|double|triple|"
    "squared|cubed|factorial|reciprocal|inverse|opposite|divisible|multiples?|factors?|root|up to"
)
CHANGES_NUMBER = re.compile(rf"\\text\{{[^{{}}]*\b(?:{_WORDS})\b", re.IGNORECASE)


def bounds(pair: Pair, comparison: Comparison) -> Outcome:
    """``5\\text{ or more}`` and ``\\text{half of }6`` are not ``5`` and ``6``."""
    if bool(CHANGES_NUMBER.search(pair.gold)) != bool(CHANGES_NUMBER.search(pair.given)):
        return comparison.decide("text", False)
    return None
