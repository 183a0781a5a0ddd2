"""What counts as the answer of a response or a trajectory."""

from __future__ import annotations

import pytest

from selftaught.grading import Grader
from selftaught.grading.answers import extract_answer
from selftaught.grading.boxes import last_box, last_boxes
from selftaught.grading.extract import final_text
from selftaught.records import ExecStatus, Span, SpanSource, StopReason, ToolInfo, Trajectory


@pytest.mark.parametrize(
    ("text", "gold", "expected"),
    [
        (r"first \boxed{3}. No: \boxed{4}", "4", True),
        (r"first \boxed{3}. No: \boxed{4}", "3", False),
        (r"<think>\boxed{7}</think> answer \boxed{8}", "8", True),
        (r"<think>\boxed{7}</think> no box", "7", False),
        (r"<think>\boxed{7}", "7", False),
        ("```output\n\\boxed{7}\n```\nSo \\boxed{8}", "8", True),
        ("So \\boxed{8}\n```output\n\\boxed{7}\n```\n", "8", True),
        ("So \\boxed{8}\n```python\nprint('\\\\boxed{7}')\n```\n", "8", True),
        ("```output\n42\n```\n", "42", False),
        ("The final answer is $\\frac{1}{2}$. I hope it is correct.", "0.5", True),
        ("The answer is 3.5.", "3.5", True),
        ("The answer is 3.5.", "3", False),
        ("**Answer:** 42", "42", True),
        ("The answer is therefore 42", "42", True),
        (r"the answer is \(5\)", "5", True),
        ("so we get 42", "42", False),
        ("the answer is not clear", "42", False),
        (r"\fbox{12}", "12", True),
        (r"\boxed 7", "7", True),
        ("#### 1,000 dollars", "1000", True),
        (r"\boxed{}", "5", False),
        (r"\boxed{5}, in the form \boxed{}", "5", True),
        (r"\boxed{\frac{1}{2}", "0.5", False),
        (r"\boxed{3}, then \boxed{\frac{1}{2}", "3", True),
        (r"\boxed{\{1,2\}}", "1,2", True),
        (r"\boxed{2} and \boxed{3}", "2,3", True),
        (r"\boxed{2}. Later I checked again, so it is \boxed{3}", "2,3", False),
        (r"\boxed{\boxed{5}}", "5", True),
    ],
)
def test_answers_are_found(text: str, gold: str, expected: bool, grader: Grader) -> None:
    assert grader.grade_pair("math", text, gold).correct is expected


def test_last_box_is_balanced_and_not_empty() -> None:
    assert last_box(r"\boxed{a} \boxed{b{c}} \boxed{d") == "b{c}"
    assert last_box(r"\boxed{ } \fbox{x}") == "x"
    assert last_box("} } {") is None
    assert last_boxes(r"\boxed{1}, \boxed{2} and \boxed{3}") == ["1", "2", "3"]
    assert extract_answer("nothing here") is None


def _trajectory(*spans: tuple[SpanSource, str], stop: StopReason = StopReason.ANSWERED) -> Trajectory:
    tool = ToolInfo(code="", status=ExecStatus.OK, output="", wall_s=0.0)
    return Trajectory(
        id="p#0",
        problem_id="p",
        stop_reason=stop,
        spans=[Span(source=s, token_ids=[1], text=t, tool=tool if s is SpanSource.TOOL else None) for s, t in spans],
    )


PROMPT = (SpanSource.PROMPT, "<|im_start|>assistant\n<think>\n")


def test_final_text_is_what_follows_the_thinking() -> None:
    trajectory = _trajectory(PROMPT, (SpanSource.MODEL, "hm \\boxed{1}</think>\n\nSo \\boxed{2}<|im_end|>"))
    assert final_text(trajectory) == "\n\nSo \\boxed{2}"


def test_open_thinking_has_no_final_text() -> None:
    assert final_text(_trajectory(PROMPT, (SpanSource.MODEL, "hm \\boxed{1}<|im_end|>"))) is None


def test_tool_output_never_answers() -> None:
    trajectory = _trajectory(
        PROMPT,
        (SpanSource.MODEL, "x"),
        (SpanSource.TOOL, "```output\n</think> \\boxed{9}\n```\n"),
        (SpanSource.MODEL, "</think>none"),
    )
    assert final_text(trajectory) == "none"


def test_a_turn_without_thinking_is_all_final_text() -> None:
    prompt = (SpanSource.PROMPT, "<|im_start|>assistant\n")
    trajectory = _trajectory(
        prompt, (SpanSource.MODEL, "So "), (SpanSource.TOOL, "\\boxed{1}"), (SpanSource.MODEL, "\\boxed{2}")
    )
    assert final_text(trajectory) == "So \\boxed{2}"


def test_thinking_opened_by_the_model_counts() -> None:
    prompt = (SpanSource.PROMPT, "<|im_start|>assistant\n")
    assert final_text(_trajectory(prompt, (SpanSource.MODEL, "<think>a</think>b"))) == "b"
