"""The record of a fork: one line of ``forks.jsonl``.

At a place of a trajectory the sequence is forked. One branch goes on without a hint, each other branch with one hint.
All branches share the prefix and, after it, the same random numbers. So the branches differ by the hint alone.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from selftaught.records import SCHEMA_VERSION, ProblemKind, Record, StopReason

NO_HINT = "none"
"""The arm of the branch without a hint."""

Features = dict[str, float | str | bool]
"""Name of a feature → its value, as `selftaught.hints.features.trigger_features` gives them."""


class Place(StrEnum):
    """Where in a trajectory a hint can stand."""

    START = "start"
    """Before the first sampled token."""
    PARAGRAPH = "paragraph"
    """After an empty line of the thinking."""
    WORD = "word"
    """After a trigger word, such as Wait."""
    CONCLUSION = "conclusion"
    """Before a line that begins the conclusion or boxes the answer."""
    END = "end"
    """At the end of the thinking, before the final answer."""
    REPETITION = "repetition"
    """Where the model goes round in circles."""


class ForkBranch(Record):
    """How one branch of a fork went on to its end."""

    arm: str
    """``none``, or the hint's id: ``general/en/0``."""
    function: str | None = None
    """The hint's function, ``general``; None without a hint."""
    place: Place
    """The fork's place, also on the branch without a hint."""
    trajectory_id: str
    correct: bool | None = None
    """The grade; None when the branch ended in an error of the engine or the sandbox."""
    stop_reason: StopReason
    truncated: bool = False
    """The token or call budget was used up, or the model went round in circles."""
    sampled_tokens: int = Field(ge=0)
    """Tokens that the model sampled after the fork, those that were taken back included."""
    total_tokens: int = Field(ge=0)
    """Tokens after the prompt, whoever wrote them: the shared prefix, the hint and tool outputs included."""
    calls: int = Field(ge=0)
    """Calls of Python after the fork."""
    accepted: bool | None = None
    """Whether it would enter D_seed: no filter drops it, it calls Python, and the plain branch is wrong. None when that
    was not asked."""


class Fork(Record):
    """One fork: the place, what was known there, and its branches. The first branch is the one without a hint."""

    described: ClassVar[str] = "a fork, as hints probe writes it"

    schema_version: int = SCHEMA_VERSION
    id: str
    """``{problem_id}#{sample}@{number of the fork in its sample}``: unique in its file."""
    problem_id: str
    kind: ProblemKind
    difficulty: str | None = None
    """The problem's own level, where its data set states one."""
    sample: int = 0
    seed: int = 0
    model: str = ""
    place: Place
    token: int = Field(ge=0)
    """Tokens after the prompt at the fork."""
    probability: float = Field(gt=0, le=1)
    """With which this place was chosen among those of its trajectory."""
    prefix_tokens: int = Field(ge=0)
    """Tokens that the model sampled before the fork: paid once for all branches."""
    features: Features = Field(default_factory=dict)
    branches: list[ForkBranch]

    @property
    def plain(self) -> ForkBranch | None:
        """The branch without a hint."""
        return next((branch for branch in self.branches if branch.arm == NO_HINT), None)

    @property
    def hinted(self) -> list[ForkBranch]:
        """The branches with a hint."""
        return [branch for branch in self.branches if branch.arm != NO_HINT]
