"""A condition: which model was asked, with or without hints and tools, and whether round by round.

The only module that makes a condition's name or reads one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

from selftaught.runs.names import CONDITIONS, FILES


class Curve(Enum):
    """What is recorded round by round: extra thinking started by a hint, or by "Wait" without tools."""

    HINTS = "hints"
    BUDGET_FORCING = "budget_forcing"


class LoopModel(Enum):
    """The models of START's loop."""

    BASE = "base"
    START_0 = "start_0"
    START = "start"
    CONTROL = "control"
    """Rejection-sampled without tools: what START is measured against."""

    @property
    def label(self) -> str:
        """Its name in tables and recipes."""
        return str(getattr(CONDITIONS, self.value))


@dataclass(frozen=True)
class Condition:
    """One setting under which problems are answered. ``model`` is a `LoopModel` or any name of the user's."""

    model: LoopModel | str
    hints: bool = False
    tools: bool = True
    curve: Curve | None = None
    """Set when every end-of-thinking round is recorded apart."""

    @property
    def name(self) -> str:
        """As trajectories and tables carry it: ``start+hint``, ``start-no-tools``; the curve is not part of it."""
        model = self.model.label if isinstance(self.model, LoopModel) else self.model
        return model + (CONDITIONS.hints if self.hints else "") + ("" if self.tools else CONDITIONS.no_tools)

    @property
    def title(self) -> str:
        """The name, and for a curve by which method: ``start by rounds (hints)``."""
        return self.name if self.curve is None else f"{self.name}{CONDITIONS.curve}({self.curve.value})"

    @classmethod
    def parse(cls, name: str) -> Condition:
        """The condition of a name or a title. A name of no loop model is taken as the model's own name."""
        curve = None
        titled = re.fullmatch(rf"(.*){re.escape(CONDITIONS.curve)}\((.*)\)", name, re.DOTALL)
        if titled and titled[2] in {known.value for known in Curve}:
            name, curve = titled[1], Curve(titled[2])
        model, tools = _without(name, CONDITIONS.no_tools)
        model, hints = _without(model, CONDITIONS.hints)
        known = {role.label: role for role in LoopModel}
        return cls(known.get(model, model), hints=hints, tools=not tools, curve=curve)

    @classmethod
    def from_folder(cls, folder: str) -> Condition:
        """The condition that an evaluation's folder was named after."""
        for ending, curve in _curve_folders().items():
            plain, ends = _without(folder, ending)
            if ends:
                return replace(cls.parse(plain), curve=curve)
        return cls.parse(folder)

    @property
    def folder(self) -> str:
        """Name of its folder in an evaluation, before characters that a file system dislikes are replaced."""
        endings = {curve: ending for ending, curve in _curve_folders().items()}
        return self.name + (endings[self.curve] if self.curve else "")

    @property
    def plain(self) -> Condition:
        """The same without the curve."""
        return replace(self, curve=None)


def loop_conditions() -> tuple[Condition, ...]:
    """START's conditions in the order of every table."""
    return (
        Condition(LoopModel.BASE),
        Condition(LoopModel.BASE, hints=True),
        Condition(LoopModel.CONTROL),
        Condition(LoopModel.START_0),
        Condition(LoopModel.START),
        Condition(LoopModel.START, hints=True),
        Condition(LoopModel.START, tools=False),
    )


def loop_names() -> tuple[str, ...]:
    """Their names."""
    return tuple(condition.name for condition in loop_conditions())


def greedy_condition() -> str:
    """Name of the greedy pass over the pool, which is no condition of its own in a table."""
    return CONDITIONS.greedy


def tabled_as(name: str) -> str:
    """The condition that trajectories of this name are tabled under: the greedy pass is the base."""
    return LoopModel.BASE.label if name == CONDITIONS.greedy else name


def _curve_folders() -> dict[str, Curve]:
    """Ending of a folder's name → the curve in it."""
    return {FILES.hint_curve: Curve.HINTS, FILES.forcing_curve: Curve.BUDGET_FORCING}


def _without(text: str, ending: str) -> tuple[str, bool]:
    """(text without the ending, whether it was there and not all of it)."""
    ends = text.endswith(ending) and len(text) > len(ending)
    return (text[: -len(ending)], True) if ends else (text, False)
