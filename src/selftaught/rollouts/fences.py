"""Finds fenced blocks in text that arrives in pieces.

A block opens with a line that is only ```` ```info ```` and closes with a line that is only ```` ``` ````; a line counts
when its newline has arrived. A line with an info string inside an open block abandons that block and opens a new one,
since a closing fence has no info. Only a block that was closed by the model, in thinking, and whose language is Python
is ever run; a block that a hint both opens and closes (the debug hint's template) never is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from selftaught.records import SpanSource

PYTHON = frozenset({"python", "py", "python3"})

_FENCE = re.compile(r"[ \t]{0,3}(`{3,})[ \t]*([A-Za-z0-9_+.\- ]*?)[ \t\r]*")


@dataclass(slots=True)
class Block:
    """A fenced block: ``language`` in lower case, ``code`` between the fences, and who wrote which fence."""

    language: str
    opened_by: SpanSource
    code: str = ""
    closed_by: SpanSource | None = None

    @property
    def is_python(self) -> bool:
        """True for a language that the interpreter runs."""
        return self.language in PYTHON

    @property
    def is_runnable(self) -> bool:
        """A Python block that the model closed."""
        return self.is_python and self.closed_by is SpanSource.MODEL


class FenceScanner:
    """Feed it text; it keeps the open block and the unfinished line."""

    __slots__ = ("_lines", "block", "line")

    def __init__(self) -> None:
        self.line = ""
        """The line so far, without a newline."""
        self.block: Block | None = None
        """The open block, or None in plain text."""
        self._lines: list[str] = []

    def copy(self) -> FenceScanner:
        """An independent copy."""
        twin = FenceScanner()
        twin.line, twin._lines = self.line, list(self._lines)
        if self.block is not None:
            twin.block = Block(self.block.language, self.block.opened_by)
        return twin

    def reset(self) -> None:
        """Forget the open block: plain text from here."""
        self.line, self.block, self._lines = "", None, []

    @property
    def may_be_fence(self) -> bool:
        """True when the unfinished line could still become a fence."""
        return self.line.lstrip(" \t").startswith("`")

    def feed(self, text: str, source: SpanSource) -> list[Block]:
        """Take ``text`` from ``source``; return the blocks that closed in it, in order."""
        closed = []
        *complete, rest = text.split("\n")
        for piece in complete:
            block = self._end_line(self.line + piece, source)
            self.line = ""
            if block is not None:
                closed.append(block)
        self.line += rest
        return closed

    def _end_line(self, line: str, source: SpanSource) -> Block | None:
        match = _FENCE.fullmatch(line) if "```" in line else None
        block = self.block
        if match is None:
            if block is not None:
                self._lines.append(line)
            return None
        info = match[2].strip().lower()
        if info or block is None:
            self.block, self._lines = Block(info, source), []
            return None
        block.code = "".join(f"{one}\n" for one in self._lines)
        block.closed_by = source
        self.block, self._lines = None, []
        return block
