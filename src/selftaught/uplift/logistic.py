"""Design B: gain, loss and tie from the features of a place, by multinomial logistic regression with an L2 penalty.

Ties are the reference class, so that the model has two linear scores: the log-odds of a gain and of a loss. Newton's
method finds the only optimum, without a random start: equal pairs give equal weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selftaught.hints.learned import Column, FeatureModel, Features, as_number
from selftaught.uplift.pairs import Pair

Floats = NDArray[np.float64]

MAX_LEVELS = 12
"""Most levels of a feature in words; rarer ones stand for none of them."""
FEWEST_OF_LEVEL = 8
"""Pairs that a level needs to get a column."""
PENALTY = 8.0
"""Strength of the L2 penalty on standardised columns, in pairs."""
_MAX_STEPS = 60
_TOLERANCE = 1e-8


def features_of(pair: Pair) -> Features:
    """The features of a pair: those of its place, with the kind, the level, the place and the hint's function."""
    level = {"difficulty": pair.difficulty} if pair.difficulty else {}
    return {**pair.features, **level, "kind": pair.kind.value, "place": pair.place, "function": pair.function}


@dataclass(frozen=True)
class Design:
    """The columns of a regression without weights yet: (name, level, mean, scale)."""

    columns: list[tuple[str, str | None, float, float]]

    def matrix(self, rows: Sequence[Features]) -> Floats:
        """(rows, columns), standardised; a missing feature is 0, its mean."""
        made = [Column(name=n, level=level, mean=m, scale=s, gain=0.0, loss=0.0) for n, level, m, s in self.columns]
        return np.asarray([[column.value(row) for column in made] for row in rows], dtype=np.float64).reshape(
            len(rows), len(made)
        )


def design_of(rows: Sequence[Features]) -> Design:
    """Columns for every feature that varies: a number as it is, words as one column a level."""
    columns: list[tuple[str, str | None, float, float]] = []
    for name in sorted({name for row in rows for name in row}):
        found = [row[name] for row in rows if name in row]
        if any(isinstance(value, str) for value in found):
            counts: dict[str, int] = {}
            for value in found:
                counts[str(value)] = counts.get(str(value), 0) + 1
            levels = sorted(
                (level for level, n in counts.items() if n >= FEWEST_OF_LEVEL), key=lambda a: (-counts[a], a)
            )
            for level in levels[:MAX_LEVELS] if len(levels) > 1 else []:
                _add(columns, name, level, [float(str(value) == level) for value in found])
        else:
            _add(columns, name, None, [number for value in found if (number := as_number(value)) is not None])
    return Design(columns)


def _add(
    columns: list[tuple[str, str | None, float, float]], name: str, level: str | None, values: list[float]
) -> None:
    scale = float(np.std(values)) if values else 0.0
    if scale > 1e-9:
        columns.append((name, level, round(float(np.mean(values)), 9), round(scale, 9)))


def fit_features(pairs: Sequence[Pair], penalty: float = PENALTY, threshold: float = 0.0) -> FeatureModel:
    """The regression on ``pairs``, weighted by inverse probabilities with a mean of 1."""
    rows = [features_of(pair) for pair in pairs]
    design = design_of(rows)
    weights = np.asarray([pair.weight for pair in pairs])
    fitted = fit_weights(
        design.matrix(rows), np.asarray([pair.sign for pair in pairs]), weights / weights.mean(), penalty
    )
    columns = [
        Column(name=name, level=level, mean=mean, scale=scale, gain=round(float(gain), 9), loss=round(float(loss), 9))
        for (name, level, mean, scale), gain, loss in zip(design.columns, fitted[0, 1:], fitted[1, 1:], strict=True)
    ]
    return FeatureModel(
        gain_bias=round(float(fitted[0, 0]), 9),
        loss_bias=round(float(fitted[1, 0]), 9),
        columns=columns,
        threshold=threshold,
    )


