"""Fenced blocks in Markdown, found while text streams in or in a whole text: one rule for rollouts and graders.

The rule is CommonMark's, with three differences that texts of models need:

- A fence is a line of three or more backticks, or of three or more tildes, and perhaps an info string. Its first word
  is the block's language (``python3 title="a.py"`` is Python). The info string of backticks holds no backtick.
- A block is closed by a line with at least as many of the same character and no info string. A line of fewer, of the
  other character, or indented by four columns more than the opening one, belongs to the block.
- Difference 1: such a line *with* an info string abandons the open block and opens a new one. Models forget closing
  fences, and write an opening fence again after a hint has written it.
- Difference 2: an opening fence may stand at any indentation and after list and quote marks (``- ```python``). The
  block loses the indentation of its fence, as CommonMark has it inside a list item.
- Difference 3: the end of the text ends a line. So a closing fence that is the last thing in a turn closes its block.

Every function takes time and memory linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from selftaught.records import SpanSource

PYTHON = frozenset({"python", "py", "python3", "py3", "ipython", "ipython3"})
"""Languages of blocks that the interpreter runs and the grader takes for programs."""

_MAX_PREFIX = 96
"""Characters before a fence on its line. A longer prefix is no prefix."""
_CODE_INDENT = 4
"""Columns beyond the opening fence from which on a line of backticks is text of the block (CommonMark)."""
_TAB = 4

_MARKS = re.compile(r"(?:[ \t]*(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t])))*[ \t]*")
_RUN = re.compile(r"`{3,}|~{3,}")
_LANGUAGE = re.compile(r"\{?\s*\.?(?:lang(?:uage)?-)?([a-z0-9_+#.\-]*)")


@dataclass(slots=True)
class Block:
    """A fenced block: ``language`` in lower case, ``code`` between the fences, and who wrote which fence."""

    language: str
    opened_by: SpanSource
    code: str = ""
    closed_by: SpanSource | None = None
    """None while it is open, and for one that was never closed: abandoned, or the text ends in it."""
    start: int = 0
    """Characters that were fed before the line of its opening fence."""
    end: int = 0
    """The same, up to the end of the line of its closing fence."""

    @property
    def is_python(self) -> bool:
        """True for a language that the interpreter runs."""
        return self.language in PYTHON

    @property
    def is_runnable(self) -> bool:
        """A Python block that the model closed."""
        return self.is_python and self.closed_by is SpanSource.MODEL


@dataclass(frozen=True, slots=True)
class _Fence:
    """A line that is a fence."""

    character: str
    length: int
    info: str
    indent: int = 0
    """Columns before it, after the quote marks."""
    quotes: int = 0
    """Quote marks before it."""
    listed: bool = False
    """It stands on the line of a list mark."""


class FenceScanner:
    """Feed it text in any pieces; it keeps the open block and the unfinished line."""

    __slots__ = ("_abandoned", "_fence", "_head", "_lines", "_parts", "_position", "block")

    def __init__(self) -> None:
        self.block: Block | None = None
        """The open block, or None in plain text."""
        self._fence: _Fence | None = None
        """The fence that opened it."""
        self._lines: list[str] = []
        self._parts: list[str] = []
        """The unfinished line."""
        self._head = ""
        """Its first characters."""
        self._position = 0
        """Characters fed before the unfinished line."""
        self._abandoned: list[Block] | None = None
        """Blocks that were abandoned, if anybody wants them."""

    def copy(self) -> FenceScanner:
        """An independent copy."""
        twin = FenceScanner()
        twin._fence, twin._head, twin._position = self._fence, self._head, self._position
        twin._lines, twin._parts = list(self._lines), list(self._parts)
        if self.block is not None:
            twin.block = Block(self.block.language, self.block.opened_by, start=self.block.start)
        return twin

    def reset(self) -> None:
        """Forget the open block and the unfinished line: plain text from here."""
        self._position += sum(map(len, self._parts))
        self.block, self._fence, self._lines, self._parts, self._head = None, None, [], [], ""

    def drop(self, num_chars: int) -> None:
        """Take back the last characters of the unfinished line."""
        line = "".join(self._parts)
        line = line[: max(0, len(line) - num_chars)]
        self._parts, self._head = [], ""
        self._add(line)

    @property
    def may_be_fence(self) -> bool:
        """True when the unfinished line could still become a fence."""
        match = _MARKS.match(self._head)
        return match is not None and self._head[match.end() : match.end() + 1] in ("`", "~")

    def open(self, language: str, source: SpanSource) -> None:
        """Begin inside a block whose opening fence, three backticks, stands before the text."""
        self.block, self._fence = Block(language, source, start=self._position), _Fence("`", 3, language)

    def feed(self, text: str, source: SpanSource) -> list[Block]:
        """Take ``text`` from ``source``; return the blocks that closed in it, in order."""
        closed: list[Block] = []
        start = 0
        while (newline := text.find("\n", start)) >= 0:
            self._add(text[start:newline])
            block = self._end_line(source, 1)
            if block is not None:
                closed.append(block)
            start = newline + 1
        self._add(text[start:])
        return closed

    def finish(self, source: SpanSource) -> Block | None:
        """The text ends here, which ends its line: return the block that this closes, if any."""
        return self._end_line(source, 0) if self._parts else None

    def unclosed(self) -> Block | None:
        """The block that is open, with what it holds so far."""
        if self.block is None or self._fence is None:
            return None
        block = self.block
        code = _code([*self._lines, *(["".join(self._parts)] if self._parts else [])], self._fence)
        return Block(block.language, block.opened_by, code, None, block.start, self._position)

    # ---------------------------------------------------------------------------------------------------------- lines

    def _add(self, text: str) -> None:
        if text:
            self._parts.append(text)
            if len(self._head) <= _MAX_PREFIX:
                self._head += text[: _MAX_PREFIX + 1]

    def _end_line(self, source: SpanSource, num_newlines: int) -> Block | None:
        line = self._parts[0] if len(self._parts) == 1 else "".join(self._parts)
        start = self._position
        self._position += len(line) + num_newlines
        self._parts, self._head = [], ""
        block, opening = self.block, self._fence
        fence = _fence(line) if "```" in line or "~~~" in line else None
        if block is None or opening is None:
            if fence is not None:
                self._enter(fence, source, start)
            return None
        if fence is None or not _may_end(fence, opening):
            self._lines.append(line)
            return None
        if fence.info:
            self._enter(fence, source, start)
            return None
        block.code = _code(self._lines, opening)
        block.closed_by, block.end = source, self._position
        self.block, self._fence, self._lines = None, None, []
        return block

    def _enter(self, fence: _Fence, source: SpanSource, start: int) -> None:
        if self._abandoned is not None and self.block is not None and self._fence is not None:
            code = _code(self._lines, self._fence)
            self._abandoned.append(
                Block(self.block.language, self.block.opened_by, code, None, self.block.start, start)
            )
        self.block = Block(language_of(fence.info), source, start=start)
        self._fence, self._lines = fence, []


def blocks(text: str, source: SpanSource = SpanSource.MODEL, *, opened: str | None = None) -> list[Block]:
    """All blocks of a whole text, in order; ``closed_by`` is None for one that is abandoned or that the text ends in.

    With ``opened`` the text begins inside a block of that language, whose opening fence stood before it.
    """
    scanner = FenceScanner()
    abandoned: list[Block] = []
    scanner._abandoned = abandoned
    if opened is not None:
        scanner.open(opened, source)
    found = scanner.feed(text, source)
    last = scanner.finish(source) or scanner.unclosed()
    found += abandoned
    if last is not None:
        found.append(last)
    return sorted(found, key=lambda block: block.start)


def without_blocks(text: str, languages: frozenset[str]) -> str:
    """``text`` without its blocks of ``languages``, closed or not; each leaves an empty line."""
    pieces, position = [], 0
    for block in blocks(text):
        if block.language in languages:
            pieces.append(text[position : block.start])
            position = block.end
    return "\n".join([*pieces, text[position:]])


def without_closed_blocks(text: str) -> str:
    """``text`` without any block that it closes itself."""
    pieces, position = [], 0
    for block in FenceScanner().feed(text, SpanSource.MODEL):
        pieces.append(text[position : block.start])
        position = block.end
    return "".join([*pieces, text[position:]])


def first_fence(text: str) -> tuple[int, bool] | None:
    """Where the line of the first fence begins, and whether it has an info string; None without a fence."""
    for match in _RUN.finditer(text):
        start = text.rfind("\n", 0, match.start()) + 1
        if match.start() - start > _MAX_PREFIX:
            continue
        end = text.find("\n", match.start())
        fence = _fence(text[start : end if end >= 0 else len(text)])
        if fence is not None:
            return start, bool(fence.info)
    return None


def language_of(info: str) -> str:
    """The language that an info string names, in lower case: its first word, without the marks that tools put there."""
    match = _LANGUAGE.match(info.lower())
    return match[1].rstrip(".-") if match is not None else ""


def _fence(line: str) -> _Fence | None:
    """The fence that ``line`` is, or None."""
    marks = _MARKS.match(line, 0, _MAX_PREFIX + 1)
    at = marks.end() if marks is not None else 0
    if at > _MAX_PREFIX or line[at : at + 1] not in ("`", "~"):
        return None
    run = _RUN.match(line, at)
    if run is None:
        return None
    info = line[run.end() :].strip()
    if run[0][0] == "`" and "`" in info:
        return None
    prefix = line[:at]
    quotes = prefix.count(">")
    inner = prefix.rpartition(">")[2].removeprefix(" ") if quotes else prefix
    return _Fence(run[0][0], len(run[0]), info, len(inner.expandtabs(_TAB)), quotes, bool(inner.strip()))


def _may_end(fence: _Fence, opening: _Fence) -> bool:
    """Whether a fence inside a block that ``opening`` began can end it; if not, it is a line of the block."""
    return (
        fence.character == opening.character
        and fence.length >= opening.length
        and fence.indent < opening.indent + _CODE_INDENT
        and fence.quotes <= opening.quotes
        and not fence.listed
    )


def _code(lines: list[str], opening: _Fence) -> str:
    """The text of a block: its lines without quote marks and without the indentation of its fence."""
    if opening.quotes:
        lines = [_unquoted(line, opening.quotes) for line in lines]
    if opening.indent:
        first = next((line for line in lines if line.strip()), "")
        # A block that stands further left than its fence keeps its indentation: Python would not survive half a dedent.
        columns = min(opening.indent, _indent(first))
        lines = [_dedented(line, columns) for line in lines]
    return "".join(f"{line}\n" for line in lines)


def _indent(line: str) -> int:
    return len(line[: len(line) - len(line.lstrip(" \t"))].expandtabs(_TAB))


def _dedented(line: str, columns: int) -> str:
    """``line`` without up to ``columns`` columns of white space at its beginning."""
    body = line.lstrip(" \t")
    return " " * max(0, _indent(line) - columns) + body if len(body) < len(line) else line


def _unquoted(line: str, quotes: int) -> str:
    for _ in range(quotes):
        body = line.lstrip(" \t")
        if not body.startswith(">"):
            return line
        line = body[1:].removeprefix(" ")
    return line
