"""Numbers in another base."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.words import NUMBER_WORDS

_BASE_NAMES = "two|three|four|five|six|seven|eight|nine|ten|twelve|sixteen"
_BASED = re.compile(
    r"\(?(?:\\text\{)?([0-9A-Za-z.]*\d[0-9A-Za-z.]*|[A-F]+|[a-f]{2,})\}?\)?_\{?\(?(?:\\text\{)?(?:base\}?\s*)?"
    rf"(\d{{1,2}}|{_BASE_NAMES})\}}{{0,2}}\)?\}}{{0,2}}"
)
_IN_WORDS = re.compile(rf"([0-9A-Fa-f]+)\s*(?:\\text\{{)?\s*\(?(?:in\s+)?base[\s-]*(\d{{1,2}}|{_BASE_NAMES})\)?\s*\}}?")


def number_base(pair: Pair, comparison: Comparison) -> Outcome:
    """``52_9`` is neither ``52_8`` nor ``52``: without a base a number is decimal."""
    a, b = _based(pair.gold), _based(pair.given)
    if a is None and b is None:
        return None
    if a is None or b is None:
        based, other = (a, pair.given) if a else (b, pair.gold)
        return comparison.decide("base", based == (other.lstrip("0"), 10))
    return comparison.decide("base", a == b)


def _based(text: str) -> tuple[str, int] | None:
    """Digits without leading zeros, and the base."""
    if "_" not in text and "base" not in text:
        return None
    text = re.sub(r"(?<=\w) (?=\w+_)", "", text)
    match = _BASED.fullmatch(text) or _IN_WORDS.fullmatch(text)
    if not match:
        return None
    base = int(match[2]) if match[2].isdigit() else NUMBER_WORDS[match[2]]
    digits = match[1].upper()
    if not 2 <= base <= 36 or any(not c.isalnum() and c != "." for c in digits):
        return None
    if any(int(c, 36) >= base for c in digits if c != "."):
        return None
    return digits.lstrip("0") or "0", base
