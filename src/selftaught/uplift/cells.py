"""Design A: a posterior over the four fates of a pair for each cell and hint, shrunk to what other cells say.

A cell is a kind of problem at a place, then the same at one difficulty. The prior of a cell is worth ``STRENGTH`` pairs
and has the mean of its parent: the same hint and place in the other cells, which in turn is shrunk to all hints of all
places. A cell's own pairs are left out of its parent, or else they would count twice. Where the parent has few pairs
the prior is worth less: those pairs, and ``OTHER_HINTS`` for what other hints say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selftaught.hints.learned import ORDER, ArmPosterior, Cell, LearnedHints, Utility
from selftaught.records import ProblemKind
from selftaught.uplift.pairs import FATES, Fate, Pair

Floats = NDArray[np.float64]

STRENGTH = 15.0
"""Pairs that a prior is worth; between the 10 and 20 that shrink enough and still let 50 pairs of a cell be heard."""
OTHER_HINTS = 5.0
"""Pairs that is worth what all other hints say of a hint."""
UNSEEN = 0.5
"""Added to each fate of all pairs (Jeffreys): no fate is impossible because it was not seen."""
FEWEST_AT_LEVEL = 20
"""Pairs that a hint needs at one difficulty to be judged there by itself."""


@dataclass(frozen=True)
class Seen:
    """What was seen of one hint in one cell: effective counts of the fates, and extra tokens."""

    counts: Floats
    """(4,), in the order of `FATES`."""
    extra: float
    """Mean extra tokens."""

    @property
    def size(self) -> float:
        """Effective number of pairs."""
        return float(self.counts.sum())


def seen_of(pairs: Sequence[Pair]) -> Seen:
    """Weighted counts, scaled to the effective number of pairs: unequal weights know less."""
    if not pairs:
        return Seen(np.zeros(4), 0.0)
    weight = np.asarray([pair.weight for pair in pairs])
    fate = np.asarray([FATES.index(pair.fate) for pair in pairs])
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    counts = np.bincount(fate, weights=weight, minlength=4) / weight.sum() * effective
    extra = float(np.average([pair.extra_tokens for pair in pairs], weights=weight))
    return Seen(counts, extra)


def fit_cells(pairs: Sequence[Pair], utility: Utility) -> list[Cell]:
    """A cell for every kind and place with pairs, and for every difficulty of it whose hints have enough of them."""
    cells = []
    for kind, place in sorted({(pair.kind, pair.place) for pair in pairs}, key=lambda one: (one[0].value, one[1])):
        here = [pair for pair in pairs if (pair.kind, pair.place) == (kind, place)]
        functions = sorted({pair.function for pair in here})
        arms, known = {}, {}
        for function in functions:
            own = [pair for pair in here if pair.function == function]
            others = [pair for pair in pairs if pair.arm == (function, place) and pair.kind is not kind]
            # All pairs of the probe but these: the prior of the parent.
            rest = seen_of([pair for pair in pairs if (pair.kind, *pair.arm) != (kind, function, place)])
            prior = _prior(seen_of(others), Seen(rest.counts + UNSEEN, rest.extra), OTHER_HINTS)
            known[function] = _prior(seen_of(own), prior, STRENGTH)
            arms[function] = posterior(seen_of(own), prior, utility)
        cells.append(Cell(kind=kind, place=place, arms=arms))
        for level in sorted({pair.difficulty for pair in here} - {""}):
            at_level = [pair for pair in here if pair.difficulty == level]
            finer = {}
            for function in functions:
                own = [pair for pair in at_level if pair.function == function]
                others = [pair for pair in here if pair.function == function and pair.difficulty != level]
                if len(own) >= FEWEST_AT_LEVEL:
                    finer[function] = posterior(
                        seen_of(own), _prior(seen_of(others), known[function], STRENGTH), utility
                    )
            if finer:
                cells.append(Cell(kind=kind, place=place, difficulty=level, arms={**arms, **finer}))
    return cells


def posterior(own: Seen, prior: Seen, utility: Utility) -> ArmPosterior:
    """The posterior of one hint in one cell; ``prior`` has as many pairs as it is worth."""
    from scipy.special import betainc

    alpha = own.counts + prior.counts
    by_fate = dict(zip(FATES, (float(value) for value in alpha), strict=True))
    loss, total = by_fate[Fate.LOSS], float(alpha.sum())
    # Other cells without a loss make the prior's share of it tiny. A cell must still show by its own pairs that it is safe.
    careful = max(loss, float(own.counts[FATES.index(Fate.LOSS)]) + UNSEEN)
    risk = 1 - float(betainc(careful, total - loss, utility.max_loss))
    return ArmPosterior(
        pairs=round(own.size, 3),
        **{fate.value: round(value, 6) for fate, value in by_fate.items()},
        extra_tokens=round(_mean_extra(own, prior), 3),
        risk=round(risk, 6),
        barred=risk >= utility.loss_risk,
    )


def _prior(parent: Seen, above: Seen, strength: float) -> Seen:
    """``parent`` with ``above`` as its own prior, worth ``strength`` pairs; scaled to at most `STRENGTH` pairs."""
    lent = above.counts * min(1.0, strength / above.size)
    counts = parent.counts + lent
    extra = _mean_extra(parent, Seen(lent, above.extra))
    return Seen(counts * min(1.0, STRENGTH / float(counts.sum())), extra)


def _mean_extra(a: Seen, b: Seen) -> float:
    return (a.extra * a.size + b.extra * b.size) / (a.size + b.size)


Key = tuple[ProblemKind, str, str]
"""(kind, place, difficulty); the difficulty is empty for all levels together."""


def with_waits(learned: LearnedHints, worth: Mapping[Key, float], reached: Mapping[Key, float]) -> LearnedHints:
    """``learned`` with what waiting is worth in each cell: the most that a hint at a later place is worth, times the share
    of the trajectories that come there.

    ``worth`` is the value of acting in a cell; less than 0 counts as 0. A place at which no pair of a difficulty was
    seen is one that such problems do not come to.
    """
    cells = []
    for cell in learned.cells:
        turn = ORDER.get(cell.place, 9)
        later = [
            worth.get(key, 0.0) * reached.get(key, 0.0)
            for place, at in ORDER.items()
            if turn < at < ORDER["repetition"]
            for key in [(cell.kind, place, cell.difficulty)]
        ]
        cells.append(cell.model_copy(update={"wait": round(max([0.0, *later]), 6)}))
    return learned.model_copy(update={"cells": cells})


def reach_of(pairs: Sequence[Pair]) -> dict[Key, float]:
    """The share of trajectories that come to a place, at most: each fork stands for 1 / its probability of visits."""
    visits: dict[Key, dict[str, float]] = {}
    trajectories: dict[tuple[ProblemKind, str], set[str]] = {}
    for pair in pairs:
        for level in {"", pair.difficulty}:
            visits.setdefault((pair.kind, pair.place, level), {})[pair.fork] = pair.weight
            trajectories.setdefault((pair.kind, level), set()).add(pair.trajectory)
    return {
        (kind, place, level): min(1.0, sum(forks.values()) / len(trajectories[kind, level]))
        for (kind, place, level), forks in visits.items()
    }


def cell_worths(cells: Iterable[Cell], utility: Utility) -> dict[Key, float]:
    """What the best hint that is not barred is worth in each cell."""
    return {
        (cell.kind, cell.place, cell.difficulty): max(
            (
                utility.of(arm.gain / arm.total, arm.loss / arm.total, arm.extra_tokens)
                for arm in cell.arms.values()
                if not arm.barred
            ),
            default=0.0,
        )
        for cell in cells
    }
