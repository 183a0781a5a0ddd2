"""How the report writes text and numbers.

Text is made harmless and visible: everything that a model, a problem file or a sandbox wrote may hold control
characters, bidirectional overrides that turn a line round, NUL, lone surrogates or a megabyte without a space. Here
each such character gets a visible form; escaping for HTML, SVG, Markdown and CSV is the writer's own work on top.
Shares are written as per cent with one decimal, differences with their sign, intervals in brackets.
"""

from __future__ import annotations

import html
import re

from selftaught.evals.records import Interval

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
    """``text`` with control, bidirectional and zero-width characters written out (``␀``, ``⟨U+202E⟩``), without CR."""
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


MINUS = "−"


def percent(share: float | None, digits: int = 1) -> str:
    """0.425 → ``42.5``; a dash for None."""
    return "–" if share is None else f"{share * 100:.{digits}f}"


def points(difference: float | None) -> str:
    """A difference of shares in points: 0.125 → ``+12.5``, with a true minus sign."""
    if difference is None:
        return "–"
    text = f"{difference * 100:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", MINUS)


def interval(ci95: Interval | None) -> str:
    """(0.381, 0.468) → ``[38.1, 46.8]``; nothing for None."""
    return "" if ci95 is None else f"[{percent(ci95[0])}, {percent(ci95[1])}]"


def points_interval(ci95: Interval | None) -> str:
    """(-0.01, 0.05) → ``[−1.0, +5.0]``; nothing for None."""
    return "" if ci95 is None else f"[{points(ci95[0])}, {points(ci95[1])}]"


def p_value(value: float | None) -> str:
    """0.0314 → ``0.031``, tiny ones as ``<0.001``."""
    if value is None:
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def whole(value: float | None) -> str:
    """A count or a mean of counts without decimals: 1234.6 → ``1,235``."""
    return "–" if value is None else f"{value:,.0f}"


def duration(seconds: float) -> str:
    """0.64 → ``0.6 s``, 95 → ``1 min 35 s``, 7300 → ``2 h 01 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
