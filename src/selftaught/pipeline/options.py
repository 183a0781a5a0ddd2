"""What a recipe says of a rollout: some of its settings, checked when the recipe is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import RootModel, ValidationError, model_validator

from selftaught.records import Record
from selftaught.runs.stages import StageRef

if TYPE_CHECKING:
    from selftaught.rollouts.settings import RolloutSettings


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


class PlainPass(Record):
    """The same rollout without hints, made beside it from the same tokens."""

    ref: StageRef
    condition: str
    options: RolloutOptions
