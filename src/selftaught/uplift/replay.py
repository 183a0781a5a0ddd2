"""What a learned policy would have done on recorded forks, and what came of it: no model is asked again.

In each trajectory the policy acts at its first fork where it wants a hint. A fork has only some of the hints: where the
chosen one was not tried, the mean of the same choice (kind, place, hint) where it was tried stands in for it, so that a
policy gains nothing by choosing what was rarely tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selftaught.hints.learned import ORDER, LearnedHints, Utility, choose
from selftaught.uplift.intervals import Uplift, estimate_uplift, upper_share
from selftaught.uplift.pairs import Fate, Pair


@dataclass(frozen=True)
class Replay:
    """A policy on recorded trajectories."""

    num_trajectories: int
    num_acted: int
    """Trajectories in which it wanted a hint."""
    num_seen: int
    """Of these, those whose hint had been tried."""
    uplift: Uplift
    """Of all trajectories whose outcome is known: those left alone are ties."""
    loss_at_most: float
    """One-sided 95 % upper bound of the share of trajectories that it breaks."""
    num_right: int
    """Trajectories that are right without a hint, among those known."""
    num_broken: int
    utility: float
    """Mean utility of a trajectory."""
    extra_tokens: float
    """Mean extra tokens of a trajectory."""
    chosen: Mapping[str, int]
    """``kind at place: hint`` → how often."""


@dataclass(frozen=True)
class _Act:
    problem: str
    key: str
    """Empty where no hint was wanted."""
    pair: Pair | None
    plain_right: bool


def trajectories_of(pairs: Sequence[Pair]) -> list[list[list[Pair]]]:
    """Pairs by trajectory, then by fork in the order in which a trajectory reaches them."""
    grouped: dict[str, dict[str, list[Pair]]] = {}
    for pair in pairs:
        grouped.setdefault(pair.trajectory, {}).setdefault(pair.fork, []).append(pair)
    return [
        sorted(forks.values(), key=lambda fork: (fork[0].prefix_tokens, ORDER.get(fork[0].place, 9)))
        for forks in grouped.values()
    ]


def replay(learned: LearnedHints, pairs: Sequence[Pair]) -> Replay:
    """Replay ``learned`` on every trajectory of ``pairs``."""
    acts = [_act(learned, forks) for forks in trajectories_of(pairs)]
    return _summed(acts, learned.utility)


def _act(learned: LearnedHints, forks: Sequence[Sequence[Pair]]) -> _Act:
    first = forks[0][0]
    right = first.fate in (Fate.LOSS, Fate.BOTH)
    for fork in forks:
        at = fork[0]
        choice = choose(learned, at.kind, at.place, at.difficulty, at.features, at.fork)
        if choice.function is not None:
            pair = next((pair for pair in fork if pair.function == choice.function), None)
            return _Act(at.problem, f"{at.kind.value} at {at.place}: {choice.function}", pair, right)
    return _Act(first.problem, "", None, right)


def _summed(acts: Sequence[_Act], utility: Utility) -> Replay:
    wanted: dict[str, int] = {}
    tried: dict[str, list[Pair]] = {}
    for act in acts:
        if act.key:
            wanted[act.key] = wanted.get(act.key, 0) + 1
            if act.pair is not None:
                tried.setdefault(act.key, []).append(act.pair)
    known = [act for act in acts if not act.key or act.pair is not None]
    # A choice that was tried in one fork of three stands for three.
    weights = [wanted[act.key] / len(tried[act.key]) if act.key else 1.0 for act in known]
    signs = [act.pair.sign if act.pair is not None else 0 for act in known]
    found = estimate_uplift(signs, [act.problem for act in known], weights)
    total = sum(weights) or 1.0
    worths = [
        utility.of(act.pair.sign > 0, act.pair.sign < 0, act.pair.extra_tokens) if act.pair is not None else 0.0
        for act in known
    ]
    return Replay(
        num_trajectories=len(acts),
        num_acted=sum(wanted.values()),
        num_seen=sum(len(found) for found in tried.values()),
        uplift=found,
        loss_at_most=upper_share(found.loss * found.effective, found.effective),
        num_right=sum(act.plain_right for act in known),
        num_broken=sum(sign < 0 for sign in signs),
        utility=sum(worth * weight for worth, weight in zip(worths, weights, strict=True)) / total,
        extra_tokens=sum(
            act.pair.extra_tokens * weight for act, weight in zip(known, weights, strict=True) if act.pair is not None
        )
        / total,
        chosen=dict(sorted(wanted.items(), key=lambda item: (-item[1], item[0]))),
    )
