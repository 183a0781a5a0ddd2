"""Learning a policy from forks: both designs, the choice between them, and what is written where little is known."""

from __future__ import annotations

import numpy as np
import pytest
from tests.uplift.worlds import fork, probe

from selftaught.hints.functions import HintFunction
from selftaught.hints.learned import Utility, choose
from selftaught.records import ProblemKind
from selftaught.uplift.cells import STRENGTH, fit_cells, reach_of
from selftaught.uplift.learn import NEVER, LearnSettings, half_of, learn, safe_threshold
from selftaught.uplift.logistic import calibration, calibration_error, fit_weights, qini, shares_of
from selftaught.uplift.pairs import pairs_of
from selftaught.uplift.records import Fork, Place
from selftaught.uplift.replay import replay

FUNCTIONS = {name: HintFunction(purpose="a test", en=[f"{name} words."]) for name in ("good", "bad")}


def learned(forks: list[Fork], **settings: object):  # type: ignore[no-untyped-def]
    return learn(forks, FUNCTIONS, LearnSettings(**settings))  # type: ignore[arg-type]


def test_design_a_takes_the_hint_that_helps_and_bars_the_other() -> None:
    found = learned(probe(600), design="a")
    assert found.policy.design == "cells"
    cell = found.policy.cell(ProblemKind.MATH, "end")
    assert cell is not None and cell.arms["bad"].barred and not cell.arms["good"].barred
    choice = choose(found.policy, ProblemKind.MATH, "end")
    assert choice.function == "good" and "gains" in choice.reason and "pairs" in choice.reason
    assert found.held_out is not None and found.held_out.num_broken == 0
    assert 0.12 < found.held_out.uplift.diff < 0.28
    assert found.held_out.num_acted == found.held_out.num_trajectories


def test_design_b_tells_the_places_apart_and_wins_there() -> None:
    forks = probe(1400, by_feature=True)
    utility = Utility(loss_weight=1.0, max_loss=0.05, loss_risk=0.3)
    found = learned(forks, utility=utility)
    assert found.policy.design == "features"
    assert found.utilities["features"] > found.utilities["cells"]
    assert found.check is not None and found.check.qini > 0.05
    assert calibration_error(found.check.bins) < 0.06
    high = choose(found.policy, ProblemKind.MATH, "end", features={"entropy": 1.8, "noise": 0.5})
    low = choose(found.policy, ProblemKind.MATH, "end", features={"entropy": 0.1, "noise": 0.5})
    assert high.function == "good" and "entropy 1.8 (+" in high.reason
    assert low.function is None and "worth" in low.reason


def test_few_pairs_give_the_papers_policy_with_the_reason() -> None:
    found = learned(probe(60))
    assert found.policy.design == "paper" and "at least 100 and 10 are needed" in found.policy.why
    nothing = [fork(f"p{i}", True, {"good": True}) for i in range(400)]
    assert learned(nothing).policy.design == "paper"
    assert learned([]).policy.learned_from.num_forks == 0


def test_same_forks_give_the_same_file_in_any_order() -> None:
    forks = probe(400)
    first = learned(forks).policy.model_dump_json()
    assert learned(list(reversed(forks))).policy.model_dump_json() == first
    assert learned(probe(400, seed=1)).policy.learned_from.digest not in first


def test_halves_share_no_problem() -> None:
    forks = probe(400)
    found = learned(forks, learn_on="second")
    assert found.policy.learned_from.num_problems == sum(half_of(one.problem_id) == "second" for one in forks)
    assert "second half" in found.policy.learned_from.halves
    assert learned(forks, learn_on="all").held_out is None


def test_a_cell_is_shrunk_to_the_same_hint_elsewhere() -> None:
    many = [fork(f"m{i}", False, {"good": i % 2 == 0}) for i in range(200)]
    one = [fork("c", False, {"good": False}, kind=ProblemKind.CODE)]
    cells = fit_cells(pairs_of([*many, *one]), Utility())
    code = next(cell for cell in cells if cell.kind is ProblemKind.CODE).arms["good"]
    assert code.total == pytest.approx(STRENGTH + 1, abs=1e-3)
    assert code.gain / code.total == pytest.approx(0.47, abs=0.03)
    math = next(cell for cell in cells if cell.kind is ProblemKind.MATH).arms["good"]
    # Its own 200 pairs count once; beside them 1 of the other cell, that one again as another hint, and 2 unseen.
    assert math.total == pytest.approx(204, abs=1e-3)


