"""START's figure as a list of stages: what a recipe asks for, and what each stage waits for."""

from __future__ import annotations

from pathlib import Path

from selftaught.curation.records import CurateSettings
from selftaught.pipeline.options import PlainPass, RolloutOptions
from selftaught.pipeline.recipe import Evaluation, Recipe, Round, SeedRound
from selftaught.pipeline.stages import (
    CurateStage,
    GradeStage,
    Measured,
    Model,
    ProblemSet,
    ProblemsStage,
    ReportStage,
    RolloutStage,
    Stage,
    TrainStage,
    model_label,
)
from selftaught.runs.condition import Condition, LoopModel, greedy_condition
from selftaught.runs.folders import CurateInput
from selftaught.runs.stages import (
    Part,
    StageRef,
    data_sets,
    greedy_rollout,
    hinted_rollout,
    sampled_rollout,
    trained_model,
)
from selftaught.training.settings import SftSettings


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
            sampled_rollout(Part.START_ROUND),
            start_0,
            second.rollout,
            Condition(LoopModel.START_0).name,
            num_problems=second.num_problems,
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
            plain = self.control_samples(recipe.control, greedy, base)
            self.curate(d_rft, {plain: _input(plain)}, recipe.control.curate, at_most=d_start)
            models[LoopModel.CONTROL] = self.train(LoopModel.CONTROL, d_rft, recipe.control.train)
        if recipe.evaluate:
            self.evaluate(recipe.evaluate, models)
        return self.stages

    def evaluate(self, evaluation: Evaluation, models: dict[LoopModel | str, Model]) -> None:
        """The conditions on the test problems.

        Rounds 0…N of a model hold its plain condition as round 0, and its hinted one where that is one of the rounds.
        """
        measured: list[Measured] = []
        curves: dict[LoopModel | str, RolloutOptions] = {}
        for name in evaluation.conditions if evaluation.scaling_rounds else ():
            if Condition.parse(name) in (Condition(LoopModel.BASE), Condition(LoopModel.START)):
                options = self.test_options(evaluation, name)
                rounds = {"rounds": evaluation.scaling_rounds, "record_rounds": True, "hints": evaluation.scaling_hints}
                curves[Condition.parse(name).model] = RolloutOptions(rounds).over(options)
        for name in evaluation.conditions:
            condition = Condition.parse(name)
            model, options = models[condition.model], self.test_options(evaluation, name)
            ref, taken, curve = StageRef.evaluation(condition, by_rounds=False), None, curves.get(condition.model)
            if curve is not None:
                taken = 0 if condition == Condition(condition.model) else curve.round_that_is(options)
            rounds_ref = None if taken is None else StageRef.evaluation(Condition(condition.model), by_rounds=True)
            if rounds_ref is None:
                self.rollout(ref, ProblemSet.TEST, model, options, name)
            elif taken == 0 and curve is not None:
                self.rollout(rounds_ref, ProblemSet.TEST, model, curve, name)
            measured.append(
                Measured(
                    name=name,
                    folder=ref,
                    rounds=rounds_ref,
                    round=taken or 0,
                    model=model_label(model),
                    decoding=options.decoding,
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

    def test_options(self, evaluation: Evaluation, name: str) -> RolloutOptions:
        """All options of a condition."""
        seed = RolloutOptions({"seed": self.recipe.seed})
        return evaluation.conditions[name].over(evaluation.rollout).over(seed, self.recipe.defaults)

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

    def control_samples(self, control: Round, greedy: StageRef, base: str) -> StageRef:
        """The base's own answers without tools: the greedy pass, when the same options are asked for; else new ones."""
        defaults = (RolloutOptions({"seed": self.recipe.seed}), self.recipe.defaults)
        asked, there = (one.over(*defaults) for one in (control.rollout, self.recipe.seed_round.greedy))
        if asked.settings() == there.settings() and control.num_problems is None:
            return greedy
        condition = Condition(LoopModel.CONTROL).name
        ref = sampled_rollout(Part.CONTROL)
        return self.on_pool(ref, base, control.rollout, condition, num_problems=control.num_problems)

    def on_pool(
        self,
        ref: StageRef,
        model: Model,
        own: RolloutOptions,
        condition: str,
        plain: PlainPass | None = None,
        num_problems: int | None = None,
    ) -> StageRef:
        """Add a rollout on the pool, and its grading."""
        options = own.over(RolloutOptions({"seed": self.recipe.seed}), self.recipe.defaults)
        return self.rollout(ref, ProblemSet.POOL, model, options, condition, plain, num_problems)

    def rollout(
        self,
        ref: StageRef,
        problems: ProblemSet,
        model: Model,
        options: RolloutOptions,
        condition: str,
        plain: PlainPass | None = None,
        num_problems: int | None = None,
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
                num_problems=num_problems,
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
