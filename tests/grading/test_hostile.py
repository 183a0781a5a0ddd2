"""Answers made to hang, swell or confuse a grader: a verdict in time, and the others go on."""

from __future__ import annotations

import threading
import time

import pytest

from selftaught.grading import Grader
from selftaught.grading.workers import MathWorkers

LARGE = {
    "digits": ("\\boxed{" + "1" * 400_000 + "}", "5"),
    "terms": ("\\boxed{" + "1+" * 200_000 + "1}", "200001"),
    "nested fractions": ("\\boxed{" + "\\frac{1}{" * 40_000 + "2" + "}" * 40_000 + "}", "5"),
    "parentheses": ("\\boxed{" + "(" * 200_000 + "1" + ")" * 200_000 + "}", "1"),
    "backslashes": ("\\boxed{" + "\\" * 400_000 + "}", "1"),
    "open braces": ("\\boxed{" + "{" * 400_000, "1"),
    "unclosed boxes": ("\\boxed{" * 100_000, "3"),
    "answer is": ("the answer is " * 30_000, "3"),
    "answer and spaces": ("answer" + " " * 400_000, "7"),
    "fences": ("```output\n" * 60_000, "7"),
    "newlines": ("\n" * 400_000, "7"),
    "letters and digits": ("\\boxed{" + "1a" * 9000 + "}", "5"),
    "units": ("\\boxed{5" + " cm" * 1300 + "}", "6"),
    "relations": ("\\boxed{" + "<1" * 1900 + "}", "1"),
    "texts": ("\\boxed{" + "\\text{a" * 500 + "}" * 500 + "}", "1"),
    "fractions": ("\\boxed{" + "\\frac" * 700 + "}", "1"),
    "superscripts": ("\\boxed{" + "²" * 3000 + "}", "1"),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_and_unbalanced_answers_get_a_verdict(name: str, grader: Grader) -> None:
    text, gold = LARGE[name]
    for kind in ("math", "choice"):
        started = time.monotonic()
        grader.grade_pair(kind, text, gold)  # type: ignore[arg-type]
        assert time.monotonic() - started < 8


def test_ten_to_the_five_boxes(grader: Grader) -> None:
    assert grader.grade_pair("math", "\\boxed{3} " * 100_000, "3").correct
    assert grader.grade_pair("math", "\\boxed{" * 100_000 + "3" + "}" * 100_000, "3").correct


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("4\x002", "42"),
        ("\u202e42\u202c", "42"),
        ("\x1b[31m42", "[31m42"),
        ("4\u200b2", "42"),
        ("\ud83042", "\ud83042"),
    ],
)
def test_control_characters_do_not_count(answer: str, gold: str, grader: Grader) -> None:
    assert grader.grade_pair("math", f"\\boxed{{{answer}}}", gold).correct


@pytest.mark.parametrize(
    "tower", ["9^{9^{9^{9}}}", "x=9^{9^{9^9}}", r"\sqrt{9^{9^{9^9}}}", r"\{9^{9^{9^9}},8^{8^{8^8}}\}", "100!!!"]
)
def test_power_towers_are_seen_through_at_once(tower: str, grader: Grader) -> None:
    started = time.monotonic()
    assert not grader.grade_pair("math", f"\\boxed{{{tower}}}", "3").correct
    assert time.monotonic() - started < 2


def test_a_hanging_worker_is_killed_while_others_flow() -> None:
    with MathWorkers(num_workers=2, timeout_s=2.5, kill_s=3.0) as workers:
        workers.warm_up()
        verdicts = []
        hanging = threading.Thread(target=lambda: verdicts.append(workers.check("1", r"\sum_{i=1}^{3} i^{9^{9^{9}}}")))
        hanging.start()
        answered = 0
        while hanging.is_alive():
            assert workers.check(r"\frac12", "0.5").equal
            answered += 1
        hanging.join()
        assert not verdicts[0].equal
        assert verdicts[0].reason in ("killed", "timeout", "memory")
        assert answered >= 1
        assert workers.check("x+1", "1+x").equal
