"""A reference that is one letter A to E is an option of a question."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair

_NAMED = re.compile(r"(?:\\text\{)?(?:option|choice|answer)\s*\(?([A-Z])\)?\.?\}?", re.IGNORECASE)


def option_letter(pair: Pair, comparison: Comparison) -> Outcome:
    """``(C)``, ``Option C`` and ``c`` → ``C``."""
    gold, given = pair.gold, pair.given
    if not is_option_letter(gold):
        return None
    named = _NAMED.fullmatch(given)
    given = f"({named[1]})" if named else given
    if is_option_letter(given) and (gold.startswith("(") or given.startswith("(") or gold.isupper()):
        return Pair(gold.strip("()").upper(), given.strip("()").upper())
    return Pair(gold, given)


def is_option_letter(text: str) -> bool:
    """One letter A to E, in round brackets or not."""
    return len(text) <= 3 and bool(re.fullmatch(r"\(?[A-Ea-e]\)?", text))
