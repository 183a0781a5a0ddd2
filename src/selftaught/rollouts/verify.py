"""Proves the token ledger of a run: `verify_run` checks every trajectory, by itself and against the tokenizer.

It shares no code with the state machine's bookkeeping, so that a mistake there cannot hide itself here. What it proves
of each trajectory:

- the spans begin with the prompt, and each span's text is what its ids decode to;
- what was inserted (hint, tool output, notice) has the ids of its text encoded alone;
- what a hint or a call took back fits its place: before an end-of-thinking hint, or a call of the last block, the one
  token that ended the thinking or the turn; before a hint that replaces a line, a part of one line; before a hint against
  going round in circles, what the model said again; elsewhere nothing;
- every tool call ran exactly the code of a block that the model closed in its thinking right before it, and its text is
  its output in an output block; no block was run after the thinking or twice;
- scores stand on sampled tokens only, one a token, within their bounds;
- end tokens stand at the end only, and the stop reason fits the last tokens; rounds and ids are unique.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from selftaught.errors import shorten
from selftaught.records import HintPosition, Span, SpanSource, StopReason, TokenScores, Trajectory
from selftaught.runs.found import rollout_at, tokenizer_of
from selftaught.store import read_jsonl
from selftaught.tokens.codec import Codec
from selftaught.tokens.fences import Block, FenceScanner
from selftaught.tokens.folder import tokenizer_folder


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first thing that does not hold in a trajectory."""

    trajectory_id: str
    span: int
    problem: str

    def __str__(self) -> str:
        return f"{self.trajectory_id}: span {self.span}: {self.problem}"


def verify_run(run: Path, codec: Codec | None = None) -> Iterator[Mismatch | None]:
    """Check every trajectory of a rollout folder (or one file); yield a `Mismatch` or None for each.

    The tokenizer is that of the model that the folder names unless ``codec`` is given.
    """
    file = run if run.is_file() else rollout_at(run).folder.trajectories
    if codec is None:
        codec = _codec_of(tokenizer_of(rollout_at(run)))
    seen: set[str] = set()
    for trajectory in read_jsonl(file, Trajectory):
        if trajectory.id in seen:
            yield Mismatch(trajectory.id, 0, "this id occurs twice")
            continue
        seen.add(trajectory.id)
        yield verify_trajectory(trajectory, codec)


@lru_cache(maxsize=4)
def _codec_of(model: str) -> Codec:
    """The codec of a model; the rollouts of one run mostly share it."""
    return Codec(tokenizer_folder(model))


def verify_trajectory(trajectory: Trajectory, codec: Codec) -> Mismatch | None:
    """The first thing that does not hold, or None."""
    checker = _Checker(trajectory, codec)
    for index, span in enumerate(trajectory.spans):
        problem = checker.check(index, span)
        if problem is not None:
            return Mismatch(trajectory.id, index, problem)
    problem = checker.check_end()
    return Mismatch(trajectory.id, len(trajectory.spans) - 1, problem) if problem is not None else None


