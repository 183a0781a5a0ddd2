"""Majority votes: equal answers are one vote, however they are spelt."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught.evals.stats import majority_correct
from selftaught.evals.votes import Votes
from selftaught.records import Grade, Outcome


def grade(
    extracted: str | None, correct: bool = False, path: str = "value", problem: str = "p", sample: int = 0
) -> Grade:
    outcome = Outcome.CORRECT if correct else Outcome.WRONG if extracted is not None else Outcome.NO_ANSWER
    return Grade(
        trajectory_id=f"{problem}#{sample}", problem_id=problem, outcome=outcome, correct=correct, extracted=extracted, path=path
    )  # fmt: skip


def test_equal_answers_are_one_vote() -> None:
    groups = [
        ["0.5", r"\frac12", "1/2", r"\dfrac{1}{2}", "x = 0.5", "50\\%"],
        ["3", "m+n = 1+2 = 3", "03"],
        [r"\{1,2\}", r"\{2, 1\}"],
        ["(1,2)"],
        [r"\int_0^1 x^2\,dx", r"\frac{1}{3}"],
    ]
    with Votes() as votes:
        numbers = [{votes.of(grade(answer)) for answer in group} for group in groups]
    assert [len(one) for one in numbers] == [1] * len(groups)
    assert len(set.union(*numbers)) == len(groups)


def test_answers_of_two_problems_letters_and_none_stay_apart() -> None:
    with Votes() as votes:
        assert votes.of(grade(None)) == 0
        assert votes.of(grade("A", path="choice")) != votes.of(grade("B", path="choice"))
        assert votes.of(grade("A", path="choice")) == votes.of(grade(" A ", path="choice"))
        votes.of(grade(r"\frac12", problem="p"))
        assert votes.of(grade("0.5", problem="q")) not in (0, votes.of(grade("0.5", problem="p")))


def test_a_wrong_majority_that_is_spelt_in_three_ways_wins() -> None:
    answers = [("7", True), ("7", True), ("0.5", False), (r"\frac12", False), ("1/2", False)]
    with Votes() as votes:
        cast = [(votes.of(grade(answer, right)), right) for answer, right in answers]
    assert majority_correct(cast) == 0.0


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12))
@settings(max_examples=30)
def test_the_spelling_never_changes_a_majority(numerators: list[int]) -> None:
    forms = ["{0}/8", r"\frac{{{0}}}{{8}}", "x = {0}/8"]
    with Votes() as votes:
        plain = [votes.of(grade(f"{n}/8", problem="plain")) for n in numerators]
        mixed = [votes.of(grade(forms[i % 3].format(n), problem="mixed")) for i, n in enumerate(numerators)]
    assert [plain.index(vote) for vote in plain] == [mixed.index(vote) for vote in mixed]
