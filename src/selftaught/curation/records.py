"""What curation reads and writes besides trajectories and grades: settings, kept and dropped rows, the funnel.

``trajectories.jsonl + grades.jsonl → curate → kept.jsonl · dropped.jsonl · funnel.json``
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from selftaught.records import SCHEMA_VERSION, Outcome, ProblemKind, Record, Span, Trajectory


class Rule(StrEnum):
    """Which rows a data set wants (START section 2.2)."""

    D_SEED = "d_seed"
    """Greedy wrong and hinted right."""
    D_START = "d_start"
    """Right, whatever the greedy verdict: the best sample of each problem."""


class DropReason(StrEnum):
    """Why curation dropped a trajectory. Each filter gives one of these."""

    WRONG = "wrong"
    ERRORED = "errored"
    TRUNCATED = "truncated"
    NO_TOOL_CALL = "no_tool_call"
    VOID_TURN = "void_turn"
    FAILED_EXECUTION = "failed_execution"
    REPETITIVE = "repetitive"
    FAKE_OUTPUT = "fake_output"
    TEMPLATE_COPY = "template_copy"
    ANSWER_BEFORE_CALL = "answer_before_call"
    TOO_LONG = "too_long"
    DUPLICATE = "duplicate"
    CONTAMINATED = "contaminated"
    TEXT_ONLY = "text_only"
    GREEDY_RIGHT = "greedy_right"
    """D_seed wants problems that fail without hints."""
    NOT_BEST = "not_best"
    """Right, but another sample of the same problem was preferred."""
    OVER_QUOTA = "over_quota"


class Facts(Record):
    """What is known of one trajectory without reading it again: the score joined with its use of the tool."""

    outcome: Outcome
    correct: bool
    num_tokens: int
    num_model_tokens: int
    num_calls: int
    num_errors: int
    """Calls that did not end ``ok``."""
    num_hints: int
    last_call_ok: bool
    """True when there was no call, too."""


class Modification(Record):
    """One recorded change of a trajectory: ``spans[index : index + len(before)]`` became ``after``.

    Undoing replaces the other way round. Texts that changed were re-encoded; ``reencoded`` says which of ``after`` hold
    token ids that the model never saw.
    """

    rule: str
    index: int
    before: list[Span]
    after: list[Span]
    reencoded: list[bool]
    reason: str = ""


ENCODE_TEXT = "encode_text"
"""Rule of the modification that encodes a text-only trajectory; training takes such a row for it alone."""


class KeptRow(Record):
    """One trajectory in the data set, with what was changed in it and why it was chosen."""

    described: ClassVar[str] = "a row of a data set, as curate keeps it"

    schema_version: int = SCHEMA_VERSION
    dataset: str
    source: str
    """Name of the input it came from."""
    kind: ProblemKind
    facts: Facts
    why: str
    modifications: list[Modification] = Field(default_factory=list)
    trajectory: Trajectory


class DroppedRow(Record):
    """One trajectory that is not in the data set. The trajectory itself stays where it was written."""

    described: ClassVar[str] = "a dropped row of a data set, as curate writes it"

    schema_version: int = SCHEMA_VERSION
    dataset: str
    source: str
    trajectory_id: str
    problem_id: str
    step: str
    """Name of the filter or selection step."""
    reason: DropReason
    detail: str
    """What was seen, in words."""
    facts: Facts | None = None


class FunnelStep(Record):
    """One filter or selection step: ``num_in == num_out + num_dropped``."""

    step: str
    reason: DropReason
    num_in: int
    num_dropped: int
    num_out: int


class Funnel(Record):
    """Counts at every step; ``num_in == num_kept + sum(dropped.values())``."""

    schema_version: int = SCHEMA_VERSION
    dataset: str
    num_in: int
    num_kept: int
    num_kept_with_tool: int
    num_kept_text_only: int
    num_problems: int
    """Problems with at least one trajectory among the inputs."""
    steps: list[FunnelStep]
    dropped: dict[str, int]
    """By drop reason."""
    kept_by_kind: dict[str, int]
    modified: dict[str, int]
    """Kept trajectories by modification rule."""
    sources: dict[str, int]
    """Trajectories read from each input."""
    reference: dict[str, int] = Field(default_factory=dict)
    """How the greedy runs stood: problems ``right``, ``wrong``, ``missing``."""


class FilterSettings(Record):
    """Thresholds of the filters.

    The paper names its filters (repetition, failed executions) but no threshold: all are ours.
    """

    failed_execution: Literal["any", "last", "all", "off"] = "last"
    """Drop when any call failed, when the last one did, when all did, or never."""
    max_tokens: int = Field(default=16_384, ge=1)
    """Longest trajectory (prompt included); the paper trains at 16,384."""
    max_line_repeats: int = Field(default=8, ge=1)
    """A sentence of at least 20 characters may stand this often in the model's text."""
    max_repeat_share: float = Field(default=0.5, gt=0, le=1)
    """Share of the model's text that repeated sentences may make up."""
    min_template_lines: int = Field(default=3, ge=1)
    """Code lines a template must have before a copy of it counts as one."""
    answer_before_call: bool | Literal["tags"] = True
    """Drop when the model stated the final answer as its result before the first call (the call then adds nothing).
    ``tags``: only where thinking stands between tags. Where the whole turn is thinking, the model's first answer always
    stands before a hint at the end, and the call is its test."""
    allow_text_only: bool = False
    """Keep trajectories of a server that gave text without token ids. They are encoded with the tokenizer at hand, span
    by span, which is recorded; what the model really saw may have been cut into other tokens, and a control token that
    it wrote as plain text cannot be told from a real one."""
    skip: list[str] = Field(default_factory=list)
    """Names of filters to leave out."""


