"""A hint policy that was learned from forks: its file, and the choice at one place (docs/adaptive.md).

``hints learn`` writes the file, ``--hints FILE.json`` takes it. Design A (``cells``) holds a Dirichlet posterior over the
four fates of a pair for each cell (kind of problem, place, difficulty) and hint. Design B (``features``) holds a
multinomial logistic regression over the features of the place. ``paper`` is the paper's policy, where too little is
known. Choices need no numpy and draw nothing from a generator: the same features give the same choice.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, ValidationError

from selftaught.complaints import complaint
from selftaught.errors import ConfigError
from selftaught.hints.functions import HintFunction, Strict
from selftaught.records import ProblemKind

FORMAT = "selftaught-learned-hints"
LEARNED_VERSION = 1
"""Raised when a field of the file changes its meaning; readers refuse files of a newer version."""

Features = Mapping[str, float | str | bool]

ORDER: dict[str, int] = {"start": 0, "paragraph": 1, "word": 1, "conclusion": 2, "end": 3, "repetition": 4}
"""Place → its turn in a trajectory: a hint may wait for a later place."""


class _Part(Strict):
    """A part of the file. NaN and infinities, which Python's JSON reader takes, are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LearnedFrom(_Part):
    """The data that a policy was learned from."""

    digest: str
    """SHA-256 of the forks that it was learned from, 16 hex digits."""
    num_forks: int
    num_pairs: int
    num_problems: int
    models: list[str]
    halves: str = ""
    """Which part of the forks was learned from, and which was kept for the report."""
    version: str = ""
    """Version of selftaught."""


class Utility(_Part):
    """What a hint is worth: P(gain) - loss_weight x P(loss) - token_cost x extra tokens / typical_tokens."""

    loss_weight: float = Field(default=2.0, ge=0)
    token_cost: float = Field(default=0.1, ge=0)
    """Gains that it undoes to sample twice as many tokens."""
    typical_tokens: float = Field(default=1000.0, gt=0)
    """Mean length of the trajectories without a hint that were learned from, in sampled tokens."""
    max_loss: float = Field(default=0.02, gt=0, le=1)
    loss_risk: float = Field(default=0.1, gt=0, le=1)
    """A hint is barred unless P(P(loss) > max_loss) is below this."""

    def of(self, gain: float, loss: float, extra_tokens: float) -> float:
        """The utility of one hint."""
        return gain - self.loss_weight * loss - self.token_cost * extra_tokens / self.typical_tokens


class ArmPosterior(_Part):
    """What is known of one hint in one cell: parameters of the Dirichlet posterior over the four fates."""

    pairs: float
    """Effective number of pairs of this cell and hint; the prior's are not among them."""
    gain: float = Field(gt=0)
    loss: float = Field(gt=0)
    both: float = Field(gt=0)
    neither: float = Field(gt=0)
    extra_tokens: float
    risk: float
    """P(P(loss) > max_loss)."""
    barred: bool

    @property
    def total(self) -> float:
        """Sum of the parameters."""
        return self.gain + self.loss + self.both + self.neither


class Cell(_Part):
    """One kind of problem at one place; ``difficulty`` is empty for all levels together."""

    kind: ProblemKind
    place: str
    difficulty: str = ""
    wait: float = 0.0
    """What the best hint of a later place is worth: a hint here must be worth more."""
    arms: dict[str, ArmPosterior]


class Column(_Part):
    """One column of the regression: a number, or whether a feature has ``level``; less ``mean``, over ``scale``."""

    name: str
    level: str | None = None
    mean: float
    scale: float = Field(gt=0)
    gain: float
    """Weight in the log-odds of a gain against a tie."""
    loss: float

    def value(self, features: Features) -> float:
        """The standardised value; 0, its mean, where the feature is missing."""
        found = features.get(self.name)
        if found is None:
            return 0.0
        number = float(str(found) == self.level) if self.level is not None else as_number(found)
        return (number - self.mean) / self.scale if number is not None else 0.0

    @property
    def label(self) -> str:
        """As an explanation names it."""
        return self.name if self.level is None else f"{self.name} {self.level}"


