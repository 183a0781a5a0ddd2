"""The records that flow between stages. Read this first.

``problems.jsonl → rollout → trajectories.jsonl → grade → grades.jsonl → curate → kept.jsonl / dropped.jsonl``

Every record is one JSON object a line, UTF-8, schema-versioned, without NaN, times in UTC. No stage rewrites another
stage's file: a grade is a new record keyed by the trajectory's id. Text is derived from token ids, never the other way
round: concatenating the ``token_ids`` of a trajectory's spans gives exactly what the model saw.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1
"""Raised when a field changes its meaning; readers refuse files of a newer version."""


def utc_now() -> str:
    """Now, as ISO-8601 in UTC with seconds: ``2026-11-20T12:00:00Z``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def question_hash(rendered_question: str) -> str:
    """First 16 hex digits of the SHA-256 of a question as the model sees it, white space folded.

    Splits and decontamination are keyed on this, never on a problem's parameters: two can render the same text.
    """
    folded = re.sub(r"\s+", " ", rendered_question).strip()
    return hashlib.sha256(folded.encode()).hexdigest()[:16]


def trajectory_id(problem_id: str, sample: int, round: int | None = None) -> str:
    """``{problem_id}#{sample}`` or, with rounds recorded apart, ``{problem_id}#{sample}@{round}``."""
    return f"{problem_id}#{sample}" if round is None else f"{problem_id}#{sample}@{round}"


def _whole(value: Any) -> Any:
    """``value`` without halves of character pairs; NaN and infinities are absent, as in the other records."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list | tuple) else value


class Record(BaseModel):
    """Base of all records: unknown keys are refused, NaN is never written."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")

    described: ClassVar[str] = ""
    """What a line of its file is, as a message calls it."""

    def to_json(self) -> str:
        """One line of JSON, without fields that hold their default ``None``.

        A half of a character pair, which a server or a program can send, is written as U+FFFD: UTF-8 has no form for
        it.
        """
        try:
            return self.model_dump_json(exclude_none=True)
        except ValueError:
            return json.dumps(_whole(self.model_dump(exclude_none=True)), ensure_ascii=False, separators=(",", ":"))


# ---------------------------------------------------------------------------------------------------------- problems


class ProblemKind(StrEnum):
    """How a problem is asked and graded."""

    MATH = "math"
    """Free-form answer in ``\\boxed{}``."""
    CHOICE = "choice"
    """A letter in ``\\boxed{}``."""
    CODE = "code"
    """A program in a final fenced block, judged by tests."""


class TestCase(Record):
    """One test of a code problem, as LiveCodeBench has it.

    ``input`` is stdin text, or for a function one JSON value a line; ``output`` is stdout text or one JSON value.
    ``public`` tests stand in the statement; the debug hint may show them, grading uses all.
    """

    __test__ = False  # not a pytest class

    input: str
    output: str
    public: bool = False


NO_REFERENCE = "no_reference"
"""Key of a problem's metadata, true where nobody has said what is right: a question that was asked of a server."""


class Problem(Record):
    """One problem. ``answer`` is None for code; ``choices`` are shown as A, B, C, … in this order."""

    described: ClassVar[str] = "a problem"

    id: str
    problem: str
    kind: ProblemKind
    answer: str | None = None
    choices: list[str] | None = None
    tests: list[TestCase] | None = None
    starter_code: str | None = None
    fn_name: str | None = None
    source: str | None = None
    split: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)

    @property
    def has_reference(self) -> bool:
        """Whether there is something to judge an answer by."""
        return self.answer is not None or bool(self.tests) or not self.metadata.get(NO_REFERENCE)


# ------------------------------------------------------------------------------------------------------ trajectories


class SpanSource(StrEnum):
    """Who put a span's tokens into the sequence."""

    PROMPT = "prompt"
    """The rendered chat template, including an opened ``<think>``."""
    MODEL = "model"
    """Sampled by the model."""
    HINT = "hint"
    """Inserted by the hint policy."""
    TOOL = "tool"
    """Output of the Python interpreter, with its fences."""
    CONTROL = "control"
    """Inserted by the runner for another reason, such as the notice that no calls are left."""