def fit_weights(x: Floats, sign: NDArray[np.int64], weight: Floats, penalty: float) -> Floats:
    """(2, 1 + columns): bias and weights of the log-odds of a gain (+1) and a loss (-1) against a tie (0).

    Minimises the weighted negative log-likelihood plus ``penalty / 2`` times the squared weights. The biases have a
    penalty of one pair against log-odds of -2, so that a fate that was never seen keeps a finite chance.
    """
    size, width = x.shape[0], x.shape[1] + 1
    full = np.column_stack([np.ones(size), x])
    target = np.column_stack([sign > 0, sign < 0]).astype(np.float64)
    ridge = np.full(width, penalty)
    ridge[0] = 1.0
    centre = np.zeros((2, width))
    centre[:, 0] = -2.0
    beta = centre.copy()

    def loss_of(b: Floats) -> float:
        logits = full @ b.T
        top = np.maximum(logits.max(axis=1), 0.0)
        norm = top + np.log(np.exp(-top) + np.exp(logits - top[:, None]).sum(axis=1))
        return float((weight * (norm - (target * logits).sum(axis=1))).sum() + 0.5 * (ridge * (b - centre) ** 2).sum())

    value = loss_of(beta)
    for _ in range(_MAX_STEPS):
        shares = shares_of(full @ beta.T)
        gradient = ((shares - target) * weight[:, None]).T @ full + ridge * (beta - centre)
        hessian = np.zeros((2 * width, 2 * width))
        for a in range(2):
            for b in range(2):
                curve = weight * shares[:, a] * (float(a == b) - shares[:, b])
                hessian[a * width : (a + 1) * width, b * width : (b + 1) * width] = full.T @ (full * curve[:, None])
        hessian += np.diag(np.tile(ridge, 2))
        step = np.linalg.solve(hessian, gradient.ravel()).reshape(2, width)
        size_of_step = 1.0
        while (tried := loss_of(beta - size_of_step * step)) > value and size_of_step > 1e-6:
            size_of_step /= 2
        beta, before, value = beta - size_of_step * step, value, tried
        if before - value < _TOLERANCE * max(1.0, abs(value)):
            break
    return beta


def shares_of(logits: Floats) -> Floats:
    """(rows, 2) log-odds → (rows, 2) chances of gain and loss."""
    top = np.maximum(logits.max(axis=1, keepdims=True), 0.0)
    parts = np.exp(logits - top)
    found: Floats = parts / (np.exp(-top) + parts.sum(axis=1, keepdims=True))
    return found


# ------------------------------------------------------------------------------------------------------- how good it is


@dataclass(frozen=True)
class Bin:
    """Pairs with a similar predicted chance of a gain."""

    predicted: float
    seen: float
    n: int


def calibration(predicted: Sequence[float], happened: Sequence[bool], bins: int = 5) -> list[Bin]:
    """Bins of equal size by predicted chance; a calibrated model has ``predicted`` near ``seen`` in each."""
    order = np.argsort(np.asarray(predicted), kind="stable")
    chances, truth = np.asarray(predicted)[order], np.asarray(happened, dtype=np.float64)[order]
    parts = np.array_split(np.arange(len(order)), bins)
    return [Bin(float(chances[p].mean()), float(truth[p].mean()), len(p)) for p in parts if len(p)]


def calibration_error(found: Sequence[Bin]) -> float:
    """Mean distance between predicted and seen, weighted by the pairs of a bin."""
    total = sum(one.n for one in found)
    return sum(abs(one.predicted - one.seen) * one.n for one in found) / total if total else 0.0


def qini(predicted: Sequence[float], signs: Sequence[int]) -> float:
    """Area between the curve of (gains - losses) in the order of predicted uplift and that of a random order.

    As a share of the number of pairs: 0 for a random order, at most about the gain rate / 2 for a perfect one. Each pair
    shows its own uplift, so no groups have to be balanced.
    """
    size = len(signs)
    if size == 0:
        return 0.0
    order = np.argsort(-np.asarray(predicted), kind="stable")
    curve = np.cumsum(np.asarray(signs, dtype=np.float64)[order]) / size
    even = curve[-1] * np.arange(1, size + 1) / size
    return float((curve - even).mean())
