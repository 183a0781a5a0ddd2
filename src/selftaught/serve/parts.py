"""What one turn gives, in order: typed parts that know nothing of the wire.

``text`` is what a part adds to the turn as the model saw it, so the texts of all parts but `Answer` and `Ended`, joined, are
the reasoning of a chat, with hints, fences and outputs. A dialect that has items for code takes ``code`` and ``tool``
instead. A part is final: nothing that follows changes it or belongs before it.

Order: `Reasoning` and code in any number, `Running` only after the `CodeEnded` of its call, `Output` next after it; then
`Answer` in any number; `Ended` last, once, unless the turn failed by an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from selftaught.records import SpanSource, StopReason, ToolInfo, Trajectory
from selftaught.rollouts.thinking import thinking_is_over
from selftaught.tokens.codec import Codec

Writer = Literal["model", "hint", "output"]
"""Who wrote a text: the model, the hint policy, or the runner (tool output, the notice that no calls are left)."""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Thinking outside code."""

    text: str
    who: Writer = "model"
    hint_id: str | None = None


@dataclass(frozen=True, slots=True)
class CodeStarted:
    """A Python block begins; ``text`` is the line of its fence. ``call`` is the number of the call that it will be, from
    1, if it is run. A hint may have written the fence."""

    text: str
    call: int
    who: Writer = "model"
    hint_id: str | None = None


@dataclass(frozen=True, slots=True)
class CodeDelta:
    """More of the block. ``code`` is what it adds to the program: mostly ``text``, and empty where the fence stands behind
    blanks or marks, whose program comes with `CodeEnded` alone."""

    text: str
    code: str
    call: int


@dataclass(frozen=True, slots=True)
class CodeEnded:
    """The block is over. ``closed`` is false where the model gave it up or the turn ended in it; then it is not run. A
    closed one is run if `Running` follows. ``code`` is the whole program."""

    text: str
    code: str
    call: int
    closed: bool = True


@dataclass(frozen=True, slots=True)
class Running:
    """The interpreter has begun to run call ``call`` of at most ``max_calls``, for at most ``timeout_s`` seconds."""

    code: str
    call: int
    max_calls: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Printed:
    """Something that the running code has printed, for those who asked to see it (`Turn.prints`). `Output` has it all."""

    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """What the call gave; ``text`` is the output block that the model saw."""

    text: str
    tool: ToolInfo
    call: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Text of the answer, without the blank lines in front of it."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a turn. What hints and tools put in is input: the model read it and did not write it."""

    prompt_tokens: int
    hint_tokens: int
    tool_tokens: int
    """Of output blocks and notices."""
    output_tokens: int
    """Sampled, those that were taken back included."""
    reasoning_tokens: int
    """Of the sampled ones, those before the answer."""
    num_calls: int
    tool_s: float

    @property
    def input_tokens(self) -> int:
        """Everything that the model read and did not write."""
        return self.prompt_tokens + self.hint_tokens + self.tool_tokens

    @property
    def total_tokens(self) -> int:
        """Both."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Ended:
    """The turn is over."""

    stop: StopReason
    usage: Usage
    trajectory: Trajectory
    error: str | None = None


Part = Reasoning | CodeStarted | CodeDelta | CodeEnded | Running | Printed | Output | Answer | Ended


def usage_of(trajectory: Trajectory, codec: Codec, think_tags: bool) -> Usage:
    """Usage from the ledger of a trajectory."""
    output = trajectory.num_tokens(SpanSource.MODEL) + trajectory.num_taken_back()
    calls = trajectory.tool_calls()
    return Usage(
        prompt_tokens=trajectory.num_tokens(SpanSource.PROMPT),
        hint_tokens=trajectory.num_tokens(SpanSource.HINT),
        tool_tokens=trajectory.num_tokens(SpanSource.TOOL) + trajectory.num_tokens(SpanSource.CONTROL),
        output_tokens=output,
        reasoning_tokens=output - _num_answer_tokens(trajectory, codec, think_tags),
        num_calls=len(calls),
        tool_s=round(sum(call.wall_s for call in calls), 4),
    )


def _num_answer_tokens(trajectory: Trajectory, codec: Codec, think_tags: bool) -> int:
    """Sampled tokens of the answer: after ``</think>``, or without tags after the last output or notice."""
    prompt, *spans = trajectory.spans
    if think_tags:
        drawn = [token_id for span in spans if span.source is SpanSource.MODEL for token_id in span.token_ids]
        if thinking_is_over(prompt.token_ids, codec):
            return len(drawn)
        close = codec.think_close_id
        return len(drawn) - drawn.index(close) - 1 if close is not None and close in drawn else 0
    count = 0
    for span in spans:
        if span.source in (SpanSource.TOOL, SpanSource.CONTROL):
            count = 0
        elif span.source is SpanSource.MODEL:
            count += len(span.token_ids)
    return count