class HintPosition(StrEnum):
    """Where a hint was put (START section 2.1)."""

    AFTER_WORD = "after_word"
    END_OF_THINKING = "end_of_thinking"
    BEFORE_FINAL = "before_final"
    AFTER_TOOL_ERROR = "after_tool_error"
    PARAGRAPH = "paragraph"
    BUDGET = "budget"
    BEFORE_LINE = "before_line"
    """Before a line that the model had begun and that was taken back: its conclusion, its box."""
    START = "start"
    """Before the first sampled token."""
    REPETITION = "repetition"
    """In place of text that repeats what stands before it."""


class ExecStatus(StrEnum):
    """How a sandbox call ended."""

    OK = "ok"
    ERROR = "error"
    """A Python exception: data for the model."""
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT = "output"
    """Killed for printing too much."""
    CRASH = "crash"
    REFUSED = "refused"
    """Never run: no isolation available, or the session was gone."""


class HintInfo(Record):
    """Which hint stands in a span and why it was put there."""

    id: str
    position: HintPosition
    reason: str
    """The policy's words: which trigger fired, which draw was made."""
    round: int = 0
    """Ordinal of the end-of-thinking round, 1 for the first; 0 elsewhere."""
    trigger: str | None = None
    """Text that fired the trigger, if any."""
    discarded_ids: list[int] = Field(default_factory=list)
    """Sampled tokens that the seam rule took out before the hint (a ``</think>``, an end token, a line that was begun).
    They were never fed back."""


class HintDecision(Record):
    """One decision of the hint policy, taken or not."""

    rule: str
    at_token: int
    """Tokens after the prompt at that moment."""
    taken: bool
    reason: str
    trigger: str | None = None
    features: dict[str, float | str | bool] | None = None
    """What was known there (`selftaught.hints.features`), where the settings ask for it."""


class ToolInfo(Record):
    """One call of the Python interpreter, standing on the span that holds its output."""

    code: str
    status: ExecStatus
    output: str
    """What the sandbox returned; the span's text is this within fences, shortened if it was long."""
    wall_s: float
    truncated: bool = False
    tier: str | None = None
    cached: bool = False
    discarded_ids: list[int] | None = None
    """The sampled end token that was taken back, where the block was the last thing in a turn. It was never fed
    back."""


class TokenScores(Record):
    """What the model thought of the tokens of a span, one value each.

    Of the distribution at temperature 1 over the whole vocabulary; from a server, of its likeliest tokens.
    """

    logprobs: list[float]
    entropies: list[float]
    """In nats."""
    margins: list[float]
    """Probability of the likeliest token less that of the second."""


class Span(Record):
    """A run of tokens from one source. ``token_ids`` is the truth, ``text`` its decoding."""

    source: SpanSource
    token_ids: list[int]
    text: str
    hint: HintInfo | None = None
    tool: ToolInfo | None = None
    scores: TokenScores | None = None
    """Only of what the model sampled, and only where the settings ask for it."""
    loss: Literal[False] | None = None
    """False where curation took it out of the loss; training reads it whatever the span's source."""


class StopReason(StrEnum):
    """Why a trajectory ended. Set exactly once."""

    ANSWERED = "answered"
    """The model ended its turn after its thinking."""
    ENDED_IN_THINKING = "ended_in_thinking"
    """The model ended its turn with the thinking still open: an end token inside thinking ends it, nothing is
    repaired."""
    MAX_TOKENS = "max_tokens"
    MAX_TOOL_CALLS = "max_tool_calls"
    """Every call was used and the runner was told to stop there."""
    REPETITION = "repetition"
    """The model loops on one text."""
    TIMEOUT = "timeout"
    ENGINE_ERROR = "engine_error"
    SANDBOX_ERROR = "sandbox_error"
    CANCELLED = "cancelled"

    @property
    def is_failure(self) -> bool:
        """The engine or the sandbox failed, not the model: a rerun does the trajectory again."""
        return self in (StopReason.ENGINE_ERROR, StopReason.SANDBOX_ERROR, StopReason.CANCELLED)


