"""From forks to a policy file: designs A and B, cross-validated by problem, or the paper's policy where little is known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from selftaught.hints.functions import HintFunction
from selftaught.hints.learned import FORMAT, Cell, FeatureModel, LearnedFrom, LearnedHints, Utility
from selftaught.records import ProblemKind
from selftaught.uplift.cells import Key, cell_worths, fit_cells, reach_of, with_waits
from selftaught.uplift.logistic import (
    Bin,
    calibration,
    features_of,
    fit_features,
    qini,
)
from selftaught.uplift.pairs import Fate, Pair, pairs_of
from selftaught.uplift.records import Fork
from selftaught.uplift.replay import Replay, replay
from selftaught.version import __version__

FEWEST_PAIRS = 100
FEWEST_DISCORDANT = 10
"""Below so many pairs, or so many in which one branch alone is right, the paper's policy is written."""
FOLDS = 5
NEVER = 1e6
"""A threshold that no hint reaches."""

Name = Literal["a", "b", "auto"]
Half = Literal["all", "first", "second"]


@dataclass(frozen=True)
class LearnSettings:
    """How to learn."""

    design: Name = "auto"
    utility: Utility = field(default_factory=Utility)
    choose: Literal["mean", "thompson"] = "mean"
    learn_on: Half = "first"
    """Problems are split into halves by their ids. What is not learned from is reported on."""


@dataclass(frozen=True)
class FeatureCheck:
    """How well design B foretells, on problems that it was not fitted on."""

    bins: list[Bin]
    """Of the chance of a gain."""
    qini: float
    num_pairs: int


@dataclass(frozen=True)
class Learned:
    """The policy with what is known of its worth."""

    policy: LearnedHints
    utilities: dict[str, float]
    """Design → cross-validated mean utility of a trajectory; empty for the paper's policy."""
    held_out: Replay | None
    """On the other half; None where nothing is left."""
    check: FeatureCheck | None = None


def learn(forks: Sequence[Fork], functions: dict[str, HintFunction], settings: LearnSettings) -> Learned:
    """Learn a policy from ``forks``; ``functions`` gives the words of their hints."""
    mine = [fork for fork in forks if settings.learn_on == "all" or half_of(fork.problem_id) == settings.learn_on]
    others = [fork for fork in forks if settings.learn_on != "all" and half_of(fork.problem_id) != settings.learn_on]
    pairs, rest = pairs_of(mine), pairs_of(others)
    differ = sum(pair.sign != 0 for pair in pairs)
    source = learned_from(mine, pairs, settings.learn_on)
    if len(pairs) < FEWEST_PAIRS or differ < FEWEST_DISCORDANT:
        why = (
            f"{len(pairs)} pairs, {differ} of them with one branch right; "
            f"at least {FEWEST_PAIRS} and {FEWEST_DISCORDANT} are needed, so this is the paper's policy"
        )
        return Learned(_file("paper", why, source, settings, [], None, {}), {}, None)
    known = {name: functions[name] for name in sorted({pair.function for pair in pairs}) if name in functions}
    pairs = [pair for pair in pairs if pair.function in known]
    lengths = {fork.id: fork.prefix_tokens + fork.plain.sampled_tokens for fork in mine if fork.plain is not None}
    typical = round(max(1.0, sum(lengths.values()) / len(lengths)), 1)
    settings = replace(settings, utility=settings.utility.model_copy(update={"typical_tokens": typical}))
    designs: dict[str, Callable[[Sequence[Pair]], LearnedHints]] = {
        "cells": lambda part: fit_a(part, source, settings, known),
        "features": lambda part: fit_b(part, source, settings, known),
    }
    if settings.design != "auto":
        designs = {
            name: fit for name, fit in designs.items() if name == {"a": "cells", "b": "features"}[settings.design]
        }
    utilities = {name: cross_validated(pairs, fit) for name, fit in designs.items()}
    best = max(utilities, key=lambda name: (utilities[name], name == "cells"))
    beside = ", ".join(f"{name} {value:+.4f}" for name, value in utilities.items())
    policy = designs[best](pairs).model_copy(
        update={"why": f"mean utility of a trajectory, {FOLDS}-fold cross-validated by problem: {beside}"}
    )
    check = check_features(pairs) if "features" in designs else None
    return Learned(policy, utilities, replay(policy, rest) if rest else None, check)


def fit_a(
    pairs: Sequence[Pair], source: LearnedFrom, settings: LearnSettings, functions: dict[str, HintFunction]
) -> LearnedHints:
    """Design A."""
    cells = fit_cells(pairs, settings.utility)
    learned = _file("cells", "", source, settings, cells, None, functions)
    return with_waits(learned, cell_worths(cells, settings.utility), reach_of(pairs))


def fit_b(
    pairs: Sequence[Pair], source: LearnedFrom, settings: LearnSettings, functions: dict[str, HintFunction]
) -> LearnedHints:
    """Design B, with the threshold above which its losses stay within the bound."""
    cells = fit_cells(pairs, settings.utility)
    threshold = safe_threshold(pairs, settings.utility)
    learned = _file("features", "", source, settings, cells, fit_features(pairs, threshold=threshold), functions)
    return with_waits(learned, _feature_worths(learned, pairs), reach_of(pairs))


