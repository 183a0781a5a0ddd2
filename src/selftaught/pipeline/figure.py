"""START's figure as a list of stages: what a recipe asks for, and what each stage waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from selftaught.curation.records import CurateSettings
from selftaught.hints.places import LEARNED, PAPER
from selftaught.pipeline.options import PlainPass, RolloutOptions
from selftaught.pipeline.recipe import Evaluation, Recipe, Round, SeedRound
from selftaught.pipeline.stages import (
    CurateStage,
    GradeStage,
    Measured,
    Model,
    PolicyStage,
    ProbeStage,
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
    compared_data_sets,
    data_sets,
    greedy_rollout,
    hinted_rollout,
    learned_policy,
    probe_rollout,
    random_greedy_rollout,
    random_rollout,
    sampled_rollout,
    trained_model,
)
from selftaught.training.settings import SftSettings


def build_stages(recipe: Recipe) -> list[Stage]:
    """All stages in an order in which they could run one after another. ValueError names an option that is wrong."""
    return _Builder(recipe).build()


@dataclass(frozen=True)
class _SeedArm:
    """The rollouts that one D_seed is made from."""

    hinted: StageRef
    greedy: StageRef
    probe: StageRef | None = None
    """On the problems that both others leave out."""

    @property
    def rollouts(self) -> list[StageRef]:
        """All of them."""
        return [self.hinted, self.greedy, *([self.probe] if self.probe is not None else [])]

    def seed_inputs(self, curate: CurateSettings) -> dict[StageRef, CurateInput]:
        """What D_seed is made from. The greedy pass says which problems the base fails without hints. It may also give
        right answers without a call, where a data set mixes such rows in. A probe gives all of that.
        """
        inputs = {
            self.hinted: _input(self.hinted),
            self.greedy: _input(self.greedy, candidate=curate.mixes_text, reference=True),
        }
        return inputs | ({self.probe: _input(self.probe, reference=True)} if self.probe is not None else {})

    def references(self, curate: CurateSettings) -> dict[StageRef, CurateInput]:
        """What round two takes from round one: how the base stands without hints, and its answers without a call."""
        mixes = curate.mixes_text
        inputs = {self.greedy: _input(self.greedy, candidate=mixes, reference=True)}
        if self.probe is not None:
            inputs[self.probe] = _input(self.probe, candidate=mixes, reference=True, text_only=True)
        return inputs


class _Builder:
    """Collects stages; each helper adds a stage and gives the reference to it."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.stages: list[Stage] = []
        self.problems = StageRef(Part.PROBLEMS)
        self.policy: StageRef | None = None
        """The stage that learns the hint policy, once it is there."""

    def build(self) -> list[Stage]:
        """START's figure, top to bottom."""
        recipe, base = self.recipe, self.recipe.base_model
        self.stages.append(
            ProblemsStage(
                ref=self.problems,
                pool=recipe.pool,
                test=recipe.test,
                decontaminate=recipe.decontaminate,
                probed_share=recipe.seed_round.learn.share if recipe.learns_hints else None,
            )
        )
        # Both trainings begin from the base: START-0 only makes the samples that START learns from.
        _, d_seed, d_start, d_rft = data_sets()
        first, second = recipe.seed_round, recipe.start_round
        arm = self.seed_round(first, base)
        start_0 = self.train(LoopModel.START_0, d_seed, first.train)
        sampled = self.on_pool(
            sampled_rollout(Part.START_ROUND),
            start_0,
            second.rollout,
            Condition(LoopModel.START_0).name,
            second.num_problems,
        )
        self.curate(d_start, {sampled: _input(sampled), **arm.references(second.curate)}, second.curate)
        start = self.train(LoopModel.START, d_start, second.train)
        models: dict[LoopModel | str, Model] = {
            LoopModel.BASE: base,
            LoopModel.START_0: start_0,
            LoopModel.START: start,
        }
        if recipe.control:
            plain = self.control_samples(recipe.control, arm, base)
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
        return self.options(evaluation.conditions[name].over(evaluation.rollout))

    def seed_round(self, first: SeedRound, base: str) -> _SeedArm:
        """Add round one up to D_seed; the rollouts that it is made from."""
        d_size, d_seed, *_ = data_sets()
        probe, problems = None, ProblemSet.POOL
        if self.recipe.learns_hints:
            probe, problems = self.learn(first, base), ProblemSet.REST
        arm = self.seed_passes(first, base, _SeedArm(hinted_rollout(), greedy_rollout(), probe), problems)
        if first.learn.random_insertion != "none":
            return self.compared(first, base, arm)
        size = None
        if first.size_of:
            settings = first.curate.model_copy(update={"rule": first.size_of})
            size = self.curate(d_size, arm.seed_inputs(settings), settings)
        self.curate(d_seed, arm.seed_inputs(first.curate), first.curate, at_most=size)
        return arm

    def learn(self, first: SeedRound, base: str) -> StageRef:
        """Add the probe and the policy that is learned from it."""
        recipe, probe = self.recipe, probe_rollout()
        self.stages.append(
            ProbeStage(
                ref=probe,
                needs=[self.problems],
                model=base,
                options=self.options(first.rollout),
                learn=first.learn,
                serving=recipe.serving,
                cluster=recipe.cluster,
            )
        )
        self.policy = learned_policy()
        self.stages.append(PolicyStage(ref=self.policy, needs=[probe], probe=probe, learn=first.learn))
        return probe

    def compared(self, first: SeedRound, base: str, learned: _SeedArm) -> _SeedArm:
        """Add the paper's random insertion beside the learned policy, and D_seed from one of both.

        Random insertion has the whole pool: without a probe nothing of it is spent before.
        """
        d_learned, d_random = compared_data_sets()
        paper = first.model_copy(update={"rollout": RolloutOptions({"hints": PAPER}).over(first.rollout)})
        random = self.seed_passes(paper, base, _SeedArm(random_rollout(), random_greedy_rollout()))
        spent, settings, d_seed = learned.rollouts, first.curate, data_sets()[1]
        self.curate(d_learned, learned.seed_inputs(settings), settings, sampled_by=spent)
        rows = random.seed_inputs(settings)
        self.curate(d_random, rows, settings, sampled_by=random.rollouts, budget_of=spent)
        if first.learn.random_insertion == "beside":
            self.curate(d_seed, learned.seed_inputs(settings), settings, at_most=d_random)
            return learned
        self.curate(d_seed, rows, settings, at_most=d_learned, sampled_by=random.rollouts, budget_of=spent)
        return random

    def seed_passes(
        self, first: SeedRound, base: str, arm: _SeedArm, problems: ProblemSet = ProblemSet.POOL
    ) -> _SeedArm:
        """Add the greedy pass and the hinted one of ``arm``, apart or as one rollout that forks."""
        condition = Condition(LoopModel.BASE, hints=True).name
        hints, greedy = self.options(first.rollout), self.options(first.greedy)
        if not first.fork:
            self.rollout(arm.greedy, problems, base, greedy, greedy_condition())
            self.rollout(arm.hinted, problems, base, hints, condition)
            return arm
        plain = PlainPass(ref=arm.greedy, condition=greedy_condition(), options=greedy)
        self.rollout(arm.hinted, problems, base, hints, condition, plain)
        self.stages.append(GradeStage(ref=arm.greedy.grade, needs=[arm.hinted], problems=problems))
        return arm

    def options(self, own: RolloutOptions) -> RolloutOptions:
        """All options of a rollout."""
        return own.over(RolloutOptions({"seed": self.recipe.seed}), self.recipe.defaults)

    def control_samples(self, control: Round, arm: _SeedArm, base: str) -> StageRef:
        """The base's own answers without tools: the greedy pass, when the same options are asked for; else new ones."""
        same = self.options(control.rollout).settings() == self.options(self.recipe.seed_round.greedy).settings()
        if same and control.num_problems is None and arm.probe is None:  # beside a probe it has a part of the pool
            return arm.greedy
        condition = Condition(LoopModel.CONTROL).name
        ref = sampled_rollout(Part.CONTROL)
        return self.on_pool(ref, base, control.rollout, condition, control.num_problems)

    def on_pool(
        self, ref: StageRef, model: Model, own: RolloutOptions, condition: str, num_problems: int | None
    ) -> StageRef:
        """Add a rollout on the pool, and its grading."""
        return self.rollout(ref, ProblemSet.POOL, model, self.options(own), condition, num_problems=num_problems)

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
        policy = self.policy if options.value("hints") == LEARNED else None
        if policy is None and options.value("hints") == LEARNED:
            raise ValueError(
                f"{ref.name}: hints is {LEARNED!r}; expected seed_round.rollout.hints: {LEARNED} beside it, which makes it"
            )
        needs = [self.problems, *([model] if isinstance(model, StageRef) else []), *([policy] if policy else [])]
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
                policy=policy,
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
        sampled_by: Sequence[StageRef] = (),
        budget_of: Sequence[StageRef] = (),
    ) -> StageRef:
        """Add a data set."""
        self.stages.append(
            CurateStage(
                ref=ref,
                needs=[_graded(one) for one in inputs]
                + ([at_most] if at_most else [])
                + [_graded(one) for one in budget_of if one not in inputs],
                inputs=list(inputs.values()),
                settings=settings.model_copy(update={"dataset": ref.what}),
                tokenizer=self.recipe.base_model,
                at_most=at_most,
                sampled_by=list(sampled_by),
                budget_of=list(budget_of),
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


def _graded(rollout: StageRef) -> StageRef:
    """The stage that grades a rollout; a probe grades by itself."""
    return rollout if rollout == probe_rollout() else rollout.grade


def _input(
    rollout: StageRef, *, candidate: bool = True, reference: bool = False, text_only: bool = False
) -> CurateInput:
    """A rollout of the run as an input of a data set."""
    return CurateInput(rollout.folder, Path(rollout.folder), candidate, reference, text_only)
