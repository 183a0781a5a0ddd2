"""The three verdicts: what a claim needs to be met, and when a run has too few problems to say."""

from __future__ import annotations

import pytest

from selftaught.evals.claims import check_claims, judge
from selftaught.evals.records import Check, ConditionRow, PairedRow, ReportData, ScalingRow
from selftaught.records import Outcome


@pytest.mark.parametrize(
    ("value", "ci95", "verdict"),
    [
        (0.50, (0.30, 0.70), "met"),
        (0.50, (-0.10, 0.90), "too few"),
        (1.00, (-0.73, 1.00), "too few"),  # one problem
        (0.10, (0.05, 0.15), "not met"),  # a gain, surely below the bar
        (0.10, (0.05, 0.60), "not met"),
        (0.10, (-0.30, 0.50), "too few"),
        (-0.20, (-0.30, -0.10), "not met"),
    ],
)
def test_at_least(value: float, ci95: tuple[float, float], verdict: str) -> None:
    assert judge(value, ci95, bar=0.40, opposite=0.0) == verdict


@pytest.mark.parametrize(
    ("value", "ci95", "verdict"),
    [
        (0.00, (0.00, 0.01), "met"),
        (0.00, (0.00, 0.80), "too few"),
        (0.30, (0.20, 0.40), "not met"),
        (0.30, (0.00, 0.90), "too few"),
    ],
)
def test_at_most(value: float, ci95: tuple[float, float], verdict: str) -> None:
    assert judge(value, ci95, bar=0.01, opposite=0.05) == verdict


def _row(name: str, benchmark: str, score: float, n: int, calls: float = 0.0) -> ConditionRow:
    half = 0.9 / n**0.5
    return ConditionRow(
        name=name,
        benchmark=benchmark,
        n=n,
        k=1,
        pass_at_1=score,
        ci95=(max(0.0, score - half), min(1.0, score + half)),
        tool_call_rate=calls,
        tokens_mean=1.0,
        outcomes=dict.fromkeys(Outcome, 0),
    )


def _loop(n: int) -> ReportData:
    """A run whose scores reach every bar, with ``n`` problems a slice."""
    scores = {"base": (0.3, 0.95, 0.05), "base+hint": (0.7, 0.9, 0.6), "start": (0.9, 0.95, 0.9)}
    scores |= {"base-rft": (0.31, 0.95, 0.06), "start+hint": (0.9, 0.95, 0.9)}
    rows = [
        _row(name, benchmark, score, n, calls=float(name.startswith("start")))
        for name, three in scores.items()
        for benchmark, score in zip(("all", "easy", "hard"), three, strict=True)
    ]
    half = 0.9 / n**0.5

    def pair(a: str, b: str, benchmark: str, diff: float) -> PairedRow:
        return PairedRow(a=a, b=b, benchmark=benchmark, diff=diff, ci95=(diff - half, diff + half), n=n)

    pairs = [
        pair("base+hint", "base", "all", 0.4),
        pair("start", "base", "all", 0.6),
        pair("start", "base+hint", "all", 0.2),
        pair("start", "base", "easy", 0.0),
        pair("start", "base", "code", 0.3),
        pair("base-rft", "base", "all", 0.01),
        pair("start+hint", "start", "all", 0.0),
    ]
    curve = [
        ScalingRow(
            model="base",
            round=number,
            pass_at_1=score,
            tokens_mean=1.0,
            diff_from_first=score - 0.3,
            diff_ci95=(score - 0.3 - half, score - 0.3 + half),
        )
        for number, score in enumerate((0.3, 0.6, 0.6, 0.59))
    ]
    return ReportData(conditions=rows, paired=pairs, scaling=curve)


def test_every_claim_is_met_with_many_problems_and_none_with_one() -> None:
    many, one = check_claims(_loop(2000)), check_claims(_loop(1))
    assert len(many) == len(one) == 13
    assert {check.word for check in many} == {"met"}
    assert {check.word for check in one} == {"too few"}
    assert not any(check.passed for check in one)


def test_a_claim_that_fails_is_not_met() -> None:
    data = _loop(2000)
    data.paired = [
        row.model_copy(update={"diff": -0.1, "ci95": (-0.12, -0.08)}) if row.benchmark == "code" else row
        for row in data.paired
    ]
    failed = [check for check in check_claims(data) if check.word == "not met"]
    assert [check.name for check in failed] == ["START lifts code"]
    assert failed[0].measured == "−10.0 points [−12.0, −8.0]"


def test_a_later_round_that_hurts_fails_the_claim_of_rounds() -> None:
    data = _loop(2000)
    data.scaling[3] = data.scaling[3].model_copy(update={"pass_at_1": 0.5})
    verdicts = {check.name: check.word for check in check_claims(data)}
    assert verdicts["The first end-of-thinking round helps the base, later ones do not hurt"] == "not met"


def test_older_documents_have_two_verdicts() -> None:
    assert Check(name="a", bar="b", measured="c", passed=True).word == "met"
    assert Check(name="a", bar="b", measured="c", passed=False).word == "not met"
