"""Stages of a recipe by reference: which part of START's figure, what in it. The only module that makes or reads a
stage's name.

A stage's name is its folder relative to the run, ``round1/hinted``; grading has the name of what it grades and
``/grade``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from selftaught.runs.condition import Condition, LoopModel
from selftaught.runs.names import STAGES


class Part(Enum):
    """The parts of START's figure."""

    PROBLEMS = "problems"
    SEED_ROUND = "seed_round"
    START_ROUND = "start_round"
    CONTROL = "control"
    EVALUATION = "evaluation"
    REPORT = "report"

    @property
    def label(self) -> str:
        """Name of its folder."""
        return str(getattr(STAGES, self.value))


@dataclass(frozen=True)
class StageRef:
    """One stage. ``what`` names it inside its part; the parts of one stage only have none."""

    part: Part
    what: str = ""
    grading: bool = False

    @property
    def folder(self) -> str:
        """Where it writes, relative to the run."""
        return f"{self.part.label}/{self.what}" if self.what else self.part.label

    @property
    def name(self) -> str:
        """What the progress line, the markers and the logs call it."""
        return f"{self.folder}/{STAGES.grading}" if self.grading else self.folder

    @property
    def file_stem(self) -> str:
        """The name for a file."""
        return self.name.replace("/", ".")

    @property
    def grade(self) -> StageRef:
        """The grading of what this stage rolled out."""
        return replace(self, grading=True)

    @property
    def is_control(self) -> bool:
        """Whether START does without it."""
        return self.part is Part.CONTROL

    @property
    def round(self) -> int | None:
        """The round of Hint-RFT that it belongs to, 1 or 2; None outside both."""
        return {Part.SEED_ROUND: 1, Part.START_ROUND: 2}.get(self.part)

    @classmethod
    def parse(cls, name: str) -> StageRef | None:
        """The stage of a name or a folder, or None when no stage is called so."""
        first, _, rest = name.partition("/")
        part = next((part for part in Part if part.label == first), None)
        if part is None or (rest and part in (Part.PROBLEMS, Part.REPORT)):
            return None
        if rest == STAGES.grading or not rest:
            return cls(part) if not rest else None
        what, slash, last = rest.rpartition("/")
        if slash and last == STAGES.grading:
            return cls(part, what, grading=True)
        return None if slash else cls(part, rest)

    @classmethod
    def evaluation(cls, condition: Condition, *, by_rounds: bool) -> StageRef:
        """The evaluation of a condition: its plain folder, or the one with every end-of-thinking round."""
        return cls(Part.EVALUATION, condition.name + (STAGES.curve if by_rounds else ""))

    @property
    def by_rounds(self) -> StageRef:
        """Of an evaluation: the stage that records every end-of-thinking round of the same condition."""
        return self if self.is_curve else replace(self, what=self.what + STAGES.curve)

    @property
    def is_curve(self) -> bool:
        """Whether an evaluation records every end-of-thinking round."""
        return self.part is Part.EVALUATION and self.what.endswith(STAGES.curve)


def greedy_rollout() -> StageRef:
    """Round one without hints and tools."""
    return StageRef(Part.SEED_ROUND, STAGES.greedy)


def hinted_rollout() -> StageRef:
    """Round one's Hint-infer."""
    return StageRef(Part.SEED_ROUND, STAGES.hinted)


def probe_rollout() -> StageRef:
    """Round one's forks with and without hints, on a share of the pool."""
    return StageRef(Part.SEED_ROUND, STAGES.probe)


def learned_policy() -> StageRef:
    """The hint policy that is learned from the probe."""
    return StageRef(Part.SEED_ROUND, STAGES.policy)


def random_rollout() -> StageRef:
    """Hint-infer by the paper's random insertion, beside that of a learned policy."""
    return StageRef(Part.SEED_ROUND, STAGES.random)


def random_greedy_rollout() -> StageRef:
    """The greedy pass beside `random_rollout`."""
    return StageRef(Part.SEED_ROUND, STAGES.random_greedy)


def compared_data_sets() -> tuple[StageRef, StageRef]:
    """What the learned policy and random insertion would each give as D_seed."""
    return StageRef(Part.SEED_ROUND, STAGES.d_learned), StageRef(Part.SEED_ROUND, STAGES.d_random)


def sampled_rollout(part: Part) -> StageRef:
    """The samples of round two, or of the control."""
    return StageRef(part, STAGES.sampled)


def data_sets() -> tuple[StageRef, ...]:
    """All data sets, in the order of the report."""
    return (
        StageRef(Part.SEED_ROUND, STAGES.d_size),
        StageRef(Part.SEED_ROUND, STAGES.d_seed),
        StageRef(Part.START_ROUND, STAGES.d_start),
        StageRef(Part.CONTROL, STAGES.d_rft),
    )


def trained_model(model: LoopModel) -> StageRef:
    """The stage that trains a model of the loop. ValueError for the base, which nobody trains."""
    match model:
        case LoopModel.START_0:
            return StageRef(Part.SEED_ROUND, STAGES.start_0_model)
        case LoopModel.START:
            return StageRef(Part.START_ROUND, STAGES.start_model)
        case LoopModel.CONTROL:
            return StageRef(Part.CONTROL, STAGES.control_model)
        case LoopModel.BASE:
            raise ValueError("the base is not trained")
