"""What math-verify may be asked about.

It leaves out signs that it does not know: it finds ``\\nabla\\cdot F`` equal to ``\\nabla\\times F``, and an integral over one region
equal to that over another. What holds such a sign is equal to its own spelling only.
"""

from __future__ import annotations

import re

from selftaught.grading.maths.tokens import FUNCTIONS, GREEK

_KNOWN = (
    FUNCTIONS
    | GREEK
    | frozenset(
        "frac sqrt pi infty cup setminus text begin end over sum prod lim int cdot times pm mp le ge ne emptyset circ ldots binom "
        "lfloor rfloor lceil rceil langle rangle mathbb overline bar pmod mod det cot".split()
    )
)
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_LIMIT = re.compile(r"\\lim\s*_\s*\{[^{}]*\}")
_REGION = re.compile(r"\\int\s*_\s*(?:\{[^{}]*\}|[^\s{}])(?!\s*\^)")
_FIELD = re.compile(r"\\mathbb\s*(?!\{?[RZNQC](?![A-Za-z]))")
_DERIVATIVE = re.compile(r"\\frac\{d(?:\^\{?\d\}?)?\}\{d")
_ENVIRONMENT = re.compile(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", re.DOTALL)
_LOOSE = re.compile(r"[?&]|\\\\")
"""Outside of a matrix: math-verify takes what stands last."""
_APPLIED = re.compile(r"(?<![A-Za-z\\])[A-Z]\[")


def is_understood(text: str) -> bool:
    """Whether every sign of a normalised answer is one that math-verify reads."""
    text = _LIMIT.sub(r"\\lim ", text)
    if _REGION.search(text) or _FIELD.search(text) or _DERIVATIVE.search(text) or _APPLIED.search(text):
        return False
    if _LOOSE.search(_ENVIRONMENT.sub("", text)):
        return False
    return all(name in _KNOWN for name in _COMMAND.findall(text))
