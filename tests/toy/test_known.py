"""The embedded model knows its own questions when it sees them."""

from __future__ import annotations

import pytest

from selftaught.toy.known import is_known, shape
from selftaught.toy.problems import generate


@pytest.mark.parametrize("split", ["pool", "dev", "test"])
def test_every_question_of_the_families_is_known(split: str) -> None:
    assert [problem.problem for problem in generate(split, 400, seed=5) if not is_known(problem.problem)] == []


@pytest.mark.parametrize(
    "question",
    [
        "What is the remainder when 7^2023 is divided by 1000?",
        "what is  7 times 8?",
        "Write solve(n), which returns how many boxes of 27 n things make. Samples: solve(38) == 1",
        "Boxes hold 27 things. Write solve(n), which returns how many boxes n things make.",
        "Which of these is 16^15 modulo 73?",
    ],
)
def test_questions_that_a_user_types(question: str) -> None:
    known = is_known(question)
    assert known or "27 n things" in question  # a mixture of two wordings


@pytest.mark.parametrize(
    "question", ["Who was the first US president?", "How many primes are below 10000?", "Solve x^2 = 2.", "", "2 + 2"]
)
def test_others_are_not(question: str) -> None:
    assert not is_known(question)


def test_shape() -> None:
    assert shape("There are 8 bags with 11 books in each.") == shape("There are 3 bags with 4 pens in each.")
    assert shape("Find the first number in 1, 2, 3 and 4.") == "find the first number in #."
