"""What a watcher sees of a trajectory while it comes into being: pieces of its text, cut where their meaning changes.

The texts of all pieces, joined, are the trajectory's text after the prompt. A Python block is told apart from the text round it by the same `FenceScanner` that decides what is run. A
piece is given out only when nothing that may follow can change what it is: the beginning of a line that may become a
fence waits for the rest of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from selftaught.records import HintInfo, SpanSource, ToolInfo
from selftaught.tokens.fences import Block, FenceScanner

Where = Literal["thinking", "code", "hint", "output", "notice", "answer"]
BlockStep = Literal["open", "code", "close", "drop"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text that was just made.

    ``step`` is set inside a Python block of the thinking: ``open`` and ``close`` for the lines of its fences, ``code`` for
    what lies between, ``drop`` where the block is given up unclosed. ``code`` is what a ``code`` step adds to the program,
    and the whole program of a ``close`` step. A block with an indented or quoted fence has its program in the latter alone.
    """

    text: str
    where: Where
    step: BlockStep | None = None
    code: str = ""
    hint: HintInfo | None = None
    tool: ToolInfo | None = None
    is_control: bool = False
    """It is the control token that ends the thinking or the turn."""


@dataclass(frozen=True, slots=True)
class Running:
    """The interpreter begins to run a block that was closed before. Its output is the next piece."""

    code: str
    number: int
    """Ordinal of the call in the trajectory, from 1."""


Event = Piece | Running
Watcher = Callable[[Event], None]

_MAY_BE_FENCE = re.compile(r"(?:[ \t]*(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t])))*[ \t]*(?:[-*+]|\d{1,9}[.)]?|[`~].*)?")
"""The beginning of a line that may become a fence: quote and list marks, the last of them perhaps unfinished."""
_MAX_HELD = 200
"""A longer beginning is no fence's, or one that is not worth waiting for."""


class Cutter:
    """Cuts the text of the thinking into pieces. ``give`` gets them in order."""

    def __init__(self, give: Watcher) -> None:
        self._give = give
        self._scanner = FenceScanner()
        self._line = ""
        """The unfinished line."""
        self._num_given = 0
        """Characters of it that were given out."""
        self._odd = False
        """The open block's fence stands behind marks or blanks, so its lines are not its code as they stand."""
        self._hint: HintInfo | None = None
        self._source = SpanSource.MODEL

    def feed(self, text: str, source: SpanSource = SpanSource.MODEL, hint: HintInfo | None = None) -> None:
        """Take thinking of the model's, or a hint."""
        if hint is not self._hint:
            self._rest()  # a line that one began and another goes on with is given out by who wrote it
            self._hint = hint
        self._source = source
        start = 0
        while (newline := text.find("\n", start)) >= 0:
            self._end_line(text[start : newline + 1])
            start = newline + 1
        if start < len(text):
            self._line += text[start:]
            self._scanner.feed(text[start:], source)
            if len(self._line) > _MAX_HELD or _MAY_BE_FENCE.fullmatch(self._line) is None:
                self._rest()

    def insert(self, piece: Piece) -> None:
        """Something stands here that is no text of the model's or a hint's. It also ends an open block."""
        self.finish()
        self._give(piece)

    def end_line(self) -> None:
        """A token that ended the thinking or the turn stood here and was taken back; it ends the line all the same."""
        if self._line:
            before = self._scanner.block
            self._say_line(before, self._scanner.finish(self._source))

    def finish(self) -> None:
        """The text ends here, or something is put in that closes what was open."""
        self.end_line()
        if self._scanner.block is not None and self._scanner.block.is_python:
            self._say("", "drop")
        self._scanner.reset()

    # ------------------------------------------------------------------------------------------------------ internals

    def _end_line(self, rest: str) -> None:
        before = self._scanner.block
        closed = self._scanner.feed(rest, self._source)
        self._line += rest
        self._say_line(before, closed[-1] if closed else None)

    def _say_line(self, before: Block | None, closed: Block | None) -> None:
        """Give out what is left of a line that is over, and what it did to the block that was open ``before``."""
        line, text, after = self._line, self._line[self._num_given :], self._scanner.block
        self._line, self._num_given = "", 0
        was_code = before is not None and before.is_python
        if closed is not None and was_code:
            self._say(text, "close", closed.code)
        elif after is before:
            self._say(text, "code" if was_code else None, text if was_code and not self._odd else "")
        else:
            if was_code:  # a fence that opens a block abandons the one that is open
                self._say("", "drop")
            self._odd = line[:1] not in ("`", "~")
            self._say(text, "open" if after is not None and after.is_python else None)

    def _rest(self) -> None:
        """Give out what is left of the unfinished line."""
        text = self._line[self._num_given :]
        self._num_given = len(self._line)
        if text:
            in_code = self._scanner.block is not None and self._scanner.block.is_python
            self._say(text, "code" if in_code else None, text if in_code and not self._odd else "")

    def _say(self, text: str, step: BlockStep | None = None, code: str = "") -> None:
        if text or step:
            where: Where = "hint" if self._hint is not None else "code" if step else "thinking"
            self._give(Piece(text, where, step, code, self._hint))