def _feature_worths(learned: LearnedHints, pairs: Sequence[Pair]) -> dict[Key, float]:
    """Mean value of design B's best hint over the forks of each cell, where it would act at all."""
    model, extra = learned.features, extra_tokens(learned.cells)
    assert model is not None
    best: dict[Key, dict[str, float]] = {}
    for pair in pairs:
        worth = learned.utility.of(*model.shares(features_of(pair)), extra[pair.kind, *pair.arm])
        for level in {"", pair.difficulty}:
            forks = best.setdefault((pair.kind, pair.place, level), {})
            forks[pair.fork] = max(forks.get(pair.fork, 0.0), worth if worth > model.threshold else 0.0)
    return {key: sum(forks.values()) / len(forks) for key, forks in best.items()}


def safe_threshold(pairs: Sequence[Pair], utility: Utility) -> float:
    """The least utility, 0 or more, above which P(P(loss) > max_loss) is below the risk, out of fold.

    `NEVER` where no threshold does: then too few pairs are known to be safe.
    """
    from scipy.special import betainc

    worths = out_of_fold(pairs, utility)
    ranked = sorted(zip(worths, pairs, strict=True), key=lambda one: (-one[0], one[1].fork, one[1].function))
    threshold, losses = NEVER, 0
    for number, (worth, pair) in enumerate(ranked, start=1):
        if worth <= 0:
            break
        losses += pair.fate is Fate.LOSS
        following = max(0.0, ranked[number][0]) if number < len(ranked) else 0.0
        risk = 1 - float(betainc(losses + 0.5, number - losses + 0.5, utility.max_loss))
        if risk < utility.loss_risk and following < worth:
            threshold = following
    return round(threshold, 9)


def out_of_fold(pairs: Sequence[Pair], utility: Utility) -> list[float]:
    """Each pair's utility as design B foretells it when fitted without its problem."""
    extra = extra_tokens(fit_cells(pairs, utility))
    worths = [0.0] * len(pairs)
    for number in range(FOLDS):
        train = [pair for pair in pairs if fold_of(pair.problem) != number]
        model = fit_features(train) if train else None
        for index, pair in enumerate(pairs):
            if model is not None and fold_of(pair.problem) == number:
                worths[index] = utility.of(*model.shares(features_of(pair)), extra[pair.kind, *pair.arm])
    return worths


def extra_tokens(cells: Sequence[Cell]) -> dict[tuple[ProblemKind, str, str], float]:
    """(kind, hint, place) → mean extra tokens: what a hint costs must be known before it is put in."""
    return {
        (cell.kind, name, cell.place): arm.extra_tokens
        for cell in cells
        if not cell.difficulty
        for name, arm in cell.arms.items()
    }


def check_features(pairs: Sequence[Pair]) -> FeatureCheck:
    """Calibration of the chance of a gain, and Qini, out of fold."""
    gains, uplifts, seen = [], [], []
    for number in range(FOLDS):
        train = [pair for pair in pairs if fold_of(pair.problem) != number]
        test = [pair for pair in pairs if fold_of(pair.problem) == number]
        if train and test:
            model = fit_features(train)
            shares = [model.shares(features_of(pair)) for pair in test]
            gains += [gain for gain, _ in shares]
            uplifts += [gain - loss for gain, loss in shares]
            seen += test
    bins = calibration(gains, [pair.sign > 0 for pair in seen])
    return FeatureCheck(bins, qini(uplifts, [pair.sign for pair in seen]), len(seen))


def cross_validated(pairs: Sequence[Pair], fit: Callable[[Sequence[Pair]], LearnedHints]) -> float:
    """Mean utility of a trajectory on problems that the policy did not learn from."""
    total, count = 0.0, 0
    for number in range(FOLDS):
        train = [pair for pair in pairs if fold_of(pair.problem) != number]
        test = [pair for pair in pairs if fold_of(pair.problem) == number]
        if train and test:
            found = replay(fit(train), test)
            total += found.utility * found.num_trajectories
            count += found.num_trajectories
    return total / count if count else 0.0


def _file(
    design: Literal["paper", "cells", "features"],
    why: str,
    source: LearnedFrom,
    settings: LearnSettings,
    cells: list[Cell],
    model: FeatureModel | None,
    functions: dict[str, HintFunction],
) -> LearnedHints:
    return LearnedHints(
        format=FORMAT,
        design=design,
        why=why,
        learned_from=source,
        utility=settings.utility,
        choose=settings.choose,
        cells=cells,
        features=model,
        functions=functions,
    )


def learned_from(forks: Sequence[Fork], pairs: Sequence[Pair], part: str) -> LearnedFrom:
    """What a policy was learned from. The digest is over the forks' lines in the order of their ids."""
    lines = "\n".join(fork.to_json() for fork in sorted(forks, key=lambda fork: fork.id))
    return LearnedFrom(
        digest=hashlib.sha256(lines.encode("utf-8", "replace")).hexdigest()[:16],
        num_forks=len(forks),
        num_pairs=len(pairs),
        num_problems=len({fork.problem_id for fork in forks}),
        models=sorted({fork.model for fork in forks if fork.model}),
        halves="all problems" if part == "all" else f"the {part} half of the problems; the other half is the report's",
        version=__version__,
    )


def half_of(problem_id: str) -> Half:
    """The half that a problem lies in, by a hash of its id."""
    return "first" if _hashed(problem_id, "half") % 2 == 0 else "second"


def fold_of(problem_id: str) -> int:
    """The fold of cross-validation that a problem lies in."""
    return _hashed(problem_id, "fold") % FOLDS


@lru_cache(maxsize=1 << 16)
def _hashed(problem_id: str, purpose: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{purpose}\x00{problem_id}".encode(), digest_size=8).digest(), "big")