class _Checker:
    """Walks the spans of one trajectory."""

    def __init__(self, trajectory: Trajectory, codec: Codec) -> None:
        self.trajectory, self.codec = trajectory, codec
        self.scanner = FenceScanner()
        self.closed: Block | None = None
        """A runnable block that the last model span ended with."""
        self.in_answer = False
        self.ended = False
        self.last_model: list[int] = []

    def check(self, index: int, span: Span) -> str | None:
        """Check one span."""
        if (index == 0) != (span.source is SpanSource.PROMPT):
            return f"source is {span.source.value}; the prompt stands first and only there"
        if self.ended:
            return "stands after an end token"
        if self.trajectory.text_only:
            return None
        bad = [token_id for token_id in span.token_ids if not 0 <= token_id < self.codec.vocab_size]
        if bad:
            return f"id {bad[0]} is not in the vocabulary of {self.codec.vocab_size}"
        decoded = self.codec.decode(span.token_ids)
        if decoded != span.text:
            return f"text is {_quoted(span.text)}, the ids decode to {_quoted(decoded)}"
        if span.scores is not None and (wrong := _check_scores(span, span.scores)):
            return wrong
        if span.source is SpanSource.PROMPT:
            self._enter_prompt(span)
            return None
        if span.source is SpanSource.MODEL:
            return self._check_model(span)
        return self._check_inserted(span)

    def check_end(self) -> str | None:
        """Check the stop reason against the last tokens."""
        reason, last = self.trajectory.stop_reason, self.last_model[-1:] or [-1]
        is_end = last[0] in self.codec.end_ids
        if reason in (StopReason.ANSWERED, StopReason.ENDED_IN_THINKING) and not is_end:
            return f"stop_reason is {reason.value}, but the last token is no end token"
        if is_end and reason not in (StopReason.ANSWERED, StopReason.ENDED_IN_THINKING):
            return f"the last token is an end token, but stop_reason is {reason.value}"
        if reason is StopReason.ENDED_IN_THINKING and self.in_answer:
            return "stop_reason is ended_in_thinking, but the thinking was closed"
        return None

    def _enter_prompt(self, span: Span) -> None:
        codec = self.codec
        for token_id in reversed(span.token_ids[-32:]):
            if token_id in (codec.think_open_id, codec.think_close_id):
                self.in_answer = token_id == codec.think_close_id
                return

    def _check_model(self, span: Span) -> str | None:
        if not span.token_ids:
            return "a model span is empty"
        self.last_model = span.token_ids
        ends = [at for at, token_id in enumerate(span.token_ids) if token_id in self.codec.end_ids]
        if ends and ends[0] != len(span.token_ids) - 1:
            return f"an end token stands at {ends[0]} of {len(span.token_ids)}"
        self.ended = bool(ends)
        self.closed = None
        if self.in_answer:
            return None
        thinking = span.token_ids
        if self.codec.think_close_id is not None and self.codec.think_close_id in thinking:
            thinking = thinking[: thinking.index(self.codec.think_close_id)]
            self.in_answer = True
        blocks = self.scanner.feed(self.codec.decode(thinking), SpanSource.MODEL)
        if blocks and blocks[-1].is_runnable and not self.in_answer:
            self.closed = blocks[-1]
        return None

    def _check_inserted(self, span: Span) -> str | None:
        if self.in_answer:
            return f"a {span.source.value} span stands after the thinking"
        if self.codec.encode(span.text) != span.token_ids:
            return f"the ids are not those of its text encoded alone ({_quoted(span.text)})"
        before, self.last_model = self.last_model, []
        taken_back = _taken_back(span)
        if taken_back and taken_back[0] in self._endings():
            # The end of the thinking, had it stayed, would have ended the model's line.
            block = self.scanner.finish(SpanSource.MODEL)
            if block is not None:
                self.closed = block if block.is_runnable else None
        closed, self.closed = self.closed, None
        if span.source is SpanSource.TOOL:
            return self._check_tool(span, closed)
        if span.source is SpanSource.HINT:
            return self._check_hint(span, before)
        self.scanner.reset()
        return None

    def _endings(self) -> set[int]:
        think_close = self.codec.think_close_id
        return {*self.codec.end_ids, *([think_close] if think_close is not None else [])}

    def _check_hint(self, span: Span, before: list[int]) -> str | None:
        if span.hint is None:
            return "a hint span without its hint"
        position, taken_back = span.hint.position, span.hint.discarded_ids
        if position in (HintPosition.END_OF_THINKING, HintPosition.BEFORE_FINAL):
            if len(taken_back) != 1 or taken_back[0] not in self._endings():
                return f"an end-of-thinking hint discarded {taken_back}; expected the token that ended it"
        elif position is HintPosition.BEFORE_LINE:
            begun = b"".join(self.codec.token_bytes[token_id] for token_id in taken_back)
            if b"\n" in begun or self._endings() & set(taken_back):
                return f"a hint before a line discarded {_quoted(self.codec.decode(taken_back))}; expected a part of one line"
        elif position is HintPosition.REPETITION:
            if not _repeats(before, taken_back):
                return f"a hint against repetition discarded {_quoted(self.codec.decode(taken_back))}; expected a repetition"
        elif taken_back:
            return f"a hint at {position.value} discarded {taken_back}"
        self.scanner.feed(span.text, SpanSource.HINT)
        return None

    def _check_tool(self, span: Span, closed: Block | None) -> str | None:
        if span.tool is None:
            return "a tool span without its call"
        if closed is None:
            return "a call that follows no closed block of the model's"
        if closed.code != span.tool.code:
            return f"ran {_quoted(span.tool.code)}, the block before it is {_quoted(closed.code)}"
        text = span.text
        if span.tool.discarded_ids is not None:
            if len(span.tool.discarded_ids) != 1 or span.tool.discarded_ids[0] not in self._endings():
                return f"a call discarded {span.tool.discarded_ids}; expected the token that ended the turn"
            text = text.removeprefix("\n")  # the closing fence has none
        if not text.startswith("```output\n") or not text.endswith("```\n"):
            return f"the output block is {_quoted(span.text)}"
        self.scanner.reset()
        return None


def _taken_back(span: Span) -> list[int]:
    """Sampled ids in whose place the span stands."""
    if span.hint is not None:
        return span.hint.discarded_ids
    return (span.tool.discarded_ids or []) if span.tool is not None else []


def _check_scores(span: Span, scores: TokenScores) -> str | None:
    """Scores stand on sampled tokens, one a token, within their bounds."""
    if span.source is not SpanSource.MODEL:
        return f"a {span.source.value} span has scores; only sampled tokens have"
    for name, values, low, high in (
        ("logprobs", scores.logprobs, -math.inf, 0.0),
        ("entropies", scores.entropies, 0.0, math.inf),
        ("margins", scores.margins, 0.0, 1.0),
    ):
        if len(values) != len(span.token_ids):
            return f"{len(values)} {name} for {len(span.token_ids)} tokens"
        wrong = [value for value in values if not low - 1e-3 <= value <= high + 1e-3]
        if wrong:
            return f"{name} holds {wrong[0]}; expected {low:g} to {high:g}"
    return None


def _repeats(before: list[int], taken_back: list[int]) -> bool:
    """Whether what was taken back says three times or more what the model's ids before it end with."""
    both, start = [*before, *taken_back], len(before)
    return any(
        both[start:] == both[start - period : len(both) - period]
        for period in range(1, min(start, len(taken_back) // 3) + 1)
    )


def _quoted(text: str) -> str:
    return repr(shorten(text))