class FeatureModel(_Part):
    """Multinomial logistic regression over gain, loss and tie (design B)."""

    gain_bias: float
    loss_bias: float
    columns: list[Column]
    threshold: float = Field(default=0.0)
    """A hint must be worth more than this: so much that the losses of the pairs above it stay below the bound."""

    def shares(self, features: Features) -> tuple[float, float]:
        """(P(gain), P(loss))."""
        values = [column.value(features) for column in self.columns]
        gain = self.gain_bias + sum(c.gain * v for c, v in zip(self.columns, values, strict=True))
        loss = self.loss_bias + sum(c.loss * v for c, v in zip(self.columns, values, strict=True))
        top = max(gain, loss, 0.0)
        parts = math.exp(gain - top), math.exp(loss - top), math.exp(-top)
        return parts[0] / sum(parts), parts[1] / sum(parts)

    def reasons(self, features: Features, most: int = 3) -> str:
        """The columns that move the log-odds of a gain most, in words: ``entropy 1.31 (+0.42), calls 0 (-0.20)``."""
        moved = [(column.gain * column.value(features), column) for column in self.columns]
        moved = sorted((one for one in moved if abs(one[0]) >= 0.005), key=lambda one: (-abs(one[0]), one[1].label))
        return ", ".join(f"{_told(column, features)} ({share:+.2f})" for share, column in moved[:most])


class LearnedHints(_Part):
    """The file."""

    format: Literal["selftaught-learned-hints"]
    schema_version: int = LEARNED_VERSION
    design: Literal["paper", "cells", "features"]
    why: str = ""
    """Why this design, in words."""
    learned_from: LearnedFrom
    utility: Utility = Utility()
    choose: Literal["mean", "thompson"] = "mean"
    """For ``cells``: the best posterior mean, or the best of one draw from each posterior."""
    cells: list[Cell] = Field(default_factory=list)
    features: FeatureModel | None = None
    functions: dict[str, HintFunction] = Field(default_factory=dict)
    """The words of every hint that it may choose, as they were when it learned."""

    def cell(self, kind: ProblemKind, place: str, difficulty: str = "") -> Cell | None:
        """What is known of a place: of this difficulty, else of all."""
        found = [cell for cell in self.cells if cell.kind == kind and cell.place == place]
        return next((cell for level in (difficulty, "") for cell in found if cell.difficulty == level), None)

    def places(self, kind: ProblemKind) -> list[str]:
        """Places of which something is known, in their order in a trajectory."""
        found = {cell.place for cell in self.cells if cell.kind == kind}
        return sorted(found, key=lambda place: (ORDER.get(place, 9), place))


@dataclass(frozen=True, slots=True)
class LearnedChoice:
    """The choice at one place; ``function`` is None for no hint."""

    function: str | None
    reason: str
    utility: float = 0.0


def choose(
    learned: LearnedHints,
    kind: ProblemKind,
    place: str,
    difficulty: str = "",
    features: Features | None = None,
    key: str = "",
) -> LearnedChoice:
    """Which hint, if any, goes in at ``place``. ``key`` names the occasion; only Thompson sampling draws from it."""
    cell = learned.cell(kind, place, difficulty)
    where = f"{kind.value} at {place}" + (f", {cell.difficulty}" if cell is not None and cell.difficulty else "")
    if cell is None or not cell.arms:
        return LearnedChoice(None, f"nothing is known of {where}")
    given = {**(features or {}), "kind": kind.value, "place": place}
    if difficulty:
        given["difficulty"] = difficulty
    ranked = sorted(_worths(learned, cell, given, f"{key}\x00{place}"), key=lambda one: (-one[1], one[0]))
    if not ranked:
        risk = learned.utility.max_loss
        return LearnedChoice(None, f"{where}: every hint is barred, since it may lose more than {risk:.1%}")
    name, worth, words = ranked[0]
    bar = max(0.0, cell.wait, learned.features.threshold if learned.design == "features" and learned.features else 0.0)
    said = f"{where}: {words}, worth {worth:+.3f}"
    if worth <= bar:
        what = "waiting for a later place is worth" if bar == cell.wait and bar > 0 else "needed more than"
        return LearnedChoice(None, f"{said}; {what} {bar:.3f}", worth)
    return LearnedChoice(name, f"{said}, best of {len(ranked)}", worth)


