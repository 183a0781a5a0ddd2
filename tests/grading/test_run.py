"""Grading a file of trajectories: six outcomes, resuming, regrading, batches from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from selftaught.errors import DataError
from selftaught.grading import Grader, grade_one, grade_run
from selftaught.records import Grade, Outcome, Problem, ProblemKind, Span, SpanSource, StopReason, TestCase, Trajectory
from selftaught.store import read_jsonl, write_records

MATH = Problem(id="m", problem="6 * 7?", kind=ProblemKind.MATH, answer="42")
CHOICE = Problem(id="c", problem="Which?", kind=ProblemKind.CHOICE, answer="B", choices=["cat", "dog"])
CODE = Problem(id="p", problem="Double.", kind=ProblemKind.CODE, tests=[TestCase(input="2", output="4")])


def trajectory(problem: Problem, text: str, stop: StopReason = StopReason.ANSWERED, sample: int = 0) -> Trajectory:
    spans = [
        Span(source=SpanSource.PROMPT, token_ids=[1], text="<think>\n"),
        Span(source=SpanSource.MODEL, token_ids=[2, 3], text=text),
    ]
    return Trajectory(id=f"{problem.id}#{sample}", problem_id=problem.id, sample=sample, spans=spans, stop_reason=stop)


@pytest.mark.parametrize(
    ("problem", "text", "stop", "outcome"),
    [
        (MATH, "hm</think>\\boxed{42}", StopReason.ANSWERED, Outcome.CORRECT),
        (MATH, "hm</think>\\boxed{41}", StopReason.ANSWERED, Outcome.WRONG),
        (MATH, "hm</think>I do not know", StopReason.ANSWERED, Outcome.NO_ANSWER),
        (MATH, "hm \\boxed{42}", StopReason.ENDED_IN_THINKING, Outcome.NO_ANSWER),
        (MATH, "hm \\boxed{42}", StopReason.MAX_TOKENS, Outcome.TRUNCATED),
        (MATH, "hm hm hm", StopReason.REPETITION, Outcome.TRUNCATED),
        (MATH, "hm", StopReason.TIMEOUT, Outcome.TIMED_OUT),
        (MATH, "hm</think>\\boxed{42}", StopReason.ENGINE_ERROR, Outcome.ERROR),
        (MATH, "hm</think>\\boxed{42}. And", StopReason.MAX_TOKENS, Outcome.CORRECT),
        (CHOICE, "hm</think>\\boxed{B}", StopReason.ANSWERED, Outcome.CORRECT),
        (CHOICE, "hm</think>\\boxed{dog}", StopReason.ANSWERED, Outcome.CORRECT),
        (CHOICE, "hm</think>\\boxed{A}", StopReason.ANSWERED, Outcome.WRONG),
        (CHOICE, "hm</think>none", StopReason.ANSWERED, Outcome.NO_ANSWER),
        (CODE, "hm</think>\n```python\nprint(2 * int(input()))\n```", StopReason.ANSWERED, Outcome.CORRECT),
        (CODE, "hm</think>\n```python\nprint(3)\n```", StopReason.ANSWERED, Outcome.WRONG),
        (CODE, "hm</think>no program", StopReason.ANSWERED, Outcome.NO_ANSWER),
    ],
)
def test_six_outcomes(problem: Problem, text: str, stop: StopReason, outcome: Outcome, grader: Grader) -> None:
    grade = grader.grade(problem, trajectory(problem, text, stop))
    assert grade.outcome is outcome
    assert grade.correct is (outcome is Outcome.CORRECT)
    assert grade.path
    assert grade.grader


def test_grade_one_starts_nothing_it_does_not_need() -> None:
    assert grade_one(MATH, trajectory(MATH, "</think>\\boxed{42}")).correct


def test_grades_resume_and_regrade_without_touching_trajectories(tmp_path: Path, grader: Grader) -> None:
    file, grades = tmp_path / "trajectories.jsonl", tmp_path / "grades.jsonl"
    write_records(file, [trajectory(MATH, f"</think>\\boxed{{{40 + n}}}", sample=n) for n in range(5)])
    before = file.read_bytes()
    first = grade_run([MATH], file, grades, grader=grader)
    assert (first.num_new, first.num_total, first.outcomes[Outcome.CORRECT]) == (5, 5, 1)
    lines = grades.read_text().splitlines()
    grades.write_text("\n".join(lines[:2]) + "\n" + lines[2][:20])  # killed in the middle of a line
    again = grade_run([MATH], file, grades, grader=grader)
    assert (again.num_new, again.num_total) == (3, 5)
    assert [grade.trajectory_id for grade in read_jsonl(grades, Grade)] == [f"m#{n}" for n in range(5)]
    regraded = grade_run([MATH.model_copy(update={"answer": "41"})], file, grades, grader=grader, regrade=True)
    assert regraded.num_new == 5
    assert [grade.trajectory_id for grade in read_jsonl(grades, Grade) if grade.correct] == ["m#1"]
    assert file.read_bytes() == before


def test_grades_of_an_older_grader_are_counted_and_regraded(tmp_path: Path, grader: Grader) -> None:
    file, grades = tmp_path / "trajectories.jsonl", tmp_path / "grades.jsonl"
    write_records(file, [trajectory(MATH, "</think>\\boxed{42}", sample=n) for n in range(3)])
    grade_run([MATH], file, grades, grader=grader)
    old = [grade.model_copy(update={"grader": "selftaught/2"}) for grade in read_jsonl(grades, Grade)]
    write_records(grades, old[:2])
    assert grade_run([MATH], file, grades, grader=grader).others == {"selftaught/2": 2}
    assert not grade_run([MATH], file, grades, grader=grader, regrade=True).others
    assert {grade.grader for grade in read_jsonl(grades, Grade)} == {grader.name}


def test_a_trajectory_without_its_problem_is_refused(tmp_path: Path, grader: Grader) -> None:
    write_records(tmp_path / "trajectories.jsonl", [trajectory(CHOICE, "</think>B")])
    with pytest.raises(DataError, match="which the problem file lacks"):
        grade_run([MATH], tmp_path / "trajectories.jsonl", tmp_path / "grades.jsonl", grader=grader)


def test_pairs_from_the_command_line(tmp_path: Path, run_cli: Callable[..., object]) -> None:
    rows = [
        {"id": "1", "kind": "math", "prediction": "so \\boxed{1/2}", "gold": "0.5"},
        {"id": "2", "kind": "choice", "prediction": "Answer: C", "gold": "B"},
        {"id": "3", "kind": "math", "prediction": "I do not know.", "gold": "1"},
    ]
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run_cli("grade", "--pairs", file, "--workers", "1")
    lines = [json.loads(line) for line in result.stdout.splitlines()]  # type: ignore[attr-defined]
    assert [set(line) for line in lines] == [{"id", "correct", "extracted", "path"}] * 3
    assert [(line["id"], line["correct"], line["extracted"]) for line in lines] == [
        ("1", True, "1/2"),
        ("2", False, "C"),
        ("3", False, None),
    ]


def test_programs_from_the_command_line(tmp_path: Path, run_cli: Callable[..., object]) -> None:
    rows = [
        {
            "id": "a",
            "kind": "stdin",
            "fn_name": None,
            "solution": "print(input())",
            "tests": [{"input": "x", "output": "x"}],
            "timeout": 3,
        },
        {
            "id": "b",
            "kind": "function",
            "fn_name": "f",
            "solution": "def f(x): return x",
            "tests": [{"input": "1", "output": "2"}],
            "timeout": 3,
        },
    ]
    file = tmp_path / "programs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run_cli("grade", "--programs", file)
    lines = [json.loads(line) for line in result.stdout.splitlines()]  # type: ignore[attr-defined]
    assert [(line["id"], line["passed"]) for line in lines] == [("a", True), ("b", False)]
    assert set(lines[0]) == {"id", "passed", "reason", "tests"}
    assert "wrong answer" in lines[1]["reason"]


def test_a_malformed_line_is_named(tmp_path: Path, run_cli: Callable[..., object]) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"id": "1", "kind": "math", "prediction": "1", "gold": "1"}\n{"id": "2"\n')
    result = run_cli("grade", "--pairs", file, "--workers", "1")
    assert result.exit_code == 2  # type: ignore[attr-defined]
    assert "pairs.jsonl:2" in result.stderr  # type: ignore[attr-defined]
    assert run_cli("grade").exit_code == 2  # type: ignore[attr-defined]
