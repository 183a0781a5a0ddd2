"""Shows one trajectory while it comes into being: thinking, hints, code, output, answer.

On a terminal, thinking is dim, a hint stands in its own colour with its name and reason, code is highlighted line by
line as it is completed, output is framed by a rule with its seconds, the answer is plain. Without a terminal the same
text comes without any of it, so that a pipe gets exactly what the model saw, with hints and outputs marked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from selftaught.records import ExecStatus, HintInfo, ToolInfo
from selftaught.rollouts.pieces import Event, Piece

if TYPE_CHECKING:
    from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HINT_STYLE, THINK_STYLE, NOTICE_STYLE, CODE_STYLE = "magenta", "dim", "yellow", "blue"


class Screen:
    """Takes `Piece`s and prints them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._line = ""
        """A line that is held back: it may be a fence, or it is code."""
        self._in_code = False
        self._column = 0
        self._answering = False
        self._hint: HintInfo | None = None
        """The hint that was begun last."""
        self._begun = False
        """The question was shown, and nothing after it."""

    def __call__(self, event: Event) -> None:
        """Print one piece."""
        if not isinstance(event, Piece) or event.is_control:
            return
        if self._begun:
            self._begun = False
            self._rule("thinking", "dim")
        if event.tool is not None:
            self._flush()
            self._output(event.tool)
            return
        text = event.text
        if event.hint is not None:
            if event.hint is not self._hint:
                self._flush()
                self._rule(f"hint {event.hint.id} · {event.hint.reason}", HINT_STYLE)
            self._hint = event.hint
            self._say(text, HINT_STYLE)
            return
        if event.where == "answer" and not self._answering:
            self._flush()
            self._answering = True
            self._rule("answer", "green")
            text = text.lstrip("\n")
        style = "" if event.where == "answer" else NOTICE_STYLE if event.where == "notice" else THINK_STYLE
        self._say(text, style)

    def begin(self, title: str, question: str) -> None:
        """Print who is asked, and what."""
        self._rule(title, "blue")
        self._put(question.strip() + "\n", "")
        self._begun = True

    def finish(self, line: str) -> None:
        """Print what is held back, and a last line."""
        self._flush()
        self._rule(line, "")

    # ------------------------------------------------------------------------------------------------------ internals

    def _say(self, text: str, style: str) -> None:
        *lines, rest = text.split("\n")
        for line in lines:
            self._end_line(self._line + line, style)
            self._line = ""
        self._line += rest
        if self._line and not self._in_code and not self._line.lstrip().startswith("`"):
            self._put(self._line, style)
            self._line = ""

    def _end_line(self, line: str, style: str) -> None:
        fence = line.strip()
        if self._in_code:
            if fence == "```":
                self._leave_code()
            else:
                self._code(line)
        elif fence.startswith("```") and fence[3:].lower() in ("python", "py"):
            self._in_code = True
            if self._column:
                self._put("\n", style)
            if self._console.is_terminal:
                self._rule("python", CODE_STYLE)
        else:
            self._put(line + "\n", style)

    def _code(self, line: str) -> None:
        from rich.syntax import Syntax

        if self._console.is_terminal:
            self._console.print(Syntax(line or " ", "python", background_color="default", word_wrap=True))
        else:
            self._console.print(f"    {line}", style="", markup=False, highlight=False, soft_wrap=True)
        self._column = 0

    def _output(self, tool: ToolInfo) -> None:
        ok = tool.status is ExecStatus.OK
        cached = ", from the cache" if tool.cached else ""
        self._rule(f"output · {tool.status.value} · {tool.wall_s:.2f} s{cached}", "cyan" if ok else "red")
        self._put((tool.output.rstrip("\n") or "(nothing printed)") + "\n", "cyan" if ok else "red")
        self._rule("", "cyan" if ok else "red")

    def _leave_code(self) -> None:
        self._in_code = False
        if self._console.is_terminal:
            self._rule("", CODE_STYLE)

    def _flush(self) -> None:
        """Print a line that was held back. A closing fence with no line end behind it (the last token) is one, too."""
        if self._in_code and self._line.strip() not in ("", "```"):
            self._code(self._line)
        elif self._line and not self._in_code:
            self._put(self._line, "" if self._answering else THINK_STYLE)
        self._line = ""
        if self._in_code:
            self._leave_code()

    def _rule(self, title: str, style: str) -> None:
        if self._column:
            self._put("\n", "")
        if self._console.is_terminal:
            from rich.text import Text

            style = style or "dim"
            self._console.rule(Text(title, style=style), align="left", style=style, characters="─")
        elif title:
            self._console.print(f"[{title}]", markup=False, highlight=False, soft_wrap=True)

    def _put(self, text: str, style: str) -> None:
        text = _CONTROL.sub("\ufffd", text)  # what a model writes must not drive the terminal
        self._console.print(text, style=style or None, end="", markup=False, highlight=False, soft_wrap=True)
        self._column = 0 if text.endswith("\n") else 1
