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
FEW_DISCORDANT = 10
"""Below so many problems that only one of two conditions solves, the interval is not bootstrapped."""
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
    # The product form of C(n−c, k) / C(n, k): the binomials themselves overflow a float at about a thousand samples.
    wrong = 1.0
    for index in range(num_samples - num_correct + 1, num_samples + 1):
        wrong *= 1.0 - k / index
    return 1.0 - wrong


def majority_correct(votes: Sequence[tuple[Hashable, bool]]) -> float:
    """Share of the most frequent answers that are right: 1, 0, or a fraction on a tie. No votes count as wrong.

    Each vote is (answer, whether it is right). Equal answers have equal votes (``evals.votes``), and all right answers
    count as one answer.
    """
    # Two spellings of the right answer may have escaped the comparison of `Votes`, but the grader has accepted both.
    # Kept apart, they would split the right side's votes, and maj@k would be too low.
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
"""How much of an always solved problem, and of a never solved one, is added to the spread between problems.

Without it the interval of 30 problems with 16 samples holds a true score of 2 % only 86 times in 100. The value was
found by simulation (``benchmarks/coverage.py``).
"""


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean of one share a problem.

    It is Wilson's interval with an effective number of trials, which follows from the spread between problems. At one
    sample a problem this is Wilson's own interval. With more samples it is clustered by problem (Student's quantile).
    It always stays within [0, 1]. Where nearly all problems are never solved, the few solved ones understate the
    spread; ``PSEUDO_PROBLEMS`` corrects that.
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
    # The number of independent trials whose mean would vary as this one does. Samples of one problem resemble each
    # other, so it lies between the number of problems and the number of samples; it is never less than the former.
    effective = max(size, mean * (1 - mean) / variance)
    return wilson_interval(mean, effective, student_quantile(0.5 + CONFIDENCE / 2, size - 1))


def _is_binary(array: Floats) -> bool:
    return bool(np.all((array == 0) | (array == 1)))


@lru_cache(maxsize=512)
def student_quantile(probability: float, degrees: int) -> float:
    """Quantile of Student's t."""
    if degrees > 2000:  # the normal quantile differs by a thousandth there, and scipy is slow to import
        return NormalDist().inv_cdf(probability)
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    return float(stdtrit(degrees, probability))


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

    The interval is a cluster bootstrap over problems with expanded percentiles, or Bonett and Price's where hardly any
    problem differs. The test is the exact McNemar test at one sample a problem, else the paired t-test.
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
    # A bootstrap only resamples what it saw. With few problems that differ, or none, its interval is far too narrow (of
    # zero width in the extreme), whereas Bonett and Price's stays honest: it assumes one unseen pair each way.
    few_differ = binary and won + lost < FEW_DISCORDANT
    is_constant = size < 2 or float(differences.std()) < 1e-12
    if few_differ or is_constant:
        interval = bonett_price_interval(won, lost, size)
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
    """Means of resamples.

    Shares have few distinct values. How often each one is drawn is multinomial, so a resample of any size is a handful
    of counts. Values that are all different are drawn one by one, in chunks that bound the memory.
    """
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
    if (
        total > 1000
    ):  # the normal approximation with continuity correction; the exact sum has numbers of a thousand bits
        z = max(0.0, abs(won - lost) - 1) / math.sqrt(total)
        return 2 * (1 - NormalDist().cdf(z))
    tail = sum(math.comb(total, index) for index in range(min(won, lost) + 1))
    return min(1.0, 2 * tail / 2**total)


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
    from scipy.special import stdtr

    return float(2 * stdtr(array.size - 1, -statistic))


def detectable_difference(differences: Sequence[float] | Floats) -> float:
    """Smallest true difference that a paired test on problems like these finds with power 0.8 at the 5 % level."""
    array = np.asarray(differences, dtype=np.float64)
    if array.size < 2:
        return 1.0
    # At least the spread of one discordant problem: that none was seen does not prove that none exists.
    spread = max(float(array.std(ddof=1)), 1 / math.sqrt(array.size + 2))
    return min(1.0, (_Z + _Z_POWER) * spread / math.sqrt(array.size))


def detectable_difference_alone(values: Sequence[float]) -> float:
    """`detectable_difference` from one condition alone; the other is assumed to correlate with it by one half."""
    array = np.asarray(values, dtype=np.float64)
    if array.size < 2:
        return 1.0
    spread = max(float(array.std(ddof=1)), 1 / math.sqrt(array.size + 2))
    return min(1.0, (_Z + _Z_POWER) * spread * math.sqrt(2 * (1 - ASSUMED_CORRELATION)) / math.sqrt(array.size))
