"""Boxes: ``\\boxed{}`` and ``\\fbox{}`` with balanced braces.

Everything runs in one pass over the text, so that 10⁵ boxes or unbalanced braces cost no more than their length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_BOX_OR_BRACE = re.compile(r"(?<!\\)\\{1,4}(?:[bB]oxed|fbox)\s{0,8}\{|(?<![A-Za-z\\])boxed\{|\\.|[{}]", re.DOTALL)
"""A box, also where its backslash was lost; an escaped sign; a brace."""
_DENIED = re.compile(
    r"(?:\b(?:not|instead of|rather than)|n['’]t|不是|而非|≠|\\neq?)[\s$(*]{0,6}$|\\text\{\s?not\s?\}\s?$",
    re.IGNORECASE,
)
_OFFERED = re.compile(
    r"\}[\s$]{0,4}(?:或者?|,?\s{0,2}(?:\\text\{\s?)?or(?:\s?\})?)(?:\s(?:maybe|possibly|perhaps))?[\s$]{0,4}\\(?:boxed|fbox)\s{0,4}\{"
)
_BETWEEN_BOXES = re.compile(
    r"\}[\s$.,;]{0,8}(?:\\(?:quad|qquad|[,;() ]|[\[\]]))?[\s$,]{0,4}(?:\\text\{)?\s{0,4}(?:and|or|,)?\s{0,4}\}?(?:\\(?:quad|qquad|[,;() ]|[\[\]]))?[^{}\n]{0,12}\\(?:boxed|fbox)\s{0,4}\{"
)


def last_box(text: str) -> str | None:
    """Content of the last brace-balanced ``\\boxed{}`` or ``\\fbox{}`` that is not empty; None without one."""
    best, best_start, best_end = -1, -1, -1
    for box, start, end in _boxes(text):
        if start > best_start and not _DENIED.search(text[max(0, box - 24) : box]):
            best, best_start, best_end = box, start, end
    return text[best_start:best_end].strip() if best >= 0 else None


def last_boxes(text: str, *, offered: bool = False) -> list[str]:
    """The last boxes that stand together ("\\boxed{2} and \\boxed{3}"), in order; one or none as a rule.

    ``offered``: with "or" between them, so that the response does not say which of them is its answer.
    """
    text = text[-4000:]
    together: list[tuple[int, int]] = []
    for _, start, end in reversed(box_spans(text)):
        if together and not (_OFFERED if offered else _BETWEEN_BOXES).fullmatch(text[end : together[-1][0]]):
            break
        together.append((start, end))
    return [text[start:end].strip() for start, end in reversed(together)]


def box_spans(text: str) -> list[tuple[int, int, int]]:
    """Of every balanced box that is not empty, in order: where it starts, where its content starts and ends."""
    return sorted(_boxes(text))


def _boxes(text: str) -> Iterator[tuple[int, int, int]]:
    """The spans of all boxes in one pass, inner ones first."""
    open_braces: list[tuple[int, int]] = []  # start of a box and of its content, or (-1, -1) for any other brace
    for match in _BOX_OR_BRACE.finditer(text):
        token = match.group()
        if token == "}":
            box, start = open_braces.pop() if open_braces else (-1, -1)
            if start >= 0 and text[start : match.start()].strip():
                yield box, start, match.start()
        elif token == "{":
            open_braces.append((-1, -1))
        elif token[-1] == "{" and len(token) > 2:
            open_braces.append((match.start(), match.end()))
