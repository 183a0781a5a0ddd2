"""Hostile text made harmless and visible.

Everything that a model, a problem file or a sandbox wrote may hold control characters, bidirectional overrides that turn a
line round, NUL, lone surrogates or a megabyte without a space. Here each such character gets a visible form; escaping for
HTML, SVG, Markdown and CSV is the writer's own work on top.
"""

from __future__ import annotations

import html
import re

CLIP_CHARS = 200_000
"""Longest text of one span that the page carries; the middle of a longer one is cut out, with the count said."""

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_MARKUP = re.compile(r"[\\`*_{}<>|#~!]|\[(?![+−-]?\d)|\](?=[(\[:])")
"""What could be Markdown; intervals such as ``[1.2, 3.4]`` stay as they are, links cannot close."""
_NUMBER = re.compile(r"[-+]?[0-9][0-9.,]*(?:[eE][-+]?[0-9]+)?%?")


def _mark(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return "" if code == 0x0D else chr(0x2400 + code)
    return f"⟨U+{code:04X}⟩"


def visible(text: str) -> str:
    """``text`` with control, bidirectional and zero-width characters written out (``␀``, ``⟨U+202E⟩``); CR is dropped."""
    return _HIDDEN.sub(_mark, text)


def clip(text: str, limit: int = CLIP_CHARS) -> str:
    """``text``, or its head and tail with the number of characters left out between them."""
    if len(text) <= limit:
        return text
    head = limit * 3 // 4
    tail = limit - head
    return (
        f"{text[:head]}\n⟨{len(text) - limit:,} characters left out here; trajectories.jsonl has them⟩\n{text[-tail:]}"
    )


def one_line(text: str, limit: int = 120) -> str:
    """``text`` on one line, shortened with an ellipsis."""
    folded = " ".join(visible(text[: limit * 8]).split())
    return folded if len(folded) <= limit else folded[: limit - 1].rstrip() + "…"


def html_text(text: str) -> str:
    """For HTML text and attribute values."""
    return html.escape(visible(text), quote=True)


def markdown_text(text: str) -> str:
    """For a Markdown table cell or line: no markup, no HTML, no cell border."""
    plain = one_line(text, 400)
    return _MARKUP.sub(r"\\\g<0>", plain)


def csv_text(text: str) -> str:
    """For a CSV cell: a spreadsheet must not read text as a formula."""
    plain = one_line(text, 1000)
    if plain[:1] in ("=", "+", "-", "@", "\t") and not _NUMBER.fullmatch(plain):
        return "'" + plain
    return plain