def test_loss_bar_needs_the_documented_number_of_pairs() -> None:
    def barred(size: int) -> bool:
        pairs = pairs_of([fork(f"p{i}", False, {"good": i % 4 == 0}) for i in range(size)])
        return fit_cells(pairs, Utility())[0].arms["good"].barred

    assert barred(40) and not barred(200)


def test_a_hint_waits_for_a_better_place() -> None:
    forks = [
        one
        for i in range(400)
        for one in (
            fork(f"p{i}", False, {"good": i % 10 == 0}, place=Place.WORD, number=0),
            fork(f"p{i}", False, {"good": i % 2 == 0}, place=Place.END, number=1, prefix=140),
        )
    ]
    policy = learned(forks, design="a").policy
    early, late = (choose(policy, ProblemKind.MATH, place) for place in ("word", "end"))
    assert early.function is None and "waiting for a later place is worth" in early.reason
    assert late.function == "good"
    found = replay(policy, pairs_of(forks))
    assert set(found.chosen) == {"math at end: good"}


def test_a_hint_does_not_wait_for_a_place_that_is_hardly_reached() -> None:
    """A word of doubt is worth more, but one trajectory in ten comes to one, and none of an easy problem."""
    forks = []
    for i in range(400):
        level = "easy" if i % 2 else "hard"
        forks.append(fork(f"p{i}", False, {"good": i % 5 < 2}, place=Place.START, number=0, prefix=0, difficulty=level))
        if i % 20 == 0:
            forks.append(fork(f"p{i}", False, {"good": True}, place=Place.WORD, number=1, difficulty=level))
    pairs = pairs_of(forks)
    assert reach_of(pairs)[ProblemKind.MATH, "word", ""] == pytest.approx(20 / 400)
    assert (ProblemKind.MATH, "word", "easy") not in reach_of(pairs)
    policy = learn(forks, FUNCTIONS, LearnSettings(design="a", learn_on="all", utility=Utility(max_loss=0.2))).policy
    waits = {cell.difficulty: cell.wait for cell in policy.cells if cell.place == "start"}
    assert waits["easy"] == 0.0 and 0 < waits["hard"] < 0.1
    assert choose(policy, ProblemKind.MATH, "start", "hard").function == "good"


def test_threshold_keeps_losses_within_the_bound() -> None:
    utility = Utility(loss_weight=0.1, max_loss=0.02)
    safe = pairs_of(probe(800))
    threshold = safe_threshold([pair for pair in safe if pair.function == "good"], utility)
    assert threshold < 0.2
    assert safe_threshold([pair for pair in safe if pair.function == "bad"], utility) == NEVER


def test_choice_that_was_rarely_tried_is_not_worth_more_in_a_replay() -> None:
    policy = learned(probe(600), design="a").policy
    forks = [fork(f"q{i}", False, {"good": True} if i < 10 else {"bad": False}) for i in range(100)]
    found = replay(policy, pairs_of(forks))
    assert (found.num_acted, found.num_seen) == (100, 10)
    assert found.uplift.diff == pytest.approx(1.0)
    assert found.uplift.effective <= 10


def test_newton_finds_the_optimum() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4000, 3))
    truth = np.asarray([[-1.0, 0.8, 0.0, 0.0], [-2.0, 0.0, -0.7, 0.0]])
    shares = shares_of(np.column_stack([np.ones(4000), x]) @ truth.T)
    point = rng.random(4000)
    sign = np.where(point < shares[:, 0], 1, np.where(point < shares.sum(axis=1), -1, 0))
    found = fit_weights(x, sign, np.ones(4000), penalty=1.0)
    assert np.abs(found - truth).max() < 0.15
    never = fit_weights(x, np.zeros(4000, dtype=int), np.ones(4000), penalty=1.0)
    assert np.isfinite(never).all() and (never[:, 0] < -5).all()


def test_qini_and_calibration_by_hand() -> None:
    assert qini([0.9, 0.8, 0.1, 0.0], [1, 1, 0, 0]) == pytest.approx((0.125 + 0.25 + 0.125 + 0) / 4)
    assert qini([0.0, 0.1, 0.8, 0.9], [1, 1, 0, 0]) < 0
    assert qini([], []) == 0.0
    bins = calibration([0.1] * 10 + [0.9] * 10, [False] * 9 + [True] + [True] * 9 + [False], bins=2)
    assert [(one.predicted, one.seen, one.n) for one in bins] == [
        (pytest.approx(0.1), pytest.approx(0.1), 10), (pytest.approx(0.9), pytest.approx(0.9), 10),
    ]  # fmt: skip
    assert calibration_error(bins) == pytest.approx(0)
