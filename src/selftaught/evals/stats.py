"""The statistics of the tables: pass@k, majority@k, intervals clustered by problem, paired comparisons.

The unit is the problem, never the sample: k samples of one problem are not k independent trials. All functions take
one value a problem (the share of right samples) and are deterministic.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
POWER = 0.8
ASSUMED_CORRELATION = 0.5
"""Between two conditions on the same problems, where only one of them is known."""
BOOTSTRAP_RESAMPLES = 10_000
BOOTSTRAP_SEED = 20250306

_Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
_Z_POWER = NormalDist().inv_cdf(POWER)

Floats = NDArray[np.float64]


def pass_at_k(num_samples: int, num_correct: int, k: int) -> float:
    """Unbiased chance that at least one of ``k`` samples is right, from ``num_samples`` of which ``num_correct`` are.

    1 − C(n−c, k) / C(n, k) (Chen et al. 2021). ValueError when k exceeds n.
    """
    if not 1 <= k <= num_samples or not 0 <= num_correct <= num_samples:
        raise ValueError(
            f"pass@{k} of {num_samples} samples with {num_correct} right; expected 1 <= k <= n and 0 <= c <= n."
        )
    if num_samples - num_correct < k:
        return 1.0
    wrong = 1.0
    for index in range(num_samples - num_correct + 1, num_samples + 1):
        wrong *= 1.0 - k / index
    return 1.0 - wrong


def majority_correct(votes: Sequence[tuple[Hashable, bool]]) -> float:
    """Share of the most frequent answers that are right: 1, 0, or a fraction on a tie. No votes count as wrong.

    Each vote is (answer, whether it is right); equal answers have equal votes (``evals.votes``). All right answers are one answer.
    """
    counts = Counter(("right",) if right else ("wrong", answer) for answer, right in votes)
    if not counts:
        return 0.0
    most = max(counts.values())
    leaders = [answer for answer, count in counts.items() if count == most]
    return sum(answer == ("right",) for answer in leaders) / len(leaders)


# ---------------------------------------------------------------------------------------------------------- intervals


def wilson_interval(share: float, size: float, z: float = _Z) -> tuple[float, float]:
    """Wilson's score interval for a share of ``size`` trials; size may be an effective one."""
    if size <= 0:
        return 0.0, 1.0
    centre = (share + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * math.sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    low = 0.0 if share <= 0 else max(0.0, centre - half)
    high = 1.0 if share >= 1 else min(1.0, centre + half)
    return low, high


PSEUDO_PROBLEMS = 0.06
"""Of a problem that is always solved, and as much of one that never is, in the spread between problems. Without it the interval of
30 problems with 16 samples holds a true score of 2 % only 86 times in 100; found by simulation (``benchmarks/coverage.py``)."""


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean of one share a problem.

    Wilson's interval with the effective number of trials that the spread between problems shows: at one sample a
    problem this is Wilson's own; with many it is clustered by problem (Student's quantile), and stays within [0, 1].
    Where nearly all problems are hopeless the few seen ones understate the spread; ``PSEUDO_PROBLEMS`` mends that.
    """
    array = np.asarray(values, dtype=np.float64)
    size = array.size
    if size == 0:
        return 0.0, 1.0
    mean = float(array.mean())
    if _is_binary(array):
        return wilson_interval(mean, size)
    unseen = PSEUDO_PROBLEMS * ((1 - mean) ** 2 + mean**2)
    variance = (float(((array - mean) ** 2).sum()) + unseen) / (size - 1) / size if size > 1 else 0.0
    if variance <= 0:
        return wilson_interval(mean, size)
    effective = max(size, mean * (1 - mean) / variance)
    return wilson_interval(mean, effective, student_quantile(0.5 + CONFIDENCE / 2, size - 1))


def _is_binary(array: Floats) -> bool:
    return bool(np.all((array == 0) | (array == 1)))


@lru_cache(maxsize=512)
def student_quantile(probability: float, degrees: int) -> float:
    """Quantile of Student's t."""
    if degrees > 2000:
        return NormalDist().inv_cdf(probability)
    from scipy.stats import t

    return float(t.ppf(probability, degrees))


# -------------------------------------------------------------------------------------------------------------- pairs


@dataclass(frozen=True)
class PairedResult:
    """``diff`` = mean(a − b), its interval, and the p-value of the test named."""

    diff: float
    ci95: tuple[float, float]
    n: int
    p_value: float
    test: str
    min_detectable_difference: float