def _worths(learned: LearnedHints, cell: Cell, given: Features, key: str) -> Iterator[tuple[str, float, str]]:
    """(hint, utility, in words) of every hint that may be chosen."""
    model = learned.features
    for name, arm in cell.arms.items():
        if learned.design == "features" and model is not None:
            own = {**given, "function": name}
            gain, loss = model.shares(own)
            why = model.reasons(own)
            words = f"{name} gains {gain:.1%}, loses {loss:.1%}" + (f" by {why}" if why else "")
        elif arm.barred:
            continue
        else:
            gain, loss = arm.gain / arm.total, arm.loss / arm.total
            words = f"{name} gains {gain:.1%}, loses {loss:.1%}, from {arm.pairs:.0f} pairs"
            if learned.choose == "thompson":
                gain, loss = _drawn(arm, f"{key}\x00{name}")
                words += f", drew {gain:.1%} and {loss:.1%}"
        yield name, learned.utility.of(gain, loss, arm.extra_tokens), words


def _drawn(arm: ArmPosterior, key: str) -> tuple[float, float]:
    """One draw of (P(gain), P(loss)) from the posterior, by a generator that is seeded with the occasion."""
    generator = random.Random(key)  # a text seed is hashed with SHA-512: the same on every machine
    parts = [generator.gammavariate(alpha, 1.0) for alpha in (arm.gain, arm.loss, arm.both, arm.neither)]
    total = sum(parts) or 1.0
    return parts[0] / total, parts[1] / total


def as_number(value: float | str | bool) -> float | None:
    """A feature as a number; None for words and for what is not finite."""
    if isinstance(value, str):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _told(column: Column, features: Features) -> str:
    if column.level is not None:
        return column.label if str(features.get(column.name)) == column.level else f"not {column.label}"
    found = features.get(column.name)
    return f"{column.name} {float(found):.3g}" if found is not None and not isinstance(found, str) else column.name


def read_learned(path: Path) -> LearnedHints:
    """A learned policy. ConfigError in one line when the file is none, or one of a newer version."""
    should = "expected a policy that `selftaught hints learn` wrote"
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} cannot be read (byte {error.start + 1} is not UTF-8); {should}.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); {should}.") from None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON ({str(error).partition(':')[0]}); {should}.") from None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise ConfigError(f"{path} has no format {FORMAT!r}; {should}.")
    version = value.get("schema_version", LEARNED_VERSION)
    if isinstance(version, int) and version > LEARNED_VERSION:
        raise ConfigError(
            f"{path}: schema_version is {version}; this selftaught reads up to {LEARNED_VERSION}. Upgrade it."
        )
    try:
        learned = LearnedHints.model_validate(value)
    except ValidationError as error:
        raise ConfigError(f"{path}: {complaint(error, LearnedHints.model_fields, whole='the policy')}") from None
    if learned.design == "features" and learned.features is None:
        raise ConfigError(f"{path}: design is 'features' but features is empty; {should}.")
    unknown = sorted({name for cell in learned.cells for name in cell.arms} - set(learned.functions))
    if unknown:
        raise ConfigError(f"{path}: functions lacks the words of {unknown[0]!r}, which a cell may choose; {should}.")
    return learned
