"""Forks as pairs: each hinted branch beside the plain branch of its fork, which shares its prefix and random numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from selftaught.records import ProblemKind
from selftaught.uplift.records import Features, Fork, ForkBranch


class Fate(StrEnum):
    """What the hint made of a prefix."""

    GAIN = "gain"
    """Only the hinted branch is right."""
    LOSS = "loss"
    """Only the plain branch is right."""
    BOTH = "both"
    NEITHER = "neither"


FATES: tuple[Fate, ...] = tuple(Fate)


@dataclass(frozen=True, slots=True)
class Pair:
    """One hinted branch against the plain branch of its fork."""

    fork: str
    problem: str
    kind: ProblemKind
    difficulty: str
    """The problem's own level; empty where none is stated."""
    place: str
    function: str
    fate: Fate
    weight: float
    """1 / probability with which the place was chosen."""
    features: Features
    prefix_tokens: int
    plain_tokens: int
    """Sampled after the fork, without the hint."""
    hint_tokens: int
    """Sampled after the fork, with it."""
    plain_truncated: bool
    hint_truncated: bool
    accepted: bool
    """The hinted branch would enter D_seed."""

    @property
    def sign(self) -> int:
        """+1 for a gain, -1 for a loss, else 0."""
        return (self.fate is Fate.GAIN) - (self.fate is Fate.LOSS)

    @property
    def extra_tokens(self) -> int:
        """Sampled tokens that the hint costs; negative where it saves some."""
        return self.hint_tokens - self.plain_tokens

    @property
    def trajectory(self) -> str:
        """The trajectory that was forked: two forks may be of one."""
        return self.fork.rpartition("@")[0] or self.fork

    @property
    def arm(self) -> tuple[str, str]:
        """(function, place)."""
        return self.function, self.place


def fate_of(plain: bool, hinted: bool) -> Fate:
    """The fate of a pair from both verdicts."""
    if plain:
        return Fate.BOTH if hinted else Fate.LOSS
    return Fate.GAIN if hinted else Fate.NEITHER


def pairs_of(forks: Iterable[Fork]) -> list[Pair]:
    """All pairs. A branch without a verdict (engine or sandbox failed) gives none: nothing is known of it.

    A truncated branch counts as wrong, as in every other table: the token budget is part of the setting.
    """
    return [
        _pair(fork, fork.plain, branch)
        for fork in forks
        if fork.plain is not None and fork.plain.correct is not None
        for branch in fork.hinted
        if branch.correct is not None
    ]


def _pair(fork: Fork, plain: ForkBranch, hinted: ForkBranch) -> Pair:
    return Pair(
        fork=fork.id,
        problem=fork.problem_id,
        kind=fork.kind,
        difficulty=fork.difficulty or "",
        place=fork.place.value,
        function=hinted.function or hinted.arm.partition("/")[0],
        fate=fate_of(bool(plain.correct), bool(hinted.correct)),
        weight=1 / fork.probability,
        features=fork.features,
        prefix_tokens=fork.prefix_tokens,
        plain_tokens=plain.sampled_tokens,
        hint_tokens=hinted.sampled_tokens,
        plain_truncated=plain.truncated,
        hint_truncated=hinted.truncated,
        accepted=bool(hinted.accepted),
    )
