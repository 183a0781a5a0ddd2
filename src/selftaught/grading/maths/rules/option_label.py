"""An option's letter before its value."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.rules.option_letter import is_option_letter

_LABELLED = re.compile(r"(?:\\text\{\s*)?\(([A-E])\)\s*\}?\s*:?\s*(.+)", re.DOTALL)


def option_label(pair: Pair, comparison: Comparison) -> Outcome:
    """``(A) 42`` is ``A`` and ``42``; several letters are no choice."""
    if is_option_letter(pair.gold) and len(set(re.findall(r"\(([A-Z])\)", pair.given))) > 1:
        return comparison.decide("text", False)
    label = _LABELLED.fullmatch(pair.given)
    if not label or _LABELLED.fullmatch(pair.gold):
        return None
    is_letter = re.fullmatch(r"\(?(?:\\text\{)?\(?[A-E]\)?\}?\)?", pair.gold)
    return comparison.same(pair.gold, label[1] if is_letter else label[2].strip())
