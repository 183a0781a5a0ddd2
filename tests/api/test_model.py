"""A model that stays loaded: waiting, streaming, awaited, closed; its answers and its errors."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

import selftaught as st
from selftaught.api import background
from selftaught.records import SpanSource


def test_a_solution_is_a_trajectory_with_its_answer_and_grade(toy: st.Model, question: str) -> None:
    solution = toy.infer(question, hints="math", answer="343")
    assert isinstance(solution, st.Trajectory) and solution.problem.problem == question
    assert solution.answer == "343" and solution.grade is not None and solution.grade.correct
    assert [call.output for call in solution.calls] == ["343\n"] and solution.stop_reason is st.StopReason.ANSWERED
    assert "print(pow(7, 2023, 1000))" in solution.text and solution.answer_text == "The answer is \\boxed{343}."
    assert [span.source for span in solution.spans][0] is SpanSource.PROMPT
    assert repr(solution).startswith("<Solution answer 343 · right · answered · 1 hints · 1 calls")
    written = json.loads(solution.to_json())
    assert "answer" not in written and st.Trajectory.model_validate(written).spans == solution.spans


def test_a_question_without_an_answer_has_no_grade(toy: st.Model, question: str) -> None:
    solution = toy.infer(question, hints="none")
    assert solution.grade is None and solution.calls == [] and solution.answer == "227"


def test_choices_code_and_a_problem(toy: st.Model) -> None:
    asked = toy.infer("Which of these is 16^15 modulo 73?", choices=["88", "69", "20", "64"], answer="64")
    assert asked.grade is not None and asked.grade.correct and asked.answer == "D"
    problem = st.load_problems([{"id": "x", "problem": "What is 3 plus 4?", "answer": "7"}])[0]
    assert toy.infer(problem).problem.id == "x"


def test_pieces_are_the_text(toy: st.Model, question: str) -> None:
    stream = toy.infer(question, hints="math", stream=True)
    pieces = list(stream)
    assert "".join(piece.text for piece in pieces) == stream.solution.text
    assert {piece.where for piece in pieces} == {"thinking", "hint", "code", "output", "answer"}
    assert stream.solution.answer == toy.infer(question, hints="math").answer


def test_leaving_a_stream_stops_it_and_the_model_goes_on(toy: st.Model, question: str) -> None:
    stream = toy.infer(question, stream=True)
    for _ in stream:
        break
    with pytest.raises(CancelledError):
        stream.solution  # noqa: B018
    assert toy.infer("What is 3 plus 4?", hints="none").answer == "7"


async def test_in_a_running_loop(toy: st.Model, question: str) -> None:
    """As in a notebook: waiting calls work too, and coroutines are answered together."""
    assert toy.infer("What is 3 plus 4?", hints="none").answer == "7"
    first, second = await asyncio.gather(
        toy.ainfer(question, hints="math"), toy.ainfer("What is 3 plus 4?", hints="none")
    )
    assert (first.answer, second.answer) == ("343", "7")
    stream = toy.infer(question, hints="math", stream=True)
    assert "".join([piece.text async for piece in stream]) == stream.solution.text


def test_from_several_threads(toy: st.Model) -> None:
    answers: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: answers.append(toy.infer("What is 3 plus 4?", hints="none").answer))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["7", "7", "7"]


def test_limits_of_the_tool_differ_from_question_to_question(toy: st.Model, question: str) -> None:
    before = len(toy._sandboxes)
    toy.infer(question, hints="math", tool_timeout=9)
    toy.infer(question, hints="math", tool_timeout=9)
    assert len(toy._sandboxes) == before + 1


def test_a_question_outside_the_families_warns(toy: st.Model) -> None:
    with pytest.warns(UserWarning, match="nineteen families"):
        toy.infer("Who was the first US president?", max_tokens=10)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"top_p": 2}, r"^top_p is 2; expected above 0, at most 1\.$"),
        ({"tool_timeout": 0}, r"^tool_timeout is 0; expected at least 0\.05\.$"),
        ({"hint": "math"}, r"^hint: no such argument\. Did you mean hints\?$"),
        ({"device": "cpu"}, r"^device is a setting of load, not of infer"),
        ({"samples": 3}, "no such argument"),
        ({"hints": "mathh"}, "mathh"),
        ({"hints": "math", "tools": False}, "hints is 'math' but tools are off"),
        ({"kind": "maths"}, "kind is 'maths'; expected math, choice or code"),
        ({"choices": ["7"]}, "choices has 1 entries"),
    ],
)
def test_wrong_arguments_are_one_line(toy: st.Model, settings: dict[str, object], message: str) -> None:
    with pytest.raises(st.ConfigError, match=message) as caught:
        toy.infer("What is 3 plus 4?", **settings)  # type: ignore[call-overload]
    assert "\n" not in str(caught.value) and "--" not in str(caught.value)


def test_an_empty_question(toy: st.Model) -> None:
    with pytest.raises(st.ConfigError, match="empty"):
        toy.infer("  ")


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(st.SelftaughtError):
        st.load(tmp_path / "none")
    with pytest.raises(st.ConfigError, match="max_rows"):
        st.load("toy", max_rows=0)


def test_a_closed_model_says_so(toy: st.Model) -> None:
    other = st.load("toy", tools=False)
    other.close()
    other.close()
    with pytest.raises(st.ConfigError, match="closed; load it again"):
        other.infer("What is 3 plus 4?")
    assert repr(other) == "<Model toy, closed>" and repr(toy) == "<Model toy>"


async def test_what_runs_a_loop_runs_in_a_running_loop() -> None:
    async def three() -> int:
        return 3

    assert background.without_loop(lambda: asyncio.run(three())) == 3
    with pytest.raises(ZeroDivisionError):
        background.without_loop(lambda: 1 // 0)
