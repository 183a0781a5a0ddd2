"""From a rollout's pieces to the parts of a turn: what is reasoning and what is the answer.

With think tags that is plain: the answer comes after ``</think>``. Without them, the text up to the last tool output is
reasoning and the rest is the answer; a turn without a call is the answer as a whole. So there a stretch of text is held
back until it is known: when its code is run, it is given out as reasoning, and when the turn ends, as the answer. Where
no call can follow any more (tools off, the last call used), it is the answer and comes as it is written. What was given
out never changes, so a stream and an answer in one piece are the same text.
"""

from __future__ import annotations

from collections.abc import Callable

from selftaught.rollouts.pieces import Event, Piece
from selftaught.rollouts.pieces import Running as Began
from selftaught.rollouts.settings import RolloutSettings
from selftaught.serve.parts import Answer, CodeDelta, CodeEnded, CodeStarted, Output, Part, Reasoning, Running, Writer


class Sorter:
    """Takes the events of one rollout, gives parts to ``give``. A `Watcher`."""

    def __init__(self, settings: RolloutSettings, think_tags: bool, give: Callable[[Part], None]) -> None:
        self._tools, self._think_tags, self._give = settings.tools, think_tags, give
        self._num_calls = 0
        self._held: list[Part] = []
        """Parts that may be reasoning or the answer."""
        self._code = ""
        """Of the open block, so far."""
        self._answered = False
        """Some of the answer that is no blank was given."""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Began):
            self._release()
            self._num_calls = event.number
            tools = self._tools
            self._give(Running(event.code, event.number, tools.max_tool_calls, tools.tool_timeout_s))
            return
        if event.is_control:
            return
        if event.where == "answer":
            self._answer(event.text)
            return
        part = self._part(event)
        if self._think_tags:
            self._give(part)
        elif isinstance(part, Output) or event.where == "notice":
            self._release()
            self._give(part)
        elif self._calls_are_over and not self._held:
            self._answer(event.text)
        else:
            self._held.append(part)

    def finish(self) -> None:
        """The turn is over: what is held is the answer."""
        held, self._held = self._held, []
        for part in held:
            self._answer(_text_of(part))

    @property
    def _calls_are_over(self) -> bool:
        return not self._tools.enabled or self._num_calls >= self._tools.max_tool_calls

    def _release(self) -> None:
        """What is held is reasoning."""
        held, self._held = self._held, []
        for part in held:
            self._give(part)

    def _answer(self, text: str) -> None:
        if not self._answered:
            text = text.lstrip("\r\n")
        if text:
            self._answered = True
            self._give(Answer(text))

    def _part(self, piece: Piece) -> Part:
        who: Writer = "hint" if piece.hint is not None else "model"
        hint_id = piece.hint.id if piece.hint is not None else None
        call = self._num_calls + 1
        if piece.tool is not None:
            return Output(piece.text, piece.tool, self._num_calls)
        if piece.where == "notice":
            return Reasoning(piece.text, "output")
        if piece.step == "open":
            self._code = ""
            return CodeStarted(piece.text, call, who, hint_id)
        if piece.step == "code":
            self._code += piece.code
            return CodeDelta(piece.text, piece.code, call)
        if piece.step == "close":
            return CodeEnded(piece.text, piece.code, call)
        if piece.step == "drop":
            return CodeEnded(piece.text, self._code, call, closed=False)
        return Reasoning(piece.text, who, hint_id)


def _text_of(part: Part) -> str:
    text: str = getattr(part, "text", "")
    return text
