"""Stages of a run: what each reads, does and writes. ``build_stages`` is START's figure as a list.

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
from selftaught.pipeline.options import PlainPass, RolloutOptions
from selftaught.pipeline.recipe import Decontaminate, Evaluation, Launch, RayWorkers, Recipe, SeedRound, Serving
from selftaught.problems.sources import ProblemSource
from selftaught.provenance import digest_of
from selftaught.records import Record
from selftaught.runs.condition import Condition, LoopModel, greedy_condition
from selftaught.runs.folders import CurateInput, RunFolder
from selftaught.runs.stages import (
    Part,
    StageRef,
    data_sets,
    greedy_rollout,
    hinted_rollout,
    sampled_rollout,
    trained_model,
)
from selftaught.training.machines import Cluster
from selftaught.training.settings import SftSettings


class ProblemSet(Enum):
    """Which problems a stage is about."""

    POOL = "pool"
    TEST = "test"

    def file(self, run: RunFolder) -> Path:
        """The file of these problems in a run."""
        return run.problem_sets.pool if self is ProblemSet.POOL else run.problem_sets.test

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

    def content(self) -> dict[str, Any]:
        """See `StageBase.content`."""
        test = settled(self.test) if self.test else None
        return {
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
    plain: PlainPass | None = None
    """What is written beside it into a folder of its own; None: nothing."""
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
        content = {"kind": self.kind, "problems": self.problems.label, "model": model, "options": options}
        if self.plain is not None:
            content["plain"] = {**self.plain.options.root, "condition": self.plain.condition}
        return content


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

    def content(self) -> dict[str, Any]:
        """See `StageBase.content`."""
        return {
            "kind": self.kind,
            "inputs": [[i.folder.as_posix(), i.candidate, i.reference] for i in self.inputs],
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
    """Where every end-of-thinking round is recorded; round 0 is the condition itself."""
    model: str
    decoding: str
    """How it was sampled, in words."""

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
        return {
            "kind": self.kind,
            "conditions": {row.name: row.folder.folder for row in self.measured},
            "round_folders": {row.name: row.rounds.folder for row in self.measured if row.rounds},
            "models": {row.name: row.model for row in self.measured},
            "decoding": {row.name: row.decoding for row in self.measured},
            "scaling_rounds": self.scaling_rounds,
        }


Stage = Annotated[
    ProblemsStage | RolloutStage | GradeStage | CurateStage | TrainStage | ReportStage, Field(discriminator="kind")
]


def build_stages(recipe: Recipe) -> list[Stage]:
    """All stages in an order in which they could run one after another. ValueError names an option that is wrong."""
    return _Builder(recipe).build()


class _Builder:
    """Collects stages; each helper adds a stage and gives the reference to it."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.stages: list[Stage] = []
        self.problems = StageRef(Part.PROBLEMS)

    def build(self) -> list[Stage]:
        """START's figure, top to bottom."""
        recipe, base = self.recipe, self.recipe.base_model
        self.stages.append(
            ProblemsStage(ref=self.problems, pool=recipe.pool, test=recipe.test, decontaminate=recipe.decontaminate)
        )
        # Both trainings begin from the base: START-0 only makes the samples that START learns from.
        d_size, d_seed, d_start, d_rft = data_sets()
        first, second = recipe.seed_round, recipe.start_round
        # The greedy pass says which problems the base fails without hints. It may also give right answers without a
        # call, where a data set mixes such rows in.
        greedy, hinted = self.seed_passes(first, base)
        inputs = {hinted: _input(hinted), greedy: _input(greedy, candidate=first.curate.mixes_text, reference=True)}
        size = None
        if first.size_of:
            size = self.curate(d_size, inputs, first.curate.model_copy(update={"rule": first.size_of}))
        self.curate(d_seed, inputs, first.curate, at_most=size)
        start_0 = self.train(LoopModel.START_0, d_seed, first.train)
        sampled = self.on_pool(
            sampled_rollout(Part.START_ROUND), start_0, second.rollout, Condition(LoopModel.START_0).name
        )
        inputs = {sampled: _input(sampled), greedy: _input(greedy, candidate=second.curate.mixes_text, reference=True)}
        self.curate(d_start, inputs, second.curate)
        start = self.train(LoopModel.START, d_start, second.train)
        models: dict[LoopModel | str, Model] = {
            LoopModel.BASE: base,
            LoopModel.START_0: start_0,
            LoopModel.START: start,
        }
        if recipe.control:
            condition = Condition(LoopModel.CONTROL).name
            plain = self.on_pool(sampled_rollout(Part.CONTROL), base, recipe.control.rollout, condition)
            self.curate(d_rft, {plain: _input(plain)}, recipe.control.curate, at_most=d_start)
            models[LoopModel.CONTROL] = self.train(LoopModel.CONTROL, d_rft, recipe.control.train)
        if recipe.evaluate:
            self.evaluate(recipe.evaluate, models)
        return self.stages

    def evaluate(self, evaluation: Evaluation, models: dict[LoopModel | str, Model]) -> None:
        """The conditions on the test problems. Rounds 0…N of a model hold its plain condition as round 0."""
        measured: list[Measured] = []
        curves = {Condition(LoopModel.BASE), Condition(LoopModel.START)} if evaluation.scaling_rounds else set()
        for name, own in evaluation.conditions.items():
            condition = Condition.parse(name)
            model = models[condition.model]
            options = own.over(evaluation.rollout)
            if condition in curves:  # one rollout gives both: round 0 of the curve is the plain condition
                rounds = {"rounds": evaluation.scaling_rounds, "record_rounds": True, "hints": "end"}
                options = RolloutOptions(rounds).over(options)
            options = options.over(RolloutOptions({"seed": self.recipe.seed}), self.recipe.defaults)
            plain = StageRef.evaluation(condition, by_rounds=False)
            by_rounds = bool(options.value("record_rounds"))
            rounds_ref = StageRef.evaluation(condition, by_rounds=True) if by_rounds else None
            self.rollout(rounds_ref or plain, ProblemSet.TEST, model, options, name)
            measured.append(
                Measured(
                    name=name, folder=plain, rounds=rounds_ref, model=model_label(model), decoding=options.decoding
                )
            )
        self.stages.append(
            ReportStage(
                ref=StageRef(Part.REPORT),
                needs=[row.rolled_out_by.grade for row in measured],
                measured=measured,
                scaling_rounds=evaluation.scaling_rounds,
            )
        )

    def seed_passes(self, first: SeedRound, base: str) -> tuple[StageRef, StageRef]:
        """Add the greedy pass and the hinted one, apart or as one rollout that forks."""
        condition = Condition(LoopModel.BASE, hints=True).name
        if not first.fork:
            greedy = self.on_pool(greedy_rollout(), base, first.greedy, greedy_condition())
            return greedy, self.on_pool(hinted_rollout(), base, first.rollout, condition)
        options = first.greedy.over(RolloutOptions({"seed": self.recipe.seed}), self.recipe.defaults)
        plain = PlainPass(ref=greedy_rollout(), condition=greedy_condition(), options=options)
        hinted = self.on_pool(hinted_rollout(), base, first.rollout, condition, plain)
        self.stages.append(GradeStage(ref=plain.ref.grade, needs=[hinted], problems=ProblemSet.POOL))
        return plain.ref, hinted

    def on_pool(
        self, ref: StageRef, model: Model, own: RolloutOptions, condition: str, plain: PlainPass | None = None
    ) -> StageRef:
        """Add a rollout on the pool, and its grading."""
        options = own.over(RolloutOptions({"seed": self.recipe.seed}), self.recipe.defaults)
        return self.rollout(ref, ProblemSet.POOL, model, options, condition, plain)

    def rollout(
        self,
        ref: StageRef,
        problems: ProblemSet,
        model: Model,
        options: RolloutOptions,
        condition: str,
        plain: PlainPass | None = None,
    ) -> StageRef:
        """Add a rollout and its grading."""
        needs = [self.problems, *([model] if isinstance(model, StageRef) else [])]
        self.stages.append(
            RolloutStage(
                ref=ref,
                needs=needs,
                problems=problems,
                model=model,
                condition=condition,
                options=options,
                plain=plain,
                serving=self.recipe.serving,
                cluster=self.recipe.cluster,
                ray=self.recipe.ray,
            )
        )
        self.stages.append(GradeStage(ref=ref.grade, needs=[ref], problems=problems))
        return ref

    def curate(
        self,
        ref: StageRef,
        inputs: dict[StageRef, CurateInput],
        settings: CurateSettings,
        at_most: StageRef | None = None,
    ) -> StageRef:
        """Add a data set."""
        self.stages.append(
            CurateStage(
                ref=ref,
                needs=[rollout.grade for rollout in inputs] + ([at_most] if at_most else []),
                inputs=list(inputs.values()),
                settings=settings.model_copy(update={"dataset": ref.what}),
                tokenizer=self.recipe.base_model,
                at_most=at_most,
            )
        )
        return ref

    def train(self, model: LoopModel, data: StageRef, settings: SftSettings) -> StageRef:
        """Add the training of a model from the base."""
        recipe, ref = self.recipe, trained_model(model)
        self.stages.append(
            TrainStage(
                ref=ref,
                needs=[data],
                base=recipe.base_model,
                data=data,
                settings=settings,
                launch=recipe.launch,
                cluster=recipe.cluster,
            )
        )
        return ref


def _input(rollout: StageRef, *, candidate: bool = True, reference: bool = False) -> CurateInput:
    """A rollout of the run as an input of a data set."""
    return CurateInput(rollout.folder, Path(rollout.folder), candidate=candidate, reference=reference)
