"""An answer that says what it is not."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair

_WORDS = (
    r"not|isn't|aren't|never|wrong|incorrect|false|except|excluded|rejected|impossible|cannot|can't|anything but|everything but|"
    r"all but|ruled out|falsch|nicht|faux|incorrect[oa]|неверно|no longer|other than|rather than|instead of|unequal|different from"
)
NEGATION = re.compile(
    rf"\\text\{{[^{{}}]*\b(?:{_WORDS})\b|(?<![A-Za-z\\])(?:{_WORDS})(?![A-Za-z])|"
    r"\\(?:neg|lnot|not|nexists|cancel|bcancel|xcancel|sout|st)(?![A-Za-z])|(?<![A-Za-z)\d}])!|¬|不是|不等于|错误|不对",
    re.IGNORECASE,
)


def negation(pair: Pair, comparison: Comparison) -> Outcome:
    """``3\\text{ is wrong}``, ``\\text{not }3`` and ``\\cancel{3}`` are not ``3``."""
    if bool(NEGATION.search(pair.gold)) != bool(NEGATION.search(pair.given)):
        return comparison.decide("negation", False)
    return None
