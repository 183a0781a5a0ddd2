"""Stages of a run: what each reads, does and writes. ``figure`` makes their list.

Folders are relative to the run; a stage writes only into its own. ``needs`` names the stages that must be done before.
"""

from __future__ import annotations

from abc import abstractmethod
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from selftaught.curation.records import CurateSettings
from selftaught.pipeline.digest import settled
from selftaught.pipeline.options import HintLearning, PlainPass, RolloutOptions
from selftaught.pipeline.recipe import Decontaminate, Launch, RayWorkers, Serving
from selftaught.problems.sources import ProblemSource
from selftaught.provenance import digest_of
from selftaught.records import Record
from selftaught.runs.folders import CurateInput, RunFolder
from selftaught.runs.stages import StageRef
from selftaught.training.machines import Cluster
from selftaught.training.settings import SftSettings


class ProblemSet(Enum):
    """Which problems a stage is about."""

    POOL = "pool"
    TEST = "test"
    PROBED = "probed"
    """The share of the pool on which hints are probed."""
    REST = "rest"
    """The pool without that share."""

    def file(self, run: RunFolder) -> Path:
        """The file of these problems in a run."""
        sets = run.problem_sets
        files = {
            ProblemSet.POOL: sets.pool,
            ProblemSet.TEST: sets.test,
            ProblemSet.PROBED: sets.probed,
            ProblemSet.REST: sets.rest,
        }
        return files[self]

    @property
    def label(self) -> str:
        """The file, relative to any run."""
        return self.file(RunFolder(Path())).as_posix()


Model = str | StageRef
"""A model by its name or folder, or the stage of this run that trains it."""

MADE_HERE = "stage:"
"""Begins the name of a model trained in the run, in digests only."""


def model_label(model: Model) -> str:
    """A model as tables call it."""
    return model.folder if isinstance(model, StageRef) else model


class StageBase(Record):
    """What every stage has."""

    ref: StageRef
    needs: list[StageRef] = Field(default_factory=list)

    @property
    def name(self) -> str:
        """What the progress line, the markers and the logs call it."""
        return self.ref.name

    @property
    def need_names(self) -> list[str]:
        """Names of the stages that it needs."""
        return [need.name for need in self.needs]

    def own_digest(self) -> str:
        """Digest of what this stage was asked to do; how it is spread over machines does not count."""
        return digest_of({"name": self.name, "needs": self.need_names, **self.content()})

    @abstractmethod
    def content(self) -> dict[str, Any]:
        """What its digest is taken of. Its form is that of the first version: folders made by it go on."""


class ProblemsStage(StageBase):
    """Loads the pool and the test problems and removes pool problems that overlap with what is tested."""

    kind: Literal["problems"] = "problems"
    pool: ProblemSource
    test: ProblemSource | None
    decontaminate: Decontaminate
    probed_share: float | None = None
    """The pool is split in two, and this share of it is probed; None: it stays whole."""

    def content(self) -> dict[str, Any]:
        """See `StageBase.content`."""
        test = settled(self.test) if self.test else None
        share = {} if self.probed_share is None else {"probed_share": self.probed_share}
        return {
            **share,
            "kind": self.kind,
            "pool": settled(self.pool),
            "test": test,
            "decontaminate": settled(self.decontaminate),
        }


class RolloutStage(StageBase):
    """Samples trajectories."""

    kind: Literal["rollout"] = "rollout"
    problems: ProblemSet
    model: Model
    condition: str
    options: RolloutOptions
    num_problems: int | None = None
    """How many of the problems, drawn by the hash of their texts; None: all."""
    plain: PlainPass | None = None
    """What is written beside it into a folder of its own; None: nothing."""
    policy: StageRef | None = None
    """The stage that learns its hint policy; None: its options name the policy."""
    serving: Serving | None = None
    """Servers to start for it; None: the local engine, or a model that is an URL."""
    cluster: Cluster = Cluster()
    ray: RayWorkers | None = None

    @property
    def writes(self) -> list[StageRef]:
        """The rollouts that it makes."""
        return [self.ref, *([self.plain.ref] if self.plain is not None else [])]

    def content(self) -> dict[str, Any]:
        """See `StageBase.content`."""
        model = f"{MADE_HERE}{self.model.folder}" if isinstance(self.model, StageRef) else self.model
        options = {**self.options.root, "condition": self.condition}
        content: dict[str, Any] = {
            "kind": self.kind,
            "problems": self.problems.label,
            "model": model,
            "options": options,
        }
        if self.num_problems is not None:
            content["num_problems"] = self.num_problems
        if self.plain is not None:
            content["plain"] = {**self.plain.options.root, "condition": self.plain.condition}
        return content


class ProbeStage(StageBase):
    """Forks trajectories with and without hints, and grades all branches."""

    kind: Literal["probe"] = "probe"
    problems: ProblemSet = ProblemSet.PROBED
    model: str
    options: RolloutOptions
    """Those of the hinted rollout."""
    learn: HintLearning
    serving: Serving | None = None
    cluster: Cluster = Cluster()

    def content(self) -> dict[str, Any]:
        """See `StageBase.content`."""
        return {
            "kind": self.kind,
            "problems": self.problems.label,
            "model": self.model,
            "options": self.options.root,
            "probe": self.learn.probe.model_dump(mode="json"),
        }


class PolicyStage(StageBase):
    """Learns a hint policy from a probe."""

    kind: Literal["policy"] = "policy"
    probe: StageRef
    learn: HintLearning

    def content(self) -> dict[str, Any]:
        """See `StageBase.content`."""
        learning = self.learn.learning
        return {
            "kind": self.kind,
            "probe": self.probe.folder,
            "design": learning.design,
            "utility": learning.utility.model_dump(mode="json"),
        }


class GradeStage(StageBase):
    """Judges what a stage rolled out."""

    kind: Literal["grade"] = "grade"
    problems: ProblemSet

    def content(self) -> dict[str, Any]:
        """See `StageBase.content`."""
        return {"kind": self.kind, "problems": self.problems.label, "folder": self.ref.folder}


class CurateStage(StageBase):
    """Makes a data set."""

    kind: Literal["curate"] = "curate"
    inputs: list[CurateInput]
    """Their folders are relative to the run."""
    settings: CurateSettings
    tokenizer: str
    """The model whose tokenizer encodes changed text."""
    at_most: StageRef | None = None
    """Take at most as many rows as this data set has: the control gets no more than START."""
    sampled_by: list[StageRef] = Field(default_factory=list)
    """The rollouts that its rows were paid for; their tokens stand in its detail."""
    budget_of: list[StageRef] = Field(default_factory=list)
    """Take only so many problems, in the order of a hash of their ids, that ``sampled_by`` has sampled no more tokens for
    them than these rollouts sampled in all."""

    def content(self) -> dict[str, Any]:
        """See `StageBase.content`."""
        budget = {"budget_of": [ref.folder for ref in self.budget_of]} if self.budget_of else {}
        return {
            **budget,
            "kind": self.kind,
            "inputs": [
                [i.folder.as_posix(), i.candidate, i.reference, *(["text_only"] if i.text_only else [])]
                for i in self.inputs
            ],
            "settings": settled(self.settings),
            "tokenizer": self.tokenizer,
            "max_rows_of": self.at_most.folder if self.at_most else None,
        }


class TrainStage(StageBase):
    """Fine-tunes ``base`` on ``data``: a model folder."""

    kind: Literal["train"] = "train"
    base: str
    data: StageRef
    settings: SftSettings
    launch: Launch = Launch()
    cluster: Cluster = Cluster()

    def content(self) -> dict[str, Any]:
        """See `StageBase.content`."""
        settings = settled(self.settings)
        return {"kind": self.kind, "base": self.base, "data": self.data.folder, "settings": settings}


class Measured(Record):
    """One condition in the report."""

    name: str
    folder: StageRef
    """Its trajectories and grades."""
    rounds: StageRef | None = None
    """Where every end-of-thinking round is recorded, this condition among them; None: it is rolled out alone."""
    round: int = 0
    """Which of ``rounds`` it is: 0, or as many rounds as its hints ask for."""
    model: str
    decoding: str
    """How it was sampled, in words."""

    @property
    def has_curve(self) -> bool:
        """Whether the report shows its rounds as a curve."""
        return self.rounds is not None and self.round == 0

    @property
    def rolled_out_by(self) -> StageRef:
        """The stage that its trajectories come from."""
        return self.rounds or self.folder


class ReportStage(StageBase):
    """The report of the whole run."""

    kind: Literal["report"] = "report"
    measured: list[Measured]
    scaling_rounds: int

    def content(self) -> dict[str, Any]:
        """See `StageBase.content`."""
        taken = {row.name: row.round for row in self.measured if row.round}
        return {
            "kind": self.kind,
            **({"taken_rounds": taken} if taken else {}),
            "conditions": {row.name: row.folder.folder for row in self.measured},
            "round_folders": {row.name: row.rounds.folder for row in self.measured if row.rounds},
            "models": {row.name: row.model for row in self.measured},
            "decoding": {row.name: row.decoding for row in self.measured},
            "scaling_rounds": self.scaling_rounds,
        }


Stage = Annotated[
    ProblemsStage | ProbeStage | PolicyStage | RolloutStage | GradeStage | CurateStage | TrainStage | ReportStage,
    Field(discriminator="kind"),
]
