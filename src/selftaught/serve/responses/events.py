"""From the parts of a turn to the events of a Responses stream: pure, and the answer in one piece comes from the same.

Each stretch of thinking is a reasoning item of its own. A block is a ``code_interpreter_call`` from its first character
on; one that is then not run ends as ``incomplete``. A block that cannot be run, because no calls are left or tools are
off, is thinking like any other. The message is always last, and there even if it is empty: Open WebUI would run a block
that is the last item. Every item is closed before the response is, whatever ends the turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from selftaught.records import StopReason
from selftaught.serve.errors import ApiError
from selftaught.serve.parts import (
    Answer,
    CodeDelta,
    CodeEnded,
    CodeStarted,
    Ended,
    Output,
    Part,
    Printed,
    Reasoning,
    Running,
    Usage,
)
from selftaught.serve.responses.items import CodeItem, TextItem

Event = dict[str, Any]

_FAILED = (StopReason.ENGINE_ERROR, StopReason.SANDBOX_ERROR)


class EventBuilder:
    """Takes the parts of one turn in order and gives the events of each.

    ``response`` is the response object without output; it is the answer in one piece once the turn is over. ``images``
    gives the figures of a call by its number, ``marks`` our own marks of it.
    """

    def __init__(
        self,
        response: dict[str, Any],
        *,
        container_id: str = "",
        max_calls: int = 0,
        timeout_s: float = 0.0,
        dialect: str = "",
        images: Callable[[int], tuple[bytes, ...]] = lambda call: (),
        marks: Callable[[int], dict[str, Any]] = lambda call: {},
    ) -> None:
        self.response = response
        self._container_id, self._max_calls, self._timeout_s = container_id, max_calls, timeout_s
        self._dialect, self._images, self._marks = dialect, images, marks
        self._number = 0
        self._output: list[dict[str, Any]] = []
        self._text: TextItem | None = None
        """The open reasoning item or message."""
        self._code: CodeItem | None = None
        """The open call."""
        self._code_ended = False
        self._blank: list[tuple[str, dict[str, Any] | None]] = []
        """White space that nothing but white space has followed so far: no item begins with it."""
        self.ended: Ended | None = None

    # ---------------------------------------------------------------------------------------------------------- turns

    def begin(self) -> list[Event]:
        """The first two events."""
        return [self._event(f"response.{name}", response=self._snapshot()) for name in ("created", "in_progress")]

    def take(self, part: Part) -> list[Event]:
        """The events of one part."""
        if isinstance(part, Reasoning):
            return self._reason(part.text, _who(part))
        if isinstance(part, CodeStarted):
            return self._start_code(part)
        if isinstance(part, CodeDelta):
            return self._add_code(part.code) if self._code else self._reason(part.text)
        if isinstance(part, CodeEnded):
            return self._end_code(part)
        if isinstance(part, Running):
            return self._run(part)
        if isinstance(part, Printed):
            return self._print(part.text)
        if isinstance(part, Output):
            return self._show(part)
        if isinstance(part, Answer):
            return self._answer(part.text)
        return self._end(part)

    def fail(self, error: ApiError) -> list[Event]:
        """The turn has broken off by an error of ours."""
        self.response["error"] = {"code": "server_error", "message": error.message}
        return [*self._close("incomplete"), *self._finish("failed")]

    # ------------------------------------------------------------------------------------------------------ reasoning

    def _reason(self, text: str, start: dict[str, Any] | None = None) -> list[Event]:
        events = self._drop_code()
        if self._text is None:
            self._blank.append((text, start))
            if not text.strip():
                return events
            events += self._open_text(TextItem(is_message=False))
            pieces, self._blank = self._blank, []
            return [*events, *(event for piece, mark in pieces for event in self._delta(piece, mark))]
        return [*events, *self._delta(text, start)]

    def _answer(self, text: str) -> list[Event]:
        events: list[Event] = []
        if self._text is None or not self._text.is_message:
            events = [*self._drop_code(), *self._close_text("completed"), *self._open_text(TextItem(is_message=True))]
        return [*events, *self._delta(text)]

    def _open_text(self, item: TextItem) -> list[Event]:
        self._text = item
        added = self._event("response.output_item.added", output_index=len(self._output), item=item.item())
        return [added, self._event("response.content_part.added", **self._place(item), part=item.part(""))]

    def _delta(self, text: str, start: dict[str, Any] | None = None) -> list[Event]:
        item = self._text
        if item is None or not text:
            return []
        item.text.append(text)
        if item.is_message:
            return [self._event("response.output_text.delta", **self._place(item), delta=text, logprobs=[])]
        marks = {"start": start} if start else {}
        return [self._event("response.reasoning_text.delta", **self._place(item), delta=text, **marks)]

    def _close_text(self, status: str) -> list[Event]:
        item, self._text = self._text, None
        self._blank = []
        if item is None:
            return []
        item.status = status
        text, place = item.whole, self._place(item)
        done = (
            self._event("response.output_text.done", **place, text=text, logprobs=[])
            if item.is_message
            else self._event("response.reasoning_text.done", **place, text=text)
        )
        return [done, self._event("response.content_part.done", **place, part=item.part(text)), self._done(item.item())]

    def _place(self, item: TextItem) -> dict[str, Any]:
        return {"output_index": len(self._output), "item_id": item.id, "content_index": 0}

    # ----------------------------------------------------------------------------------------------------------- code

    def _start_code(self, part: CodeStarted) -> list[Event]:
        if part.call > self._max_calls:
            return self._reason(part.text, _who(part))
        item = self._code = CodeItem(self._container_id, self._dialect)
        if part.who != "model":
            item.start = _who(part)
        self._code_ended = False
        closed = self._close_text("completed")
        added = self._event("response.output_item.added", output_index=len(self._output), item=item.item())
        return [*closed, added, *self._official("response.code_interpreter_call.in_progress", item)]

    def _add_code(self, code: str) -> list[Event]:
        item = self._code
        if item is None or not code:
            return []
        item.code += code
        return [self._call_event("response.code_interpreter_call_code.delta", item, delta=code)]

    def _end_code(self, part: CodeEnded) -> list[Event]:
        item = self._code
        if item is None:
            return self._reason(part.text)
        events: list[Event] = []
        if part.code.startswith(item.code):  # the rest: all of it where the block stands behind marks
            events = self._add_code(part.code[len(item.code) :])
        item.code = part.code
        if not part.closed:
            return [*events, *self._drop_code()]
        self._code_ended = True
        return [*events, *self._official("response.code_interpreter_call_code.done", item, code=item.code)]

    def _run(self, part: Running) -> list[Event]:
        events: list[Event] = []
        if self._code is None:  # run without having been seen as a block: it still is a call
            start = CodeStarted("", part.call)
            self._max_calls = max(self._max_calls, part.call)
            events = [*self._start_code(start), *self._end_code(CodeEnded("", part.code, part.call))]
        item = self._code
        assert item is not None, "a call is open now"
        item.status = "interpreting"
        return [*events, *self._official("response.code_interpreter_call.interpreting", item)]

    def _print(self, text: str) -> list[Event]:
        """A piece of what the running code prints, for clients that asked for such events."""
        item = self._code
        if item is None or not text:
            return []
        return [self._event("start.code_output.delta", item_id=item.id, stream="stdout", delta=text)]

    def _show(self, part: Output) -> list[Event]:
        item, self._code = self._code, None
        if item is None:
            return []
        item.finish(part.tool, self._images(part.call), self._timeout_s)
        marks = self._marks(part.call)
        if marks:
            item.start = {**(item.start or {}), **marks}
        return [*self._official("response.code_interpreter_call.completed", item), self._done(item.item())]

    def _drop_code(self) -> list[Event]:
        """End the open call, which is not run."""
        item, self._code = self._code, None
        if item is None:
            return []
        item.give_up()
        done = (
            [] if self._code_ended else self._official("response.code_interpreter_call_code.done", item, code=item.code)
        )
        return [*done, self._done(item.item())]

    def _official(self, kind: str, item: CodeItem, **fields: Any) -> list[Event]:
        """An event that the dialect of Open WebUI does without."""
        return [] if self._dialect else [self._call_event(kind, item, **fields)]

    def _call_event(self, kind: str, item: CodeItem, **fields: Any) -> Event:
        return self._event(kind, output_index=len(self._output), item_id=item.id, **fields)

    # -------------------------------------------------------------------------------------------------------- the end

    def _end(self, part: Ended) -> list[Event]:
        self.ended = part
        status, details = outcome_of(part.stop)
        response = self.response
        response["usage"] = usage_of(part.usage)
        response["incomplete_details"] = details
        response["start"] = {**(response.get("start") or {}), **summary_of(part)}
        if part.stop in _FAILED:
            response["error"] = {"code": "server_error", "message": part.error or "the turn failed."}
        return [*self._close("completed" if status == "completed" else "incomplete"), *self._finish(status)]

    def _close(self, status: str) -> list[Event]:
        """Close what is open, and the message, which is there even if nothing was answered."""
        events = self._drop_code()
        if self._text is None or not self._text.is_message:
            events += [*self._close_text(status), *self._open_text(TextItem(is_message=True))]
        return [*events, *self._close_text(status)]

    def _finish(self, status: str) -> list[Event]:
        self.response["status"] = status
        if status == "completed":
            self.response["completed_at"] = int(time.time())
        self.response["output"] = self._output
        return [self._event(f"response.{status}", response=dict(self.response))]

    # ------------------------------------------------------------------------------------------------------ internals

    def _done(self, item: dict[str, Any]) -> Event:
        event = self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        return event

    def _snapshot(self) -> dict[str, Any]:
        return {**self.response, "output": list(self._output)}

    def _event(self, kind: str, **fields: Any) -> Event:
        event = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return event


def _who(part: Reasoning | CodeStarted) -> dict[str, Any] | None:
    """Who wrote a text, where it was not the model."""
    if part.who == "model":
        return None
    return {"kind": part.who, **({"hint_id": part.hint_id} if part.hint_id else {})}


def outcome_of(stop: StopReason) -> tuple[str, dict[str, Any] | None]:
    """Status and ``incomplete_details`` of a response.

    A turn that the model ended itself is complete, also inside its thinking, as in a chat. OpenAI has one reason that fits
    a limit, and clients stumble over null (Codex 0.171 asks again, and again); ``start.stop`` has ours.
    """
    if stop in (StopReason.ANSWERED, StopReason.ENDED_IN_THINKING):
        return "completed", None
    if stop in _FAILED:
        return "failed", None
    return "incomplete", {"reason": "max_output_tokens"}


def summary_of(ended: Ended) -> dict[str, Any]:
    """How an answer came about, as in a chat: why it ended, and what was put into it."""
    usage = ended.usage
    return {
        "stop": ended.stop.value,
        "tool_calls": usage.num_calls,
        "tool_seconds": round(usage.tool_s, 3),
        "hints": [hint.id for hint in ended.trajectory.hints()],
        "hint_tokens": usage.hint_tokens,
        "tool_output_tokens": usage.tool_tokens,
    }


def usage_of(usage: Usage) -> dict[str, Any]:
    """Usage in the words of the Responses API: what hints and tools put in is input."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }
