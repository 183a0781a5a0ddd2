"""What a recipe says of a rollout: some of its settings, checked when the recipe is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, RootModel, ValidationError, model_validator

from selftaught.records import Record
from selftaught.runs.stages import StageRef

if TYPE_CHECKING:
    from selftaught.rollouts.probe_settings import ProbeSettings
    from selftaught.rollouts.settings import RolloutSettings
    from selftaught.uplift.learn import LearnSettings


class RolloutOptions(RootModel[dict[str, Any]]):
    """Settings of a rollout by their flat keys (``temperature``, ``tools``); those that are not named keep their
    default.

    A recipe's file stays a plain mapping; ``settings`` gives the typed whole.
    """

    root: dict[str, Any] = {}

    @model_validator(mode="after")
    def _checked(self) -> RolloutOptions:
        self.settings()
        return self

    def settings(self, **more: Any) -> RolloutSettings:
        """All settings, with ``more`` over the options.

        ValueError names the key that is wrong, and the nearest known one.
        """
        from selftaught.rollouts.settings import RolloutSettings, complaint

        try:
            return RolloutSettings.model_validate({**self.root, **more})
        except ValidationError as error:
            raise ValueError(complaint(error)) from None

    def over(self, *defaults: RolloutOptions) -> RolloutOptions:
        """These options over ``defaults``, of which the later ones count more."""
        merged: dict[str, Any] = {}
        for options in (*defaults, self):
            merged |= options.root
        return RolloutOptions(merged)

    def value(self, key: str) -> Any:
        """One setting, given or default."""
        return self.settings().content()[key]

    @property
    def decoding(self) -> str:
        """``greedy``, or temperature and top-p in words."""
        temperature = float(self.value("temperature"))
        return "greedy" if temperature == 0 else f"T {temperature:g}, top-p {float(self.value('top_p')):g}"

    @property
    def num_rounds(self) -> int:
        """Trajectories that one sample gives: one, or one for each end-of-thinking round from 0."""
        return int(self.value("rounds")) + 1 if self.value("record_rounds") else 1

    def round_that_is(self, other: RolloutOptions) -> int | None:
        """Of options that record rounds: the round that ``other`` ends with, when it asks for nothing else."""
        rounds = int(other.value("rounds"))
        alone = RolloutOptions({**self.root, "rounds": rounds, "record_rounds": False})
        there = 0 < rounds < self.num_rounds and not other.value("record_rounds")
        return rounds if there and alone.settings() == other.settings() else None


def as_probe(settings: RolloutSettings) -> RolloutSettings:
    """The same rollout as a probe makes it: without hints of its own, and with how sure the model is at each place."""
    scores = "triggers" if settings.sampling.logprobs == "none" else settings.sampling.logprobs
    return settings.changed(hints="none", rounds=0, record_rounds=False, condition="probe", logprobs=scores)


class PlainPass(Record):
    """The same rollout without hints, made beside it from the same tokens."""

    ref: StageRef
    condition: str
    options: RolloutOptions


class HintLearning(Record):
    """How round one learns its hint policy, where `seed_round.rollout.hints` is `learned`: a probe on a share of the
    pool, a policy from it, and that policy for the rest.
    """

    share: float = Field(default=0.3, gt=0, lt=1)
    """Share of the pool that is probed. Which problems that are follows from a hash of their ids."""
    places: tuple[str, ...] = ("start", "paragraph", "word", "conclusion", "end")
    """Places that may be forked, as `hints probe --places` takes them."""
    forks: int = Field(default=1, ge=1, le=6)
    """Most places of one trajectory, each of another kind."""
    hints: tuple[str, ...] = ()
    """Hints to try at each place (`hints probe --try`); without any, some of the paper's are drawn."""
    hints_each: int = Field(default=2, ge=1, le=20)
    """Hints drawn for each place, where none are named."""
    design: Literal["a", "b", "auto"] = "auto"
    """`a`: posteriors by kind and place. `b`: a regression over features. `auto`: the better one."""
    loss_weight: float = Field(default=2.0, ge=0)
    """Gains that one loss undoes."""
    token_cost: float = Field(default=0.1, ge=0)
    """Gains that twice the tokens undo."""
    max_loss: float = Field(default=0.02, gt=0, le=1)
    """Share of the places that a hint may break."""
    loss_risk: float = Field(default=0.1, gt=0, le=1)
    """A hint is barred unless P(it breaks more) is below this."""
    random_insertion: Literal["none", "beside", "trained"] = "none"
    """The control: the paper's policy `auto` on the whole pool, up to the sampled tokens that the probe and the learned
    policy took. `beside`: its data set is made beside D_seed. `trained`: D_seed is made from it, and the learned one
    stands beside. Either way D_seed has no more rows than the other data set."""

    @property
    def probe(self) -> ProbeSettings:
        """The forks to make."""
        from selftaught.rollouts.probe_settings import ProbeSettings

        return ProbeSettings(places=self.places, forks=self.forks, hints=self.hints, hints_each=self.hints_each)

    @property
    def learning(self) -> LearnSettings:
        """How to learn from them: from all, since the rest of the pool and the test problems report."""
        from selftaught.hints.learned import Utility
        from selftaught.uplift.learn import LearnSettings

        utility = Utility(
            loss_weight=self.loss_weight,
            token_cost=self.token_cost,
            max_loss=self.max_loss,
            loss_risk=self.loss_risk,
        )
        return LearnSettings(design=self.design, utility=utility, learn_on="all")
