"""Stages of a run: what each reads, does and writes. ``build_stages`` is START's figure as a list.

Folders are relative to the run; a stage writes only into its own. ``needs`` names the stages that must be done before.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Field

from selftaught.curation.records import CurateSettings
from selftaught.pipeline.recipe import (
    Decontaminate,
    Launch,
    ProblemSource,
    RayWorkers,
    Recipe,
    RolloutOptions,
    Serving,
)
from selftaught.records import Record
from selftaught.training.machines import Cluster
from selftaught.training.settings import SftSettings

POOL = "problems/pool.jsonl"
TEST = "problems/test.jsonl"


class StageBase(Record):
    """What every stage has. Its name is its folder."""

    name: str
    needs: list[str] = Field(default_factory=list)

    def own_digest(self) -> str:
        """Digest of what this stage was asked to do; how it is spread over machines does not count."""
        content = self.model_dump(mode="json", exclude={"serving", "launch", "cluster", "ray"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


class ProblemsStage(StageBase):
    """Loads the pool and the test problems and removes pool problems that overlap with what is tested."""

    kind: Literal["problems"] = "problems"
    pool: ProblemSource
    test: ProblemSource | None
    decontaminate: Decontaminate


class RolloutStage(StageBase):
    """Samples trajectories: ``trajectories.jsonl``."""

    kind: Literal["rollout"] = "rollout"
    problems: str
    model: str
    """A model folder or name, or ``stage:NAME`` for one trained here."""
    options: RolloutOptions
    serving: Serving | None = None
    """Servers to start for it; None: the local engine, or a model that is an URL."""
    cluster: Cluster = Cluster()
    ray: RayWorkers | None = None


class GradeStage(StageBase):
    """Judges the trajectories that lie in ``folder``: ``grades.jsonl`` beside them."""

    kind: Literal["grade"] = "grade"
    problems: str
    folder: str


class CurateStage(StageBase):
    """Makes a data set: ``kept.jsonl``, ``dropped.jsonl``, ``funnel.json``."""

    kind: Literal["curate"] = "curate"
    inputs: list[tuple[str, bool, bool]]
    """(rollout folder, may be chosen, is a greedy reference)."""
    settings: CurateSettings
    tokenizer: str
    """The model whose tokenizer encodes changed text."""
    max_rows_of: str | None = None
    """Take at most as many rows as this data set has: the control gets no more than START."""


class TrainStage(StageBase):
    """Fine-tunes ``base`` on ``data``: a model folder."""

    kind: Literal["train"] = "train"
    base: str
    data: str
    settings: SftSettings
    launch: Launch = Launch()
    cluster: Cluster = Cluster()


class ReportStage(StageBase):
    """``report.json``, ``report.md``, ``report.html`` of the whole run."""

    kind: Literal["report"] = "report"
    conditions: dict[str, str]
    """Condition → folder with its trajectories and grades."""
    round_folders: dict[str, str]
    """Condition → folder whose trajectories record the end-of-thinking rounds; round 0 is the condition itself."""
    models: dict[str, str]
    decoding: dict[str, str]
    """Condition → how it was sampled, in words."""
    scaling_rounds: int


Stage = Annotated[
    ProblemsStage | RolloutStage | GradeStage | CurateStage | TrainStage | ReportStage, Field(discriminator="kind")
]


def build_stages(recipe: Recipe) -> list[Stage]:
    """All stages in an order in which they could run one after another."""
    builder = _Builder(recipe)
    return builder.build()


class _Builder:
    """Collects stages; each helper adds a stage and gives its name."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.stages: list[Stage] = []

    def build(self) -> list[Stage]:
        """START's figure, top to bottom."""
        recipe, base = self.recipe, self.recipe.base_model
        self.stages.append(
            ProblemsStage(name="problems", pool=recipe.pool, test=recipe.test, decontaminate=recipe.decontaminate)
        )
        seed_round, start_round = recipe.seed_round, recipe.start_round
        greedy = self.rollout("round1/greedy", POOL, base, seed_round.greedy, condition="greedy")
        hinted = self.rollout("round1/hinted", POOL, base, seed_round.rollout, condition="base+hint")
        mixes = seed_round.curate.mixes_text
        inputs = [(hinted, True, False), (greedy, mixes, True)]
        size = None
        if seed_round.size_of:
            other = seed_round.curate.model_copy(update={"rule": seed_round.size_of})
            size = self.curate("round1/d_size", inputs, other)
        d_seed = self.curate("round1/d_seed", inputs, seed_round.curate, at_most=size)
        start_0 = self.train("round1/start-0", d_seed, seed_round.train)
        sampled = self.rollout("round2/sampled", POOL, f"stage:{start_0}", start_round.rollout, condition="start-0")
        mixes = start_round.curate.mixes_text
        d_start = self.curate("round2/d_start", [(sampled, True, False), (greedy, mixes, True)], start_round.curate)
        start = self.train("round2/start", d_start, start_round.train)
        models = {"base": base, "start-0": f"stage:{start_0}", "start": f"stage:{start}"}
        if recipe.control:
            plain = self.rollout("control/sampled", POOL, base, recipe.control.rollout, condition="base-rft")
            d_rft = self.curate("control/d_rft", [(plain, True, False)], recipe.control.curate, at_most=d_start)
            models["base-rft"] = f"stage:{self.train('control/base-rft', d_rft, recipe.control.train)}"
        if recipe.evaluate:
            self.evaluate(models)
        return self.stages

    def evaluate(self, models: dict[str, str]) -> None:
        """The conditions on the test problems. Rounds 0…N of a model hold its plain condition as round 0."""
        evaluation = self.recipe.evaluate
        assert evaluation is not None
        folders: dict[str, str] = {}
        rounds: dict[str, str] = {}
        names: dict[str, str] = {}
        decoding: dict[str, str] = {}
        needs: list[str] = []
        for condition, own in evaluation.conditions.items():
            model = models[condition.removesuffix("+hint").removesuffix("-no-tools")]
            options = {**evaluation.rollout, **own}
            if condition in ("base", "start") and evaluation.scaling_rounds:
                options |= {"rounds": evaluation.scaling_rounds, "record_rounds": True, "hints": "end"}
            folder = f"eval/{condition}-rounds" if options.get("record_rounds") else f"eval/{condition}"
            needs.append(f"{self.rollout(folder, TEST, model, options, condition=condition)}/grade")
            folders[condition] = f"eval/{condition}"
            if options.get("record_rounds"):
                rounds[condition] = folder
            names[condition] = model.removeprefix("stage:")
            decoding[condition] = describe_decoding({**self.recipe.defaults, **options})
        self.stages.append(
            ReportStage(
                name="report",
                needs=needs,
                conditions=folders,
                round_folders=rounds,
                models=names,
                decoding=decoding,
                scaling_rounds=evaluation.scaling_rounds,
            )
        )

    def rollout(self, name: str, problems: str, model: str, own: RolloutOptions, condition: str) -> str:
        """A rollout and its grading; gives the folder."""
        options = {"seed": self.recipe.seed, **self.recipe.defaults, **own, "condition": condition}
        check_options(options, name)
        needs = ["problems"] + ([model.removeprefix("stage:")] if model.startswith("stage:") else [])
        self.stages.append(
            RolloutStage(
                name=name,
                needs=needs,
                problems=problems,
                model=model,
                options=options,
                serving=self.recipe.serving,
                cluster=self.recipe.cluster,
                ray=self.recipe.ray,
            )
        )
        self.stages.append(GradeStage(name=f"{name}/grade", needs=[name], problems=problems, folder=name))
        return name

    def curate(
        self, name: str, inputs: list[tuple[str, bool, bool]], settings: CurateSettings, at_most: str | None = None
    ) -> str:
        """A data set; gives its folder."""
        needs = [f"{folder}/grade" for folder, _, _ in inputs] + ([at_most] if at_most else [])
        settings = settings.model_copy(update={"dataset": name.rpartition("/")[2]})
        self.stages.append(
            CurateStage(
                name=name,
                needs=needs,
                inputs=inputs,
                settings=settings,
                tokenizer=self.recipe.base_model,
                max_rows_of=at_most,
            )
        )
        return name

    def train(self, name: str, data: str, settings: SftSettings) -> str:
        """A model trained from the base; gives its folder."""
        recipe = self.recipe
        self.stages.append(
            TrainStage(
                name=name,
                needs=[data],
                base=recipe.base_model,
                data=data,
                settings=settings,
                launch=recipe.launch,
                cluster=recipe.cluster,
            )
        )
        return name


def describe_decoding(options: RolloutOptions) -> str:
    """``greedy``, or temperature and top-p in words."""
    temperature = float(options.get("temperature", 0.0))
    return "greedy" if temperature == 0 else f"T {temperature:g}, top-p {float(options.get('top_p', 1.0)):g}"


def check_options(options: dict[str, Any], where: str) -> None:
    """ConfigError when the rollout would refuse these options."""
    from selftaught.rollouts.settings import checked_settings

    checked_settings(options, where=f"rollout options of {where}: ")