def paired_comparison(
    a: Sequence[float], b: Sequence[float], seed: int = BOOTSTRAP_SEED, resamples: int = BOOTSTRAP_RESAMPLES
) -> PairedResult:
    """Compare two conditions on the same problems, one share a problem each.

    Interval: cluster bootstrap over problems with expanded percentiles; where hardly any problem differs (a bootstrap sees no
    spread there) Bonett and Price's interval. Test: exact McNemar at one sample a problem, else the paired t-test.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(
            f"paired values of shapes {first.shape} and {second.shape}; expected one value a problem each."
        )
    differences = first - second
    size = differences.size
    if size == 0:
        return PairedResult(0.0, (-1.0, 1.0), 0, 1.0, "none", 1.0)
    binary = _is_binary(first) and _is_binary(second)
    won, lost = int((differences > 0).sum()), int((differences < 0).sum())
    if binary and min(size, won + lost) < 10:
        interval = bonett_price_interval(won, lost, size)
    elif size < 2 or float(differences.std()) < 1e-12:
        interval = bonett_price_interval(won, lost, size) if size else (-1.0, 1.0)
    else:
        interval = bootstrap_interval(differences, seed, resamples)
    test = "mcnemar-exact" if binary else "paired-t"
    p_value = mcnemar_exact(won, lost) if binary else paired_t(differences)
    return PairedResult(float(differences.mean()), interval, size, p_value, test, detectable_difference(differences))


def bootstrap_interval(
    values: Sequence[float] | Floats, seed: int = BOOTSTRAP_SEED, resamples: int = BOOTSTRAP_RESAMPLES
) -> tuple[float, float]:
    """Percentile bootstrap of the mean over problems, its percentiles expanded for small n (Hesterberg 2015).

    The expansion makes the width that of a t-interval, which the plain percentile bootstrap falls short of.
    """
    array = np.asarray(values, dtype=np.float64)
    size = array.size
    if size < 2:
        return (float(array[0]), float(array[0])) if size else (-1.0, 1.0)
    quantile = student_quantile(0.5 + CONFIDENCE / 2, size - 1) * math.sqrt(size / (size - 1))
    tail = NormalDist().cdf(-quantile)
    means = _resampled_means(array, np.random.default_rng(seed), resamples)
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _resampled_means(array: Floats, generator: np.random.Generator, resamples: int) -> Floats:
    """Means of resamples. Few distinct values are drawn as counts, which takes no memory for large n."""
    distinct, counts = np.unique(array, return_counts=True)
    if distinct.size <= 400:
        drawn = generator.multinomial(array.size, counts / array.size, size=resamples)
        means: Floats = drawn @ distinct / array.size
        return means
    chunk = max(1, 4_000_000 // array.size)
    parts = [
        array[generator.integers(0, array.size, size=(min(chunk, resamples - start), array.size))].mean(axis=1)
        for start in range(0, resamples, chunk)
    ]
    return np.concatenate(parts)


def bonett_price_interval(won: int, lost: int, size: int) -> tuple[float, float]:
    """Interval of a paired difference of shares from few discordant pairs: one pseudo-pair is added each way."""
    a, b, total = (won + 1) / (size + 2), (lost + 1) / (size + 2), size + 2
    half = _Z * math.sqrt(max(0.0, a + b - (a - b) ** 2) / total)
    return max(-1.0, a - b - half), min(1.0, a - b + half)


def mcnemar_exact(won: int, lost: int) -> float:
    """Two-sided exact p-value that ``won`` and ``lost`` problems come from a fair coin."""
    total = won + lost
    if total == 0:
        return 1.0
    if total > 1000:
        z = max(0.0, abs(won - lost) - 1) / math.sqrt(total)
        return 2 * (1 - NormalDist().cdf(z))
    tail = sum(math.comb(total, index) for index in range(min(won, lost) + 1))
    return min(1.0, float(2 * tail / 2**total)) if total < 1000 else min(1.0, 2 * (tail / 2**total))


def paired_t(differences: Sequence[float] | Floats) -> float:
    """Two-sided p-value of the paired t-test. 1 when all differences are zero, 0 when all are one other value."""
    array = np.asarray(differences, dtype=np.float64)
    if array.size < 2:
        return 1.0
    deviation = float(array.std(ddof=1))
    mean = float(array.mean())
    if deviation < 1e-15:
        return 1.0 if abs(mean) < 1e-15 else 0.0
    statistic = abs(mean) / (deviation / math.sqrt(array.size))
    if array.size > 2000:
        return 2 * (1 - NormalDist().cdf(statistic))
    from scipy.stats import t

    return float(2 * t.sf(statistic, array.size - 1))


def detectable_difference(differences: Sequence[float] | Floats) -> float:
    """Smallest true difference that a paired test on problems like these finds with power 0.8 at the 5 % level."""
    array = np.asarray(differences, dtype=np.float64)
    if array.size < 2:
        return 1.0
    spread = max(float(array.std(ddof=1)), 1 / math.sqrt(array.size + 2))
    return min(1.0, (_Z + _Z_POWER) * spread / math.sqrt(array.size))


def detectable_difference_alone(values: Sequence[float]) -> float:
    """The same, from one condition alone, assuming a correlation of one half with the other."""
    array = np.asarray(values, dtype=np.float64)
    if array.size < 2:
        return 1.0
    spread = max(float(array.std(ddof=1)), 1 / math.sqrt(array.size + 2))
    return min(1.0, (_Z + _Z_POWER) * spread * math.sqrt(2 * (1 - ASSUMED_CORRELATION)) / math.sqrt(array.size))
