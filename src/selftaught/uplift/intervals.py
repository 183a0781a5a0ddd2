"""The statistics of paired branches: interval, test and needed size of a hint's uplift.

A pair is +1 (only the hinted branch is right), -1 (only the plain one is right) or 0. The uplift is the mean of these
numbers. Pairs may have weights (inverse probabilities of their places), and pairs of one problem form a cluster.

The interval is Tango's score interval (Statistics in Medicine 17, 1998, 891-908). It inverts the test of a difference,
so it never leaves [-1, 1], has a width where no pair differs, and holds its level from some 60 pairs on, also where few
pairs differ: there Bonett and Price's interval is too wide and that of a Dirichlet posterior too narrow
(``benchmarks/uplift_world.py --intervals``; docs/adaptive.md has the figures). It needs only shares and a number of
pairs, so that weights and clusters enter through an effective number of pairs.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from selftaught.evals.stats import CONFIDENCE, POWER, mcnemar_exact, student_quantile

Floats = NDArray[np.float64]

_Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
_Z_POWER = NormalDist().inv_cdf(POWER)
_GRID = 4096
"""Steps onto which the largest weighted sum of a problem is rounded, so that the exact test can count in whole numbers."""


@dataclass(frozen=True, slots=True)
class Uplift:
    """The estimate of one set of pairs. Shares and differences are fractions."""

    gain: float
    loss: float
    diff: float
    """gain - loss."""
    ci95: tuple[float, float]
    p_value: float
    """Two-sided, that gains and losses are equally likely."""
    test: str
    """``mcnemar-exact``, or ``sign-flip`` where a problem has several pairs or the weights differ."""
    effective: float
    """Number of independent, equally weighted pairs that would know as much."""


def estimate_uplift(
    signs: Sequence[int], clusters: Sequence[Hashable], weights: Sequence[float] | None = None
) -> Uplift:
    """Uplift of pairs with ``signs`` (+1, 0, -1), one cluster (problem) and one weight each. All of one length."""
    size = len(signs)
    if size == 0:
        return Uplift(0.0, 0.0, 0.0, (-1.0, 1.0), 1.0, "none", 0.0)
    sign = np.asarray(signs, dtype=np.float64)
    weight = np.ones(size) if weights is None else np.asarray(weights, dtype=np.float64)
    index: dict[Hashable, int] = {}
    group = np.asarray([index.setdefault(one, len(index)) for one in clusters])
    total = float(weight.sum())
    gain, loss = float(weight[sign > 0].sum()) / total, float(weight[sign < 0].sum()) / total
    diff = gain - loss
    num_groups = len(index)
    is_plain = num_groups == size and float(np.ptp(weight)) <= 1e-12 * float(weight.max())
    if is_plain:
        won, lost = int((sign > 0).sum()), int((sign < 0).sum())
        return Uplift(
            gain, loss, diff, tango_interval(gain, loss, size), mcnemar_exact(won, lost), "mcnemar-exact", size
        )
    effective = _effective(sign, weight, group, num_groups, diff, gain + loss)
    quantile = student_quantile(0.5 + CONFIDENCE / 2, num_groups - 1) if num_groups > 1 else 12.7
    sums = np.bincount(group, weights=weight * sign, minlength=num_groups).astype(np.float64)
    ci95 = tango_interval(gain, loss, effective, quantile)
    return Uplift(gain, loss, diff, ci95, sign_flip(sums), "sign-flip", effective)


def _effective(
    sign: Floats, weight: Floats, group: NDArray[np.int64], num_groups: int, diff: float, spread: float
) -> float:
    """Effective number of pairs: the variance of one pair over that of the weighted mean, clustered by problem.

    Bounded by the number of pairs above, and below by the effective number of problems (each counted once by the sum of
    its weights): pairs of one problem cannot resemble each other more than copies do.
    """
    per_group = np.bincount(group, weights=weight, minlength=num_groups)
    fewest = float(per_group.sum() ** 2 / (per_group**2).sum())
    most = float(weight.sum() ** 2 / (weight**2).sum())
    one = spread - diff * diff
    if num_groups < 2 or one <= 1e-12:
        return fewest
    residual = np.bincount(group, weights=weight * (sign - diff), minlength=num_groups)
    variance = float((residual**2).sum()) * num_groups / (num_groups - 1) / float(weight.sum()) ** 2
    return min(max(one / variance if variance > 0 else most, fewest), max(most, fewest))


def tango_interval(gain: float, loss: float, size: float, quantile: float = _Z) -> tuple[float, float]:
    """Score interval of ``gain - loss``, both shares of ``size`` pairs; the size may be an effective one."""
    if size <= 0:
        return -1.0, 1.0
    diff = gain - loss

    def distance(true: float) -> float:
        """Standard errors between the estimate and ``true``, the loss rate fitted under it."""
        a, b, c = 2.0, (2 - diff) * true - gain - loss, -loss * true * (1 - true)
        fitted = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
        variance = max(2 * fitted + true * (1 - true), 0.0)
        return math.copysign(math.inf, diff - true) if variance < 1e-15 else (diff - true) * math.sqrt(size / variance)

    def search(inside: float, outside: float) -> float:
        for _ in range(60):
            middle = (inside + outside) / 2
            if abs(distance(middle)) <= quantile:
                inside = middle
            else:
                outside = middle
        return inside

    low = -1.0 if diff <= -1.0 else search(diff, -1.0)
    high = 1.0 if diff >= 1.0 else search(diff, 1.0)
    return low, high


def sign_flip(sums: Floats) -> float:
    """Two-sided exact p-value of a sum whose terms (one a problem) have random signs.

    With one pair a problem and equal weights it is the exact McNemar test. Weighted sums are rounded to a fine grid.
    """
    terms = np.abs(sums[np.abs(sums) > 1e-12])
    if terms.size == 0:
        return 1.0
    signs = np.sign(sums[np.abs(sums) > 1e-12])
    unit = float(terms.min())
    whole = np.rint(terms / unit)
    if float(np.abs(terms / unit - whole).max()) > 1e-9 or float(whole.max()) > _GRID:
        whole = np.maximum(np.rint(terms / float(terms.max()) * _GRID), 1)
    steps = whole.astype(np.int64)
    reached = abs(int((steps * signs).sum()))
    if steps.size > 400:  # a sum of so many terms is normal, and the exact count is slow
        z = reached / math.sqrt(float((steps**2).sum()))
        return 2 * (1 - NormalDist().cdf(z))
    # Distribution of the sum of the terms that are positive; the whole sum is twice that less the total.
    chances = np.ones(1)
    for step in steps:
        longer = np.zeros(chances.size + step)
        longer[: chances.size] += chances / 2
        longer[step:] += chances / 2
        chances = longer
    values = 2 * np.arange(chances.size) - int(steps.sum())
    return min(1.0, float(chances[np.abs(values) >= reached].sum()))


def upper_share(count: float, size: float) -> float:
    """One-sided 95 % upper bound of a share (Clopper and Pearson); 1 without trials. ``count`` may be fractional."""
    if size <= 0 or count >= size:
        return 1.0
    from scipy.special import betaincinv

    return float(betaincinv(count + 1, size - count, CONFIDENCE))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values: below 0.05 for at least one true null hypothesis in at most 5 of 100 tables."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, reached = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        reached = max(reached, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = reached
    return adjusted


def pairs_needed(gain: float, loss: float) -> int | None:
    """Pairs with which a difference of these true shares is found four times in five at the 5 % level.

    None where there is no difference to be found.
    """
    diff, spread = gain - loss, gain + loss
    if abs(diff) < 1e-9:
        return None
    root = _Z * math.sqrt(spread) + _Z_POWER * math.sqrt(max(0.0, spread - diff * diff))
    return math.ceil((root / diff) ** 2)