class ForkPoint(Record):
    """A place at which a trajectory was forked: one branch goes on without a hint, the others each with one."""

    id: str
    """``{problem_id}#{sample}@{number}``. The branches' ids are this, a point and the number of the hint, from 1."""
    place: str
    token: int
    """Tokens after the prompt."""
    probability: float
    """With which this place was chosen among those of its trajectory."""
    prefix_tokens: int
    """Tokens that were sampled before it."""
    features: dict[str, float | str | bool] = Field(default_factory=dict)
    hints: list[str] = Field(default_factory=list)
    """Functions of the hints that were tried here, in the order of the branches."""

    def branch_ids(self) -> list[str]:
        """Ids of the trajectories with a hint."""
        return [f"{self.id}.{number}" for number in range(1, len(self.hints) + 1)]


class Trajectory(Record):
    """One rollout of one problem.

    ``id`` is what `trajectory_id` gives: problem, sample and, where end-of-thinking rounds are recorded apart, the
    round. It is unique within one file; a run resumes by it.
    """

    described: ClassVar[str] = "a trajectory, as rollout writes it"

    schema_version: int = SCHEMA_VERSION
    id: str
    problem_id: str
    sample: int = 0
    round: int | None = None
    """End-of-thinking round at which this branch ended; None when rounds are not recorded apart."""
    seed: int = 0
    model: str = ""
    condition: str = ""
    """Name of the setting, e.g. ``base+hint``."""
    text_only: bool = False
    """True when the engine gave no token ids: usable, but refused for training unless curation is told to encode it."""
    spans: list[Span]
    stop_reason: StopReason
    error: str | None = None
    shared_tokens: int | None = None
    """Sampled tokens at its beginning that were sampled once for several trajectories, and count with another one; None
    when it was not forked from another."""
    forks: list[ForkPoint] | None = None
    """Places at which it was forked to try hints; on a branch the one place that it was forked at."""
    decisions: list[HintDecision] | None = None
    """What the hint policy decided at each occasion, with the reason; None when no policy was at work."""
    wall_s: float = 0.0
    created_at: str = Field(default_factory=utc_now)

    def token_ids(self) -> list[int]:
        """Everything the model saw, in order."""
        return [token_id for span in self.spans for token_id in span.token_ids]

    def text_after_prompt(self) -> str:
        """Text of all spans but the prompt."""
        return "".join(span.text for span in self.spans if span.source is not SpanSource.PROMPT)

    def num_tokens(self, source: SpanSource) -> int:
        """Number of tokens from one source."""
        return sum(len(span.token_ids) for span in self.spans if span.source is source)

    def num_taken_back(self) -> int:
        """Sampled tokens that are in no span, since a hint or a call took their place: spent, but not seen again."""
        hints = sum(len(span.hint.discarded_ids) for span in self.spans if span.hint is not None)
        return hints + sum(len(span.tool.discarded_ids or ()) for span in self.spans if span.tool is not None)

    def num_sampled(self) -> int:
        """Tokens that the model sampled for it, with those that were taken back and those it shares."""
        return self.num_tokens(SpanSource.MODEL) + self.num_taken_back()

    def is_branch(self) -> bool:
        """Whether it is a probe's branch with a hint, and so no sample of its condition."""
        return any(self.id in point.branch_ids() for point in self.forks or ())

    def tool_calls(self) -> list[ToolInfo]:
        """Calls in order."""
        return [span.tool for span in self.spans if span.tool is not None]

    def hints(self) -> list[HintInfo]:
        """Hints in order."""
        return [span.hint for span in self.spans if span.hint is not None]


# ------------------------------------------------------------------------------------------------------------ grades


class Outcome(StrEnum):
    """The six outcomes kept apart in every table."""

    CORRECT = "correct"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    """The turn ended, but nothing could be extracted."""
    TRUNCATED = "truncated"
    """Token or call budget used up."""
    TIMED_OUT = "timed_out"
    ERROR = "error"
    """Engine or sandbox failed."""


class Grade(Record):
    """Verdict on one trajectory: what was extracted, which path decided, and why."""

    described: ClassVar[str] = "a grade, as grade writes it"

    schema_version: int = SCHEMA_VERSION
    trajectory_id: str
    problem_id: str
    outcome: Outcome
    correct: bool
    extracted: str | None = None
    path: str
    """Which rule decided: ``integer``, ``string``, ``math_verify``, ``choice``, ``tests``, ``none``, …"""
    reason: str = ""
    grader: str = ""
    """Name and version."""
    wall_s: float = 0.0
