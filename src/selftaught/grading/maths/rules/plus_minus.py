"""``\\pm`` stands for two values."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.structure import shape_of, split_top

_PLUS_MINUS = re.compile(r"\\pm(?![A-Za-z])\s*")
_MINUS_PLUS = re.compile(r"\\mp(?![A-Za-z])\s*")


def plus_minus(pair: Pair, comparison: Comparison) -> Outcome:
    """``1\\pm\\sqrt{2}`` → ``1+\\sqrt{2},1-\\sqrt{2}``; all signs of one answer go together."""
    return pair.rewritten(_expanded) if "\\pm" in pair.gold + pair.given or "\\mp" in pair.gold + pair.given else None


def _expanded(text: str) -> str:
    if not (_PLUS_MINUS.search(text) or _MINUS_PLUS.search(text)) or len(text) > 300:
        return text
    members = re.fullmatch(r"\\\{(.*)\\\}", text)
    if members and shape_of(text).kind == "set":
        return "\\{" + _expanded(members[1]) + "\\}"
    expanded: list[str] = []
    for piece in split_top(text, ","):
        if not (_PLUS_MINUS.search(piece) or _MINUS_PLUS.search(piece)):
            expanded.append(piece)
        elif shape_of(piece).kind != "scalar":
            return text
        else:
            expanded += [_signed(piece, "+", "-"), _signed(piece, "-", "+")]
    return ",".join(expanded)


def _signed(text: str, upper: str, lower: str) -> str:
    return _MINUS_PLUS.sub(lower, _PLUS_MINUS.sub(upper, text)).lstrip("+").replace("=+", "=")
