"""What a model is asked, by its manner: above all, that a plain problem file gives the embedded model its own wording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selftaught.manner import Manner
from selftaught.problems import load_file, render_question
from selftaught.problems.render import CHOICE_REQUEST, MATH_REQUEST
from selftaught.records import Problem, ProblemKind, TestCase
from selftaught.toy.problems import generate

PLAIN = Manner(question="plain")


def rows_of(problem: Problem) -> list[dict[str, Any]]:
    """Ways in which a user may write a problem: with its options and samples in the text, or apart."""
    row: dict[str, Any] = {"id": problem.id, "problem": problem.problem}
    if problem.kind is ProblemKind.MATH:
        return [{**row, "answer": problem.answer}]
    if problem.kind is ProblemKind.CHOICE:
        row |= {"choices": problem.choices, "answer": problem.answer}
        return [row, {**row, "problem": problem.problem.partition("\n")[0]}]
    tests = [test.model_dump() for test in problem.tests or []]
    hidden = [{"input": test["input"], "output": test["output"]} for test in tests]
    values = [
        {"input": [json.loads(x) for x in t["input"].splitlines()], "output": json.loads(t["output"])} for t in tests
    ]
    values = [{**value, "public": test["public"]} for value, test in zip(values, tests, strict=True)]
    starter = "def " + problem.problem[problem.problem.index("solve(") :].partition(")")[0] + "):\n"
    statement = problem.problem.partition("\nSamples:")[0]
    return [
        {**row, "tests": hidden, "fn_name": "solve"},
        {**row, "tests": hidden, "fn_name": "solve", "starter_code": starter},
        {**row, "tests": hidden, "starter_code": starter},
        {**row, "problem": statement, "tests": tests, "fn_name": "solve"},
        {**row, "problem": statement, "tests": values, "fn_name": "solve", "starter_code": starter},
    ]


def test_a_plain_file_gives_the_embedded_model_its_own_wording(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    num_checked = 0
    for problem in generate("dev", 150, seed=3):
        for row in rows_of(problem):
            file.write_text(json.dumps(row) + "\n")
            (loaded,) = load_file(file)
            assert not loaded.metadata and render_question(loaded, PLAIN) == problem.problem, row
            num_checked += 1
    assert num_checked > 250


def test_a_request_is_for_models_that_want_one() -> None:
    problem = Problem(id="p", problem="What is 2 + 2?", kind=ProblemKind.MATH, answer="4")
    assert render_question(problem) == f"What is 2 + 2?\n\n{MATH_REQUEST}"
    assert render_question(problem, PLAIN) == "What is 2 + 2?"
    as_is = problem.model_copy(update={"metadata": {"rendered": True}})
    assert render_question(as_is) == render_question(as_is, PLAIN) == "What is 2 + 2?"


@pytest.mark.parametrize("lines", ["A) 3\nB) 4", "(A) 3\n(B) 4", "A. 3\nB. 4", "  A)  3\n  B)  4", "- A: 3\n- B: 4"])
def test_options_in_the_text_are_not_listed_again(lines: str) -> None:
    text = f"What is 2 + 2?\n{lines}"
    problem = Problem(id="p", problem=text, kind=ProblemKind.CHOICE, choices=["3", "4"], answer="B")
    assert render_question(problem, PLAIN) == text
    assert render_question(problem) == f"{text}\n\n{CHOICE_REQUEST}"
    other = problem.model_copy(update={"choices": ["3", "5"]})
    assert render_question(other, PLAIN).endswith("\nA) 3\nB) 5"), "only one of them stands in the text"


def test_what_a_plain_text_does_not_say_follows_it() -> None:
    tests = [TestCase(input='"ab"\n[1, 2]', output="true", public=True), TestCase(input='"x"\n[]', output="null")]
    problem = Problem(
        id="p", problem="Fill in.", kind=ProblemKind.CODE, tests=tests, fn_name="f", starter_code="def f(s, xs):"
    )
    assert render_question(problem, PLAIN) == "Fill in.\ndef f(s, xs):\nSamples:\nf('ab', [1, 2]) == True"
    stdin = problem.model_copy(update={"fn_name": None, "starter_code": None})
    assert render_question(stdin, PLAIN) == "Fill in.", "programs that read stdin have no call to show"
