"""Models whose whole turn is thinking: what stands at its end is tested before it counts."""

from __future__ import annotations

import pytest

from selftaught.engines import Codec
from selftaught.grading.extract import final_text
from selftaught.grading.program_source import program_source
from selftaught.records import HintPosition, Problem, SpanSource, StopReason, Trajectory
from selftaught.rollouts.verify import verify_trajectory

from .playing import CODE, MATHS, PlainPython, play, sources

END = "<|im_end|>"
DRAFT = "It is a product.\n\n```python\ndef solve(a, b):\n    return a + b\n```"
TESTED = "def solve(a, b):\n    return a * b\n\nprint(solve(3, 20) == 60)\n```\n"
FINAL = "So:\n\n```python\ndef solve(a, b):\n    return b * a\n```"


def turn(codec: Codec, turns: list[str], problem: Problem = MATHS, **changes: object) -> Trajectory:
    return play(codec, turns, problem, think_style="whole_turn", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("draft", [DRAFT, DRAFT + "\n", "Use a product.", DRAFT.replace("```", "~~~")])
def test_the_debug_hint_tests_the_draft_and_the_final_program_counts(codec: Codec, draft: str) -> None:
    python = PlainPython()
    changes = {"sandbox": python, "hints": "turn" if draft.endswith("\n") else "auto"}
    turns = [draft + END, TESTED, FINAL + END]
    if draft.endswith("\n"):  # its newline closes it, so it is run as a call; it prints nothing
        turns = [draft, "That is it." + END, TESTED, FINAL + END]
    one = turn(codec, turns, CODE, **changes)
    assert one.stop_reason is StopReason.ANSWERED
    (hint,) = one.hints()
    assert hint.position is HintPosition.BEFORE_FINAL and hint.discarded_ids == [codec.encode_control(END)[0]]
    assert one.num_taken_back() == 1
    assert one.tool_calls()[-1].output == "True\n" and python.ran[-1] == TESTED.removesuffix("```\n")
    text = final_text(one.model_copy(update={"spans": one.spans[1:]}))  # the test's template opens a thinking
    assert text is not None and program_source(text, "solve") == "def solve(a, b):\n    return b * a\n"
    assert "..." not in text  # the hint's template is no program


def test_the_tested_program_may_end_the_turn_too(codec: Codec) -> None:
    turns = [DRAFT + END, TESTED.rstrip() + END, FINAL + END]
    one = turn(codec, turns, CODE, hints="auto")
    assert sources(one) == ["prompt", "model", "hint", "model", "tool", "model"] and one.num_taken_back() == 2
    assert one.tool_calls()[0].output == "True\n"


def test_without_hints_the_final_program_is_not_run(codec: Codec) -> None:
    python = PlainPython()
    assert turn(codec, [DRAFT + END], CODE, sandbox=python).stop_reason is StopReason.ANSWERED
    assert python.ran == []
    run = turn(codec, [DRAFT + END, "Good." + END], CODE, sandbox=python, last_block="run")
    assert sources(run) == ["prompt", "model", "tool", "model"] and len(python.ran) == 1


def test_a_last_block_of_a_maths_turn_is_run(codec: Codec) -> None:
    one = turn(codec, ["Compute.\n```python\nprint(6 * 7)\n```" + END, "So \\boxed{42}." + END])
    assert sources(one) == ["prompt", "model", "tool", "model"] and one.stop_reason is StopReason.ANSWERED
    (call,) = one.tool_calls()
    assert call.discarded_ids == [codec.encode_control(END)[0]] and call.code == "print(6 * 7)\n"
    assert one.spans[2].text == "\n```output\n42\n```\n" and not set(one.spans[1].token_ids) & codec.end_ids
    text = final_text(one.model_copy(update={"spans": one.spans[1:]}))
    assert text == "Compute.\n```python\nprint(6 * 7)\n```\nSo \\boxed{42}."
    left = turn(codec, ["Compute.\n```python\nprint(6 * 7)\n```" + END], last_block="leave")
    assert left.tool_calls() == [] and left.stop_reason is StopReason.ANSWERED
    capped = turn(codec, ["Compute.\n```python\nprint(6 * 7)\n```" + END], max_tool_calls=0)
    assert capped.tool_calls() == [] and capped.stop_reason is StopReason.ANSWERED


def test_a_block_that_the_end_of_thinking_closes_is_run(codec: Codec) -> None:
    one = play(codec, ["```python\nprint(6 * 7)\n```</think>", f"42.</think>\\boxed{{42}}{END}"])
    assert one.tool_calls()[0].discarded_ids == [codec.think_close_id] and one.stop_reason is StopReason.ANSWERED


def test_the_end_of_the_turn_may_be_taken_back_again_and_again(codec: Codec) -> None:
    block = "```python\nprint(1)\n```" + END
    one = turn(codec, [block, block, block, "Done." + END], max_tool_calls=2)
    assert len(one.tool_calls()) == 2 and one.num_taken_back() == 2
    assert one.spans[-1].text.startswith("```python") and one.stop_reason is StopReason.ANSWERED


def test_an_error_of_the_sandbox_leaves_no_end_token(codec: Codec) -> None:
    one = turn(codec, ["```python\nBROKEN\n```" + END])
    assert one.stop_reason is StopReason.SANDBOX_ERROR and one.spans[-1].token_ids[-1] not in codec.end_ids


def test_what_was_taken_back_counts_as_spent(codec: Codec) -> None:
    turns = ["6 * 7 = 41." + END, "print(6 * 7)\n```\n", "It is 42." + END]
    whole = turn(codec, turns, hints="end", rounds=1)
    spent = sum(len(span.token_ids) for span in whole.spans[1:]) + whole.num_taken_back()
    exact = turn(codec, turns, hints="end", rounds=1, max_tokens=spent)
    assert exact.stop_reason is StopReason.ANSWERED
    short = turn(codec, turns, hints="end", rounds=1, max_tokens=spent - 1)
    assert short.stop_reason is StopReason.MAX_TOKENS and short.token_ids() == exact.token_ids()[:-1]


@pytest.mark.parametrize(
    ("policy", "begun", "before"),
    [
        ("before_conclusion", "Therefore, it is", "6 times 7.\n\n"),
        ("before_conclusion", "The final answer is", "6 times 7.\n\n"),
        ("before_box", "It is \\boxed{41}.", "Thus it follows.\n"),
        ("turn", "So, it is", "6 times 7.\n\n"),
    ],
)
def test_a_hint_before_a_line_takes_the_line_back(codec: Codec, policy: str, begun: str, before: str) -> None:
    one = turn(codec, [before + begun, "print(6 * 7)\n```\n", "So, \\boxed{42}." + END], hints=policy)
    assert sources(one) == ["prompt", "model", "hint", "model", "tool", "model"]
    (hint,) = one.hints()
    assert hint.position is HintPosition.BEFORE_LINE and one.spans[1].text == before
    assert begun.startswith(codec.decode(hint.discarded_ids)) and len(hint.discarded_ids) >= 1
    assert one.spans[2].text.startswith("Wait, ") and one.tool_calls()[0].output == "42\n"


def test_a_hint_after_each_paragraph(codec: Codec) -> None:
    long = "This is a paragraph of some length that says one thing after another, and then one more thing, for the cooldown.\n\n"
    turns = [long * 2, "print(1)\n```\n", long * 2, "print(2)\n```\n", "\\boxed{42}" + END]
    one = turn(codec, turns, hints="each_paragraph")
    assert [hint.position for hint in one.hints()] == [HintPosition.PARAGRAPH] * 2


def test_without_tools_a_program_may_still_be_given(codec: Codec) -> None:
    assert "```python" in turn(codec, [DRAFT + END], CODE, tools=False).spans[1].text
    assert "```python" not in turn(codec, [DRAFT + END], MATHS, tools=False).spans[1].text


def test_rounds_of_the_debug_hint(codec: Codec) -> None:
    wrong = TESTED.replace("a * b", "a")
    one = turn(codec, [DRAFT + END, wrong, "Wrong." + END, TESTED, FINAL + END], CODE, hints="end", rounds=3)
    assert [call.output for call in one.tool_calls()] == ["False\n", "True\n"]
    assert one.num_taken_back() == 2 and one.stop_reason is StopReason.ANSWERED


def test_the_ledger_refuses_what_was_not_taken_back(codec: Codec) -> None:
    one = turn(codec, ["Compute.\n```python\nprint(6 * 7)\n```" + END, "So \\boxed{42}." + END])
    call = one.spans[2].tool
    assert call is not None
    for wrong in ([], [5, 6], [codec.encode("a")[0]], None):
        spans = [span.model_copy() for span in one.spans]
        spans[2] = spans[2].model_copy(update={"tool": call.model_copy(update={"discarded_ids": wrong})})
        assert verify_trajectory(one.model_copy(update={"spans": spans}), codec) is not None
    hinted = turn(codec, ["6.\nTherefore, 41", "print(1)\n```\n", "So." + END], hints="before_conclusion")
    for wrong in ([codec.encode("a\n")[-1]], sorted(codec.end_ids)[:1]):
        spans = [span.model_copy() for span in hinted.spans]
        at = next(index for index, span in enumerate(spans) if span.source is SpanSource.HINT)
        hint = spans[at].hint
        assert hint is not None
        spans[at] = spans[at].model_copy(update={"hint": hint.model_copy(update={"discarded_ids": wrong})})
        assert verify_trajectory(hinted.model_copy(update={"spans": spans}), codec) is not None
