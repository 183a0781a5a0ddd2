"""``/v1/chat/completions``: the turn on OpenAI's chat wire.

Everything that is no answer (thinking, hints, fences, code, outputs) is reasoning and goes, in order, into both names that
clients know for it: ``reasoning_content`` and ``reasoning``. ``content`` is the answer alone. A stream and an answer in
one piece are made from the same parts, so they hold the same text.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from selftaught.records import StopReason
from selftaught.serve.admission import Ticket
from selftaught.serve.errors import ApiError, invalid, unsupported
from selftaught.serve.messages import chat_of
from selftaught.serve.parts import Answer, Ended, Output, Part, Running, Usage
from selftaught.serve.requests import Asked, Lenient, Sampled, how_to_ask, parse
from selftaught.serve.server import LOG, Server
from selftaught.serve.stopping import StopCutter
from selftaught.serve.turns import Running as Turns
from selftaught.serve.turns import Turn
from selftaught.serve.wire import DONE, KEEP_ALIVE, error_frames, frame

_LENGTH = (StopReason.MAX_TOKENS, StopReason.MAX_TOOL_CALLS, StopReason.REPETITION, StopReason.TIMEOUT)
"""Ends that a limit made, not the model."""
MODEL_MARK: dict[str, Any] = {"kind": "model"}
_BY_MODEL = json.dumps(MODEL_MARK)
MAX_STOPS, MAX_STOP_CHARS = 16, 1_000


class StreamOptions(Lenient):
    """``stream_options``."""

    include_usage: bool = False


class ChatRequest(Sampled):
    """The fields of a request that count."""

    messages: Any = None
    stream_options: StreamOptions = StreamOptions()
    n: int = Field(default=1, ge=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: str | list[str] | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    logit_bias: dict[str, float] | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    response_format: dict[str, Any] | None = None
    modalities: list[str] | None = None
    function_call: str | dict[str, Any] | None = None
    functions: list[dict[str, Any]] | None = None


@dataclass(slots=True)
class Choice:
    """One answer as it comes."""

    stop: StopCutter
    reasoning: list[str] = field(default_factory=list)
    content: list[str] = field(default_factory=list)
    ended: Ended | None = None

    @property
    def finish_reason(self) -> str:
        """``stop`` or ``length``; never ``tool_calls``, since no call is left to the client."""
        cut = self.ended is not None and self.ended.stop in _LENGTH and not self.stop.hit
        return "length" if cut else "stop"


class ChatCall:
    """One request, checked and ready to be answered."""

    def __init__(self, server: Server, body: dict[str, Any], request_id: str = "") -> None:
        self._request_id, self._started, self._has_begun = request_id, time.perf_counter(), False
        request = parse(ChatRequest, body)
        _refuse_what_changes_the_answer(request)
        if request.n > server.options.max_choices:
            raise invalid(f"n is {request.n}; at most {server.options.max_choices} choices are made.", "n")
        stops = [request.stop] if isinstance(request.stop, str) else (request.stop or [])
        if len(stops) > MAX_STOPS or any(len(stop) > MAX_STOP_CHARS for stop in stops):
            raise invalid(f"stop takes at most {MAX_STOPS} texts of at most {MAX_STOP_CHARS} characters.", "stop")
        self._server, self._request = server, request
        self._take_old_functions(request)
        chat = chat_of(request.messages)
        self.asked: Asked = how_to_ask(server.catalog, request, request.max_completion_tokens or request.max_tokens)
        named = (request.metadata or {}).get("problem_id")
        problem_id = named if isinstance(named, str) and 0 < len(named) <= 200 else None
        self._turns: list[Turn] = server.turns(chat, self.asked, request.n, problem_id)
        self._choices = [Choice(StopCutter(stops)) for _ in range(request.n)]
        self._id, self._created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())
        self._head = (
            f'{{"id":"{self._id}","object":"chat.completion.chunk","created":{self._created},'
            f'"model":{json.dumps(self.asked.variant.id)}'
        )

    @property
    def streamed(self) -> bool:
        """Whether the client wants a stream."""
        return bool(self._request.stream)

    @property
    def size(self) -> int:
        """Answers that it makes at once."""
        return len(self._turns)

    # ---------------------------------------------------------------------------------------------------- in one piece

    async def answer(self, ticket: Ticket) -> dict[str, Any]:
        """The whole response. `ApiError` when the model or the sandbox failed."""
        await ticket.turn()
        turns = Turns(self._server.backend, self._turns)
        try:
            while (batch := await turns.batch()) is not None:
                for part in batch.parts:
                    self._take(batch.choice, part)
        finally:
            turns.cancel()
        return {
            "id": self._id,
            "object": "chat.completion",
            "created": self._created,
            "model": self.asked.variant.id,
            "choices": [self._whole(index, choice) for index, choice in enumerate(self._choices)],
            "usage": usage_body(self._usages()),
            "start": self._summary(self._choices),
        }

    def _whole(self, index: int, choice: Choice) -> dict[str, Any]:
        reasoning = "".join(choice.reasoning)
        message = {
            "role": "assistant",
            "content": "".join(choice.content),
            "refusal": None,
            "reasoning_content": reasoning,
            "reasoning": reasoning,
        }
        return {"index": index, "message": message, "logprobs": None, "finish_reason": choice.finish_reason}

    # --------------------------------------------------------------------------------------------------------- streamed

    async def frames(self, ticket: Ticket) -> AsyncGenerator[bytes, None]:
        """The stream, to its end mark. Closing it gives the answer up."""
        silence_s = self._server.options.keep_alive_s
        turns: Turns | None = None
        try:
            yield b"".join(
                self._chunk(index, {"role": "assistant", "content": ""}, self._first_mark())
                for index in range(len(self._choices))
            )
            while not await ticket.turn(silence_s):
                yield KEEP_ALIVE
            turns = Turns(self._server.backend, self._turns)
            while (batch := await turns.batch(silence_s)) is not None:
                written = self._written(batch.choice, batch.parts) if batch.parts else KEEP_ALIVE
                if written:
                    yield written
            if self._request.stream_options.include_usage:
                yield frame(f'{self._head},"choices":[],"usage":{json.dumps(usage_body(self._usages()))}}}')
            yield DONE
        except Exception as error:
            if not isinstance(error, ApiError):
                LOG.exception("a stream failed")
            yield error_frames(error)
        finally:
            if turns is not None:
                turns.cancel()
            ticket.close()

    def _written(self, index: int, parts: Sequence[Part]) -> bytes:
        """Chunks for parts that came together; texts of one writer share a chunk."""
        chunks: list[bytes] = []
        texts: list[str] = []
        mark: dict[str, Any] = {}

        def flush() -> None:
            if texts:
                chunks.append(self._reasoning(index, "".join(texts), mark))
                texts.clear()

        for part in parts:
            content = self._take(index, part)
            if isinstance(part, Answer | Ended | Running):
                flush()
                chunks.extend(self._other(index, part, content))
                continue
            own = _mark_of(part)
            if own != mark:
                flush()
                mark = own
            texts.append(part.text)
            if isinstance(part, Output):
                flush()
                chunks.extend(self._status(f"Python: {part.tool.status.value}", done=True))
        flush()
        return b"".join(chunks)

    def _other(self, index: int, part: Answer | Ended | Running, content: str) -> list[bytes]:
        if isinstance(part, Running):
            return self._status(f"Running Python ({part.call}/{part.max_calls})", done=False)
        chunks = [self._chunk(index, {"content": content})] if content else []
        if isinstance(part, Ended):
            choice = self._choices[index]
            chunks.append(self._chunk(index, {}, self._summary([choice]), choice.finish_reason))
        return chunks

    def _status(self, description: str, done: bool) -> list[bytes]:
        if not self._request.start.events:
            return []
        event = {"type": "status", "data": {"description": description, "done": done}}
        return [frame(f'{self._head},"choices":[],"event":{json.dumps(event)}}}')]

    def _reasoning(self, index: int, text: str, mark: dict[str, Any]) -> bytes:
        quoted = json.dumps(text, ensure_ascii=False)
        return self._raw_chunk(index, f'{{"reasoning_content":{quoted},"reasoning":{quoted}}}', mark)

    def _chunk(
        self, index: int, delta: dict[str, Any], mark: dict[str, Any] | None = None, finish: str | None = None
    ) -> bytes:
        return self._raw_chunk(index, json.dumps(delta, ensure_ascii=False), mark, finish)

    def _raw_chunk(
        self, index: int, delta: str, mark: dict[str, Any] | None = None, finish: str | None = None
    ) -> bytes:
        usage = ',"usage":null' if self._request.stream_options.include_usage else ""
        start = f',"start":{_quoted_mark(mark)}' if mark else ""
        end = json.dumps(finish)
        return frame(
            f'{self._head},"choices":[{{"index":{index},"delta":{delta},"logprobs":null,"finish_reason":{end}}}]'
            f"{usage}{start}}}"
        )

    # ------------------------------------------------------------------------------------------------------------- both

    def _take(self, index: int, part: Part) -> str:
        """Note a part; returns what it adds to the content."""
        choice = self._choices[index]
        content = ""
        if not self._has_begun:
            self._has_begun = True
            self._server.metrics.first_token(self.asked.variant.id, time.perf_counter() - self._started)
        if isinstance(part, Answer):
            content = choice.stop.feed(part.text)
        elif isinstance(part, Ended):
            choice.ended = part
            content = choice.stop.finish()
            self._server.count(self.asked, part, self._request_id)
        elif not isinstance(part, Running):
            choice.reasoning.append(part.text)
        if content:
            choice.content.append(content)
        return content

    def _usages(self) -> list[Usage]:
        return [choice.ended.usage for choice in self._choices if choice.ended is not None]

    def _first_mark(self) -> dict[str, Any] | None:
        return {"ignored_tools": list(self.asked.ignored_tools)} if self.asked.ignored_tools else None

    def _summary(self, choices: Sequence[Choice]) -> dict[str, Any]:
        """How the answers came about: why each ended, and what was put into them."""
        ended = [choice.ended for choice in choices if choice.ended is not None]
        usages = [one.usage for one in ended]
        hints = [hint.id for one in ended for hint in one.trajectory.hints()]
        summary: dict[str, Any] = {
            "stop": ended[0].stop.value if len(ended) == 1 else [one.stop.value for one in ended],
            "tool_calls": sum(usage.num_calls for usage in usages),
            "tool_seconds": round(sum(usage.tool_s for usage in usages), 3),
            "hints": hints,
            "hint_tokens": sum(usage.hint_tokens for usage in usages),
            "tool_output_tokens": sum(usage.tool_tokens for usage in usages),
        }
        return {**summary, **(self._first_mark() or {})}

    def _take_old_functions(self, request: ChatRequest) -> None:
        """``functions`` and ``function_call`` are the older names of ``tools`` and ``tool_choice``."""
        if request.functions:
            request.tools = [*(request.tools or []), *({"type": "function", "function": f} for f in request.functions)]
        if request.function_call is not None and request.tool_choice is None:
            call = request.function_call
            request.tool_choice = call if isinstance(call, str) else {"type": "function", "function": call}


def usage_body(usages: Sequence[Usage]) -> dict[str, Any]:
    """``usage``: the prompt counts once, what was put in or sampled counts for each choice."""
    prompt = usages[0].prompt_tokens if usages else 0
    inserted = sum(usage.hint_tokens + usage.tool_tokens for usage in usages)
    output = sum(usage.output_tokens for usage in usages)
    return {
        "prompt_tokens": prompt + inserted,
        "completion_tokens": output,
        "total_tokens": prompt + inserted + output,
        "completion_tokens_details": {"reasoning_tokens": sum(usage.reasoning_tokens for usage in usages)},
    }


def _mark_of(part: Part) -> dict[str, Any]:
    """Who wrote a part."""
    if isinstance(part, Output):
        return {"kind": "output", "call": part.call}
    who = getattr(part, "who", "model")
    hint_id = getattr(part, "hint_id", None)
    if who == "model":
        return MODEL_MARK
    return {"kind": who, "hint_id": hint_id} if hint_id else {"kind": who}


def _quoted_mark(mark: dict[str, Any]) -> str:
    return _BY_MODEL if mark is MODEL_MARK else json.dumps(mark)


def _refuse_what_changes_the_answer(request: ChatRequest) -> None:
    if request.logprobs or request.top_logprobs:
        raise unsupported("logprobs", "log probabilities are not given; leave logprobs and top_logprobs out.")
    form = (request.response_format or {}).get("type", "text")
    if form != "text":
        raise unsupported("response_format", f"response_format {str(form)[:60]!r} is not supported; only text is.")
    if request.logit_bias:
        raise unsupported("logit_bias", "logit_bias is not supported; leave it out.")
    for name in ("presence_penalty", "frequency_penalty"):
        if getattr(request, name):
            raise unsupported(name, f"{name} is not supported; leave it out, or at 0.")
    if request.modalities and set(request.modalities) - {"text"}:
        raise unsupported("modalities", "only the modality text is supported.")
