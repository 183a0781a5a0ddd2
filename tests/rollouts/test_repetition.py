"""The hint against going round in circles: it stands in place of what was said again, once, and the ledger proves it."""

from __future__ import annotations

import pytest

from selftaught.records import HintPosition, StopReason
from selftaught.rollouts.text import is_looping, repeated_stretch
from selftaught.rollouts.verify import verify_trajectory
from selftaught.tokens import Codec

from .playing import play, sources

ANSWER = "</think>\n\nThe answer is \\boxed{42}.<|im_end|>"
LOOP = "I will check it again. " * 400


def test_the_hint_takes_the_place_of_the_repetition(codec: Codec) -> None:
    one = play(codec, ["It is big.\n\n" + LOOP, "print(6 * 7)\n```\n", f"So 42.\n{ANSWER}"], hints="repetition")
    assert sources(one) == ["prompt", "model", "hint", "model", "tool", "model"]
    (hint,) = one.hints()
    assert hint.position is HintPosition.REPETITION and one.stop_reason is StopReason.ANSWERED
    assert one.spans[1].text.count("check it again") == 1
    assert codec.decode(hint.discarded_ids).count("check it again") >= 3
    assert one.num_taken_back() == len(hint.discarded_ids)
    assert one.spans[2].text.startswith("\n\nWait, ") and one.spans[2].text.endswith("```python\n")
    without = play(codec, ["It is big.\n\n" + LOOP], hints="none")
    assert without.stop_reason is StopReason.REPETITION


def test_a_second_loop_ends_it(codec: Codec) -> None:
    one = play(codec, [LOOP, "print(1)\n```\n", LOOP], hints="repetition")
    assert len(one.hints()) == 1 and one.stop_reason is StopReason.REPETITION


def test_the_budget_counts_what_was_taken_back(codec: Codec) -> None:
    whole = play(codec, [LOOP, "print(1)\n```\n", "x y z " * 900], hints="repetition", max_tokens=500)
    spent = sum(len(span.token_ids) for span in whole.spans[1:]) + whole.num_taken_back()
    assert spent == 500 and whole.stop_reason is StopReason.MAX_TOKENS
    no_room = play(codec, [LOOP], hints="repetition", max_tokens=300)
    assert no_room.hints() == []


@pytest.mark.parametrize(
    "turns",
    [
        ["```python\n" + "x = 1\n" * 400],  # a hint would be code
        [f"6 * 7 = 42.</think>{LOOP}"],  # the thinking is over
    ],
)
def test_no_hint_inside_code_or_the_answer(codec: Codec, turns: list[str]) -> None:
    one = play(codec, turns, hints="repetition")
    assert one.hints() == [] and one.stop_reason is StopReason.REPETITION


def test_a_loop_of_whole_blocks_is_left_without_an_open_block(codec: Codec) -> None:
    block = "Let me see.\n```text\na\n```\n"
    one = play(codec, [block * 60, "print(1)\n```\n", f"So.\n{ANSWER}"], hints="repetition")
    assert len(one.hints()) == 1 and len(one.tool_calls()) == 1


def test_the_ledger_refuses_what_does_not_repeat(codec: Codec) -> None:
    one = play(codec, [LOOP, "print(6 * 7)\n```\n", f"So 42.\n{ANSWER}"], hints="repetition")
    hint = one.spans[2].hint
    assert hint is not None
    hint.discarded_ids[5] = hint.discarded_ids[5] + 1
    mismatch = verify_trajectory(one, codec)
    assert mismatch is not None and "expected a repetition" in mismatch.problem


def test_where_a_stretch_begins() -> None:
    ids = [9, 8, *[1, 2, 3] * 10, 1]
    assert is_looping(ids, 12) and repeated_stretch(ids, 12) == ids[5:]
    assert repeated_stretch([7] * 20, 8) == [7] * 19
