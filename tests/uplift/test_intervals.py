"""Intervals and tests of paired branches: against known values, and against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from selftaught.evals.stats import mcnemar_exact
from selftaught.uplift.intervals import (
    estimate_uplift,
    holm,
    pairs_needed,
    sign_flip,
    tango_interval,
    upper_share,
)


def signs_of(gain: int, loss: int, size: int) -> list[int]:
    return [1] * gain + [-1] * loss + [0] * (size - gain - loss)


def test_tango_gives_the_published_interval() -> None:
    # Tango 1998, and Fagerland, Lydersen, Laake 2014, table 6: 1 and 7 of 21 pairs differ; [-0.517, -0.026].
    low, high = tango_interval(1 / 21, 7 / 21, 21)
    assert (low, high) == (pytest.approx(-0.517, abs=5e-4), pytest.approx(-0.026, abs=5e-4))


def test_interval_has_a_width_where_nothing_differs_and_stays_in_bounds() -> None:
    low, high = tango_interval(0, 0, 50)
    assert -0.1 < low < 0 < high < 0.1
    assert tango_interval(1.0, 0.0, 20)[1] == 1.0
    assert tango_interval(0.3, 0.1, 0) == (-1.0, 1.0)


def test_one_pair_a_problem_is_the_exact_mcnemar_test() -> None:
    signs = signs_of(9, 2, 40)
    found = estimate_uplift(signs, range(40))
    assert found.test == "mcnemar-exact"
    assert found.p_value == pytest.approx(mcnemar_exact(9, 2))
    assert (found.gain, found.loss, found.effective) == (9 / 40, 2 / 40, 40)
    assert sign_flip(np.asarray(signs, dtype=float)) == pytest.approx(mcnemar_exact(9, 2))


def test_copies_of_a_pair_do_not_make_the_interval_narrower() -> None:
    signs = signs_of(9, 2, 40)
    once = estimate_uplift(signs, range(40))
    thrice = estimate_uplift([s for s in signs for _ in range(3)], [i for i in range(40) for _ in range(3)])
    assert thrice.test == "sign-flip"
    assert thrice.diff == pytest.approx(once.diff)
    assert thrice.effective == pytest.approx(40, abs=1.5)
    assert thrice.ci95[0] == pytest.approx(once.ci95[0], abs=0.02)
    assert thrice.p_value == pytest.approx(once.p_value)


def test_weights_undo_an_unequal_choice() -> None:
    # Half of the places gain and are chosen four times as often as the others, which never do.
    signs = [1] * 40 + [0] * 10
    found = estimate_uplift(signs, range(50), [1.0] * 40 + [4.0] * 10)
    assert found.gain == pytest.approx(0.5)
    assert found.effective < 50
    assert found.ci95[0] < 0.5 < found.ci95[1]


def test_sign_flip_counts_weighted_sums() -> None:
    # Three problems: sums 1, 2.5 and 4. Only all signs equal reach the sum: 2 of 8.
    assert sign_flip(np.asarray([1.0, 2.5, 4.0])) == pytest.approx(0.25)
    assert sign_flip(np.zeros(4)) == 1.0
    many = np.asarray([1.0] * 300 + [-1.0] * 230)
    assert sign_flip(many) == pytest.approx(mcnemar_exact(300, 230), rel=0.3)


def test_nothing_known_without_pairs() -> None:
    found = estimate_uplift([], [])
    assert found.ci95 == (-1.0, 1.0) and found.p_value == 1.0
    alone = estimate_uplift([1, 1], ["a", "a"])
    assert alone.ci95[0] < 0


def test_upper_bound_of_losses_has_the_documented_sizes() -> None:
    for losses, size in ((0, 149), (1, 236), (2, 313), (3, 386)):
        assert upper_share(losses, size) <= 0.02 < upper_share(losses, size - 1)
    assert upper_share(0, 0) == 1.0 == upper_share(3, 3)


def test_holm_adjusts_in_order() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_pairs_needed_finds_the_difference_four_times_in_five() -> None:
    size = pairs_needed(0.15, 0.02)
    assert size is not None
    rng = np.random.default_rng(1)
    drawn = rng.multinomial(size, [0.15, 0.02, 0.83], size=2000)
    found = np.mean([mcnemar_exact(int(gain), int(loss)) < 0.05 for gain, loss, _ in drawn])
    assert 0.7 < found < 0.9  # the exact test is a little conservative
    assert pairs_needed(0.1, 0.1) is None
    assert not math.isnan(pairs_needed(0.02, 0.0) or math.nan)
