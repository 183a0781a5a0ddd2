"""The name of a point before its coordinates."""

from __future__ import annotations

import re

from selftaught.grading.maths.compare import Comparison, Outcome, Pair

_LABELLED = re.compile(r"[A-Z]'?(\(.*,.*\))")


def point_label(pair: Pair, comparison: Comparison) -> Outcome:
    """``A(1,2)`` → ``(1,2)``."""
    return pair.rewritten(_without_label)


def _without_label(text: str) -> str:
    match = _LABELLED.fullmatch(text) if text.endswith(")") else None
    return match[1] if match else text
