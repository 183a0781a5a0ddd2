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


_TEXT = re.compile(r"\\text\{([^{}]*)\}(?!\^)")
_SAYING = frozenset("is are not even odd prime composite when unless except".split())
"""Words that say something of a name; other words beside a value that only one side has are its unit or its caption."""
_JOINING = frozenset(("and", "or", "if", "for", ""))


def say_the_same(gold: str, given: str) -> bool:
    """Whether the words of both sides are the same ones; math-verify leaves words out, a set of even numbers is one of odd ones."""
    first, second = _words(gold), _words(given)
    if first and second:
        return first == second
    return not _SAYING.intersection(first + second)


def _words(text: str) -> list[str]:
    words = re.findall(r"[a-z]+", " ".join(_TEXT.findall(text)).casefold())
    return sorted(word for word in words if word not in _JOINING)


def is_understood(text: str) -> bool:
    """Whether every sign of a normalised answer is one that math-verify reads."""
    text = _LIMIT.sub(r"\\lim ", text)
    if _REGION.search(text) or _FIELD.search(text) or _DERIVATIVE.search(text) or _APPLIED.search(text):
        return False
    if _LOOSE.search(_ENVIRONMENT.sub("", text)):
        return False
    return all(name in _KNOWN for name in _COMMAND.findall(text))