class CurateSettings(Record):
    """One curation. Its digest goes into ``run.json``."""

    dataset: str = "d_seed"
    """Name of the data set, written into its rows."""
    rule: Rule = Rule.D_SEED
    """Which trajectories the data set wants."""
    filters: FilterSettings = FilterSettings()
    modifications: list[str] = Field(default_factory=lambda: ["rename_template", "delete_placeholders", "cut_tail"])
    """Rules of ``modify.py``, in this order."""
    require_tool: bool = True
    """False for the control without tools: right traces without a call are what it wants."""
    max_per_problem: int = Field(default=1, ge=1)
    """Trajectories kept of one problem."""
    greedy_wrong_share: float = Field(default=1.0, gt=0, le=1)
    """Share of D_seed's rows whose problem the greedy run gets wrong; 1 is the paper's rule. The rest are right before
    the hint and after it. A model whose whole turn is thinking learns by them to write its draft as before, and to
    check it."""
    tool_share: float | dict[str, float] = 1.0
    """Share of rows that call the tool; the rest are right text-only traces, so that reasoning without the tool is
    kept. By problem kind (those not named: 1) where it matters: a first draft that passes by luck is no reason to test
    none."""
    max_rows: dict[str, int] = Field(default_factory=dict)
    """At most this many rows by problem kind (``math``, ``code``, ``choice``), or ``all``. Paper: 40 K maths, 10 K
    code."""
    max_per_family: int | None = Field(default=None, ge=1)
    """At most this many rows for each ``metadata.family``."""
    seed: int = 0
    """Of the draw between equally good trajectories."""

    def share_of(self, kind: ProblemKind) -> float:
        """Share of the rows of one kind that call the tool."""
        return self.tool_share.get(kind.value, 1.0) if isinstance(self.tool_share, dict) else self.tool_share

    @property
    def asks_greedy(self) -> bool:
        """Whether a row's place hangs on what the greedy run makes of its problem."""
        return self.rule is Rule.D_SEED and self.require_tool

    @property
    def mixes_text(self) -> bool:
        """Whether any text-only row is wanted beside those that call the tool."""
        return any(self.share_of(kind) < 1 for kind in ProblemKind)

    @field_validator("tool_share")
    @classmethod
    def _is_share(cls, value: float | dict[str, float]) -> float | dict[str, float]:
        kinds = {kind.value for kind in ProblemKind}
        for key, share in value.items() if isinstance(value, dict) else [("tool_share", value)]:
            if (isinstance(value, dict) and key not in kinds) or not 0 < share <= 1:
                expected = "a share above 0 and at most 1, or one for each of "
                raise ValueError(f"{key}: {share}; expected {expected}{', '.join(sorted(kinds))}")
        return value

    @field_validator("max_rows")
    @classmethod
    def _known_kinds(cls, value: dict[str, int]) -> dict[str, int]:
        known = {kind.value for kind in ProblemKind} | {"all"}
        for key, count in value.items():
            if key not in known or count < 1:
                raise ValueError(
                    f"{key}: {count}; expected one of {', '.join(sorted(known))} with a count of 1 or more"
                )
        return value
