"""Plan: what a recipe would do, before anything is spent. ``selftaught run RECIPE --dry-run``.

Hours follow from the throughput that the recipe states, or from stages that it has timed. Memory follows from the usual
16 bytes a parameter of mixed-precision Adam, spread as the sharding says, and from one micro batch and its logits.
Problems are counted where they are on this machine.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from selftaught.curation.records import Rule
from selftaught.errors import SelftaughtError
from selftaught.heap import memory_of_machine
from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.first_prompt import first_hints, first_prompt
from selftaught.pipeline.foresee import foresee
from selftaught.pipeline.progress import clock
from selftaught.pipeline.recipe import Recipe
from selftaught.pipeline.stages import (
    CurateStage,
    GradeStage,
    PolicyStage,
    ProbeStage,
    ProblemSet,
    ProblemsStage,
    ReportStage,
    RolloutStage,
    Stage,
    TrainStage,
)
from selftaught.problems.sources import is_here, load_source
from selftaught.records import Problem, Record
from selftaught.runs.folders import RunFolder
from selftaught.runs.stages import StageRef
from selftaught.tokens.folder import model_source
from selftaught.training.settings import LOGIT_CHUNK_BYTES, SftSettings

BYTES_PER_PARAMETER_TRAINED = 16
"""bf16 weight and gradient, float32 master weight and two Adam moments."""
BYTES_PER_PARAMETER_SERVED = 2
BYTES_PER_LOGIT = 12
"""bfloat16 and float32 value, and a gradient of each."""
BYTES_PER_TOKEN_STORED = 10
"""Of ``trajectories.jsonl``: a token's number and its text."""
BRANCH_SHARE = 0.5
"""Of a trajectory: what a branch with a hint samples by itself after a place somewhere in it."""
SAMPLES = ("rollout", "probe")
"""Kinds of stages that sample."""
KV_SHARE = 0.35
"""Of a serving GPU's memory, usually left to the cache of keys and values."""


class StagePlan(Record):
    """One stage in the plan."""

    name: str
    kind: str
    needs: list[str]
    items: int
    """Trajectories, rows or problems, as far as known."""
    tokens: int = 0
    seconds: float = 0.0
    gpu_memory_gb: float | None = None
    """On each GPU, at least."""
    files: list[str] = Field(default_factory=list)
    note: str = ""
    is_left: bool = True
    """False: done already, here or in a run from which it is taken over; then it takes no tokens and no time."""


class Plan(Record):
    """The whole plan."""

    recipe: str
    config_digest: str
    base_model: str
    pool: int
    test: int
    stages: list[StagePlan]
    num_rollouts: int
    rollout_tokens: int
    trained_tokens: int
    hours: float
    """One stage after another; stages that run side by side need less."""
    hours_by_part: dict[str, float]
    """Round 1, round 2, control, evaluation."""
    disk_gb: float
    """Trajectories of all stages, the trained models and the checkpoints that stand at one time."""
    first_prompt: str
    """The first problem as the model sees it."""
    hints: list[str]
    """What may be inserted there, with the place."""
    assumptions: list[str]


def make_plan(recipe: Recipe, known: Mapping[str, str] | None = None) -> Plan:
    """Lay the recipe out. Loads problems that are at hand; never a model.

    ``known`` says of stages, by name, why nothing is left to do in them (`foresee`): they cost neither tokens nor time.
    """
    assumptions = [recipe.estimates.note] if recipe.estimates.note else []
    pool, test = _count(recipe, assumptions)
    planner = _Planner(recipe, pool[0], test[0])
    built = build_stages(recipe)
    stages = [planner.plan(stage) for stage in built]
    for row in stages:
        if known and row.name in known:
            row.note, row.tokens, row.seconds, row.is_left = known[row.name], 0, 0.0, False
    first = pool[1] or test[1]
    e = recipe.estimates
    assumptions.append(
        f"{e.rollout_tokens_per_s:,.0f} sampled and {e.train_tokens_per_s:,.0f} trained tokens a second, "
        f"{e.tokens_per_rollout:,} tokens a trajectory, {e.right_share:.0%} of the problems right, "
        f"{e.seed_share or e.right_share:.0%} in D_seed"
    )
    parts: dict[str, float] = {}
    for stage, row in zip(built, stages, strict=True):
        if row.seconds:
            part = stage.ref.part.label
            parts[part] = parts.get(part, 0.0) + row.seconds / 3600
    _warn_memory(recipe, stages, assumptions)
    return Plan(
        recipe=recipe.name,
        config_digest=recipe.digest(),
        base_model=recipe.base_model,
        pool=pool[0],
        test=test[0],
        stages=stages,
        num_rollouts=sum(s.items for s in stages if s.kind in SAMPLES and s.is_left),
        rollout_tokens=sum(s.tokens for s in stages if s.kind in SAMPLES),
        trained_tokens=sum(s.tokens for s in stages if s.kind == "train"),
        hours=round(sum(s.seconds for s in stages) / 3600, 3),
        hours_by_part={part: round(hours, 3) for part, hours in parts.items()},
        disk_gb=round(planner.disk_gb(stages), 3),
        first_prompt=first_prompt(recipe, first, assumptions),
        hints=first_hints(recipe, first),
        assumptions=assumptions,
    )


