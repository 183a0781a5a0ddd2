"""Maths answers: five hundred pairs with one right verdict, and MATH-500's own references."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from selftaught.grading import Grader
from selftaught.grading.maths import grade_maths
from selftaught.grading.workers import MathVerdict

from .cases import CASES
from .more_cases import MORE_CASES, RESPONSES

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


ALL_CASES = CASES | {f"rare {kind}": cases for kind, cases in MORE_CASES.items()}


@pytest.mark.parametrize("kind", ALL_CASES)
def test_pairs_with_one_right_verdict(kind: str, grader: Grader) -> None:
    wrong = []
    for answer, gold, expected in ALL_CASES[kind]:
        verdict = grader.grade_pair("math", f"Let me see.\n\nSo the answer is $\\boxed{{{answer}}}$.", gold)
        if verdict.correct is not expected:
            wrong.append((answer, gold, expected, verdict.path))
    assert wrong == []


def test_whole_responses(grader: Grader) -> None:
    wrong = []
    for kind, response, gold, expected in RESPONSES:
        verdict = grader.grade_pair("choice" if kind == "choice" else "math", response, gold)
        if verdict.correct is not expected:
            wrong.append((response, gold, expected, verdict.extracted, verdict.path))
    assert wrong == []


def test_a_bare_answer_is_compared_as_a_whole(grader: Grader) -> None:
    assert grader.grade_pair("math", "42", "42").correct
    assert grader.grade_pair("math", r"\frac{1}{2}", "0.5").correct
    assert grader.grade_pair("math", "it may be 42", "42").path == "none"


@pytest.mark.parametrize(
    ("answer", "gold", "path"),
    [("025", "25", "integer"), ("x", "x", "string"), (r"\frac12", "0.5", "value"), ("(x+1)^2", "x^2+2x+1", "identity"),
     ("52_9", "52_8", "base"), (r"\text{east}", "east", "text"), ("(1,2)", "[1,2]", "interval"), (r"\int_0^1 x\,dx", r"\frac12", "math_verify")],
)  # fmt: skip
def test_the_path_tells_which_rule_decided(answer: str, gold: str, path: str, grader: Grader) -> None:
    assert grader.compare_maths(gold, answer).path == path


def test_number_words_and_order_of_gold_and_prediction() -> None:
    asked: list[tuple[str, str]] = []

    def record(gold: str, prediction: str) -> MathVerdict:
        asked.append((gold, prediction))
        return MathVerdict(True)

    assert grade_maths(r"\int x dx", r"\lim_{x\to 0} y", record).correct
    assert asked[0][0].startswith("\\int")


@pytest.mark.skipif(not (DATA / "math500.jsonl").exists(), reason="MATH-500 is not in ../shared/data")
def test_math500_references_equal_themselves_and_hardly_each_other(grader: Grader) -> None:
    golds = [json.loads(line)["answer"] for line in (DATA / "math500.jsonl").open(encoding="utf-8")]
    assert sum(grader.compare_maths(gold, gold).correct for gold in golds) == 500
    assert sum(grader.grade_pair("math", f"\\boxed{{{gold}}}", gold).correct for gold in golds) == 500
    assert sum(grader.grade_pair("math", gold, gold).correct for gold in golds) == 500
    rng = random.Random(3)
    equal = set()
    for _ in range(2000):
        a, b = rng.choice(golds), rng.choice(golds)
        if a != b and grader.compare_maths(a, b).correct:
            equal.add(frozenset((a, b)))
    true_equalities = {frozenset(pair) for pair in TRUE_EQUALITIES}
    assert equal <= true_equalities


TRUE_EQUALITIES = [
    (r"\frac43", r"\frac{4}{3}"), (r"11\sqrt2", r"11\sqrt{2}"), (r"-\frac{1}{3}", r"-\frac13"), (r"60^\circ", "60"), (r"90^\circ", "90"),
]  # fmt: skip
"""Different spellings of one value among MATH-500's references."""