class _Planner:
    """Turns stages into rows of the plan; remembers how many rows each data set will have."""

    def __init__(self, recipe: Recipe, num_pool: int, num_test: int) -> None:
        self.recipe, self.num_pool, self.num_test = recipe, num_pool, num_test
        self.rows: dict[StageRef, int] = {}

    def plan(self, stage: Stage) -> StagePlan:
        """One row of the plan."""
        e = self.recipe.estimates
        row = StagePlan(name=stage.name, kind=stage.kind, needs=stage.need_names, items=0)
        run = RunFolder(Path())
        match stage:
            case ProblemsStage():
                row.items = self.num_pool + self.num_test
                files = [run.problem_sets.pool, run.problem_sets.removed, run.problem_sets.test]
                if stage.probed_share is not None:
                    files += [run.problem_sets.probed, run.problem_sets.rest]
            case ProbeStage():
                branches = stage.learn.probe.most_branches
                plain = self._problems(stage.problems) * int(stage.options.value("samples"))
                row.items = plain * (1 + branches)
                row.tokens = round(plain * (1 + branches * BRANCH_SHARE) * e.tokens_per_rollout)
                row.seconds = row.tokens / e.rollout_tokens_per_s
                row.gpu_memory_gb = self._serving_gb()
                row.note = f"{plain:,} without a hint, at most {branches} branches each: half a trajectory"
                folder = run.rollout(stage.ref)
                files = [folder.trajectories, folder.grades, folder.forks]
            case PolicyStage():
                files = [run.policy(stage.ref)]
            case RolloutStage():
                problems = self._problems(stage.problems)
                problems = min(problems, stage.num_problems or problems)
                first, more = problems * int(stage.options.value("samples")), stage.options.num_rounds - 1
                row.items = first * (1 + more)
                row.tokens = round(first * (1 + more * BRANCH_SHARE) * e.tokens_per_rollout)
                if more:
                    row.note = f"{first:,} without a hint, {more} rounds each: half a trajectory"
                if stage.plain is not None:
                    row.note = f"forks: {row.items:,} greedy trajectories beside, their own tokens not counted"
                row.seconds = row.tokens / e.rollout_tokens_per_s
                row.gpu_memory_gb = self._serving_gb()
                files = [run.rollout(ref).trajectories for ref in stage.writes]
            case GradeStage():
                files = [run.rollout(stage.ref).grades]
            case CurateStage():
                row.items = self._kept(stage)
                self.rows[stage.ref] = row.items
                data = run.data(stage.ref)
                files = [data.kept, data.dropped, data.funnel]
            case TrainStage():
                row.items = self.rows[stage.data]
                row.tokens = round(row.items * e.tokens_per_rollout * stage.settings.epochs)
                row.seconds = row.tokens / e.train_tokens_per_s
                row.gpu_memory_gb = self._training_gb(stage.settings)
                model = run.model(stage.ref)
                files = [model.weights, model.metrics, model.summary]
                row.note = f"{self._steps(row.items, stage.settings)} steps"
            case ReportStage():
                files = [run.report_json, run.report_markdown, run.report_page]
        row.files = [file.as_posix() for file in files]
        row.seconds = e.stage_s.get(stage.name, row.seconds)
        return row

    def _problems(self, which: ProblemSet) -> int:
        """How many problems a set has."""
        probed = round(self.recipe.seed_round.learn.share * self.num_pool) if self.recipe.learns_hints else 0
        return {
            ProblemSet.TEST: self.num_test,
            ProblemSet.POOL: self.num_pool,
            ProblemSet.PROBED: probed,
            ProblemSet.REST: self.num_pool - probed,
        }[which]

    def _steps(self, rows: int, settings: SftSettings) -> int:
        """Optimiser steps; with packing, packs that are filled to 95 %."""
        items = float(rows)
        if settings.packing:
            items = max(1.0, rows * self.recipe.estimates.tokens_per_rollout / settings.max_length / 0.95)
        return max(1, round(items * settings.epochs / settings.global_batch_size))

    def _kept(self, stage: CurateStage) -> int:
        """Rows that a data set will have, roughly."""
        e, settings = self.recipe.estimates, stage.settings
        share = (e.seed_share or e.right_share) if settings.rule is Rule.D_SEED else e.right_share
        most = round(self.num_pool * settings.max_per_problem * share)
        limits = settings.max_rows
        if "all" in limits:
            most = min(most, limits["all"])
        elif limits:
            most = min(most, sum(limits.values()))
        if stage.at_most:
            most = min(most, self.rows[stage.at_most])
        return max(1, most)

    def disk_gb(self, stages: list[StagePlan]) -> float:
        """Disk space in GB: trajectories, models in 16 bits, and the checkpoints of one training."""
        total = BYTES_PER_TOKEN_STORED * float(sum(s.tokens for s in stages if s.kind in SAMPLES))
        parameters = self._parameters() or 0.0
        trained = [stage for stage in build_stages(self.recipe) if isinstance(stage, TrainStage)]
        total += parameters * 2 * len(trained)
        if any(stage.settings.save_every_steps for stage in trained):
            # A checkpoint: bf16 weights, float32 master weights and two float32 moments, without gradients.
            total += parameters * 14 * max(stage.settings.keep_checkpoints for stage in trained)
        return total / 1e9

    def _parameters(self) -> float | None:
        """Parameters of the base model: stated, or counted from a local folder's configuration."""
        if self.recipe.estimates.parameters_b:
            return self.recipe.estimates.parameters_b * 1e9
        try:
            folder = Path(model_source(self.recipe.base_model))
            sizes = [path.stat().st_size for path in folder.glob("*.safetensors")]
        except (OSError, SelftaughtError):
            return None
        return sum(sizes) / 4 if sizes else None  # float32, as the embedded model is stored; too few for a bf16 folder

    def _training_gb(self, settings: SftSettings) -> float | None:
        """Memory of one GPU, or of the machine where none is stated, in GB while training: weights, gradients,
        optimiser, the activations of one micro batch, logits.
        """
        parameters, gpus = self._parameters(), self.recipe.estimates.num_gpus
        if parameters is None:
            return None
        state = parameters * (
            BYTES_PER_PARAMETER_TRAINED if settings.lora is None else BYTES_PER_PARAMETER_SERVED + 0.5
        )
        if not gpus:
            gpus, state = 1, state + parameters * BYTES_PER_PARAMETER_SERVED  # autocast's copy of the weights
        shards = gpus if settings.expect_sharding in ("zero3", "fsdp2") else 1
        # With checkpointing about one hidden state a layer is kept for each token: layers × hidden × 2 bytes, and both
        # grow so that layers × hidden ≈ 2.1 × parameters^0.5 × 2.
        per_token = 4.2 * parameters**0.5 * (1 if settings.gradient_checkpointing else 16)
        tokens = settings.max_length * settings.micro_batch_size
        logits = min(BYTES_PER_LOGIT * self.recipe.estimates.vocabulary * tokens, 3 * LOGIT_CHUNK_BYTES)
        return round((state / shards + per_token * tokens + logits) / 1e9, 1)

    def _serving_gb(self) -> float | None:
        """Memory of one GPU while sampling: weights spread over a replica's GPUs, plus the cache."""
        parameters, gpus = self._parameters(), self.recipe.estimates.num_gpus
        if parameters is None or not gpus:
            return None
        serving = self.recipe.serving
        each = max(1, serving.gpus_per_replica or gpus // serving.replicas) if serving else 1
        per_gpu = parameters * BYTES_PER_PARAMETER_SERVED / each / 1e9
        return round(per_gpu + KV_SHARE * self.recipe.estimates.gpu_memory_gb, 1)


def _warn_memory(recipe: Recipe, stages: list[StagePlan], assumptions: list[str]) -> None:
    """Say which stages do not fit, and which machines are taken."""
    if recipe.estimates.num_gpus:
        memory, where = recipe.estimates.gpu_memory_gb, "a GPU"
    else:
        memory, where = (memory_of_machine() or 0) / 1e9 or float("inf"), "of this machine"
    large = [s.name for s in stages if s.gpu_memory_gb and s.gpu_memory_gb > memory]
    if large:
        assumptions.append(f"DOES NOT FIT into {memory:.0f} GB {where}: {', '.join(large)}")
    if recipe.cluster.hosts:
        assumptions.append(
            f"machines {', '.join(recipe.cluster.hosts)} with {recipe.cluster.gpus_per_host} GPUs each and one shared disk; "
            "yours: --set cluster.hosts=[…]"
        )


def _count(recipe: Recipe, assumptions: list[str]) -> tuple[tuple[int, Problem | None], tuple[int, Problem | None]]:
    """(number, first problem) of pool and test; stated numbers where the problems are not here."""
    counted: list[tuple[int, Problem | None]] = []
    for name, source, stated in (
        ("pool", recipe.pool, recipe.estimates.pool_size),
        ("test", recipe.test, recipe.estimates.test_size),
    ):
        if source is None:
            counted.append((0, None))
            continue
        if not is_here(source):
            number = stated or source.limit or 0
            assumptions.append(f"{name}: {number:,} problems of {source.name}, as stated")
            counted.append((number, None))
            continue
        try:
            problems = load_source(source)
            counted.append((len(problems), problems[0]))
        except SelftaughtError as error:
            number = stated or source.limit or 0
            assumptions.append(f"{name}: {number:,} problems, as stated; {error}")
            counted.append((number, None))
    return counted[0], counted[1]


def _hours(hours: float) -> str:
    """``166.1 h``, ``45 min``."""
    return f"{hours:,.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"


def print_plan(
    recipe: Recipe, out: Path | None, *, fresh: bool = False, reuse: Sequence[Path] = (), as_json: bool
) -> None:
    """Print the plan on stdout, of what is left to do when ``out`` has begun or ``reuse`` names other runs."""
    plan = make_plan(recipe, foresee(recipe, None if fresh else out, reuse))
    if as_json:
        print(json.dumps(plan.model_dump(mode="json", exclude_none=True), ensure_ascii=False))
        return
    print(f"{plan.recipe} on {plan.base_model}: {plan.pool:,} problems in the pool, {plan.test:,} to test on")
    print(
        f"\n{'stage':<26}{'kind':<10}{'items':>10}{'tokens':>16}{'time':>10}{'GB' if not recipe.estimates.num_gpus else 'GB/GPU':>8}"
    )
    for s in plan.stages:
        if s.kind == "grade":
            continue
        memory = f"{s.gpu_memory_gb:.0f}" if (s.gpu_memory_gb or 0) >= 1 else ""
        time = clock(s.seconds) if s.seconds else ""
        tokens = f"{s.tokens:,}" if s.tokens else ""
        items = f"{s.items:,}" if s.items else ""
        line = f"{s.name:<26}{s.kind:<10}{items:>10}{tokens:>16}{time:>10}{memory:>8}  {s.note}"
        print(line.rstrip())
    parts = ", ".join(f"{part} {_hours(hours)}" for part, hours in plan.hours_by_part.items() if hours >= 0.01)
    disk = f"{plan.disk_gb:,.0f} GB" if plan.disk_gb >= 1 else f"{1000 * plan.disk_gb:,.0f} MB"
    print(
        f"\n{plan.num_rollouts:,} trajectories, {plan.rollout_tokens:,} tokens to sample, {plan.trained_tokens:,} to train on; "
        f"about {_hours(plan.hours)} one stage after another ({parts}); {disk} of disk."
    )
    print("\nAssumed: " + "\n         ".join(plan.assumptions))
    print(
        f"\nFiles, below {out or 'RUN'}: {RunFolder(Path()).record}, "
        + ", ".join(file for s in plan.stages for file in s.files)
    )
    print("\nThe first prompt:\n" + "\n".join("  | " + line for line in plan.first_prompt.splitlines()))
    print("Hints that may be inserted after it:")
    width = max(80, shutil.get_terminal_size().columns)
    for hint in plan.hints or ["none"]:
        print("  - " + hint[: 4 * width])
