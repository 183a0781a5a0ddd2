"""The state machine through its driver: what is run, what is inserted, and why it ends."""

from __future__ import annotations

import asyncio

import pytest

from selftaught.engines import SampleRequest, ScriptedEngine
from selftaught.records import ExecStatus, HintPosition, SpanSource, StopReason
from selftaught.rollouts.text import NO_CALLS_LEFT
from selftaught.tokens import Codec, resolve_model

from .playing import CODE, MATHS, PlainPython, play, play_async, settings, sources

ANSWER = "</think>\n\nThe answer is \\boxed{42}.<|im_end|>"


def test_a_plain_answer(codec: Codec) -> None:
    one = play(codec, [f"6 * 7 = 42.\n{ANSWER}"])
    assert sources(one) == ["prompt", "model"]
    assert one.stop_reason is StopReason.ANSWERED
    assert one.spans[0].text.endswith("<think>\n")
    assert one.decisions is None


def test_the_models_own_block_is_run(codec: Codec) -> None:
    one = play(codec, ["Let me compute.\n```python\nprint(6 * 7)\n```\n", f"It is 42.\n{ANSWER}"])
    assert sources(one) == ["prompt", "model", "tool", "model"]
    assert one.spans[2].text == "```output\n42\n```\n"
    (call,) = one.tool_calls()
    assert call.code == "print(6 * 7)\n" and call.status is ExecStatus.OK


def test_an_end_token_inside_thinking_ends_it(codec: Codec) -> None:
    one = play(codec, ["So it is 42.<|im_end|>"], hints="auto")
    assert one.stop_reason is StopReason.ENDED_IN_THINKING
    assert one.hints() == []


def test_after_the_thinking_nothing_is_run(codec: Codec) -> None:
    python = PlainPython()
    one = play(codec, ["Easy.</think>\n```python\nprint(1)\n```\nDone.<|im_end|>"], sandbox=python)
    assert one.stop_reason is StopReason.ANSWERED and python.ran == []


def test_variables_live_from_block_to_block(codec: Codec) -> None:
    python = PlainPython()
    turns = ["```python\nx = 6\nprint(x)\n```\n", "Go on.\n```python\nprint(x * 7)\n```\n", ANSWER]
    one = play(codec, turns, sandbox=python)
    assert [call.output for call in one.tool_calls()] == ["6\n", "42\n"]
    assert python.num_sessions == 1 and python.num_open == 0
    forgetful = play(codec, turns, keep_state=False)
    assert forgetful.tool_calls()[1].status is ExecStatus.ERROR


def test_hint_after_a_word(codec: Codec) -> None:
    turns = ["That is big. Wait, no.\nWait, Wait, Wait, Wait", "print(6 * 7)\n```\n", f"So 42.\n{ANSWER}"]
    for sample in range(6):
        engine = ScriptedEngine.from_turns(codec, turns)
        (one,) = asyncio.run(play_async(engine, settings(hints="math"), MATHS, sample=sample))
        if one.hints()[0].position is HintPosition.AFTER_WORD:
            break
    assert sources(one) == ["prompt", "model", "hint", "model", "tool", "model"]
    hint = one.spans[2]
    assert one.spans[1].text.endswith("Wait") and hint.text.startswith(", ") and hint.text.endswith("\n```python\n")
    assert hint.hint is not None and hint.hint.discarded_ids == [] and "drew" in hint.hint.reason
    assert one.tool_calls()[0].output == "42\n"
    assert one.decisions and one.decisions[-1].taken is False  # the end of thinking: already hinted


def test_hint_at_the_end_of_thinking(codec: Codec) -> None:
    one = play(codec, ["6 * 7 = 41.</think>", "print(6 * 7)\n```\n", f"42 then.{ANSWER}"], hints="math")
    assert sources(one) == ["prompt", "model", "hint", "model", "tool", "model"]
    hint = one.spans[2]
    assert hint.hint is not None
    assert hint.hint.discarded_ids == [codec.think_close_id]
    assert hint.hint.position is HintPosition.END_OF_THINKING and hint.hint.round == 1
    assert hint.text.startswith("\n\nWait, ")
    assert codec.think_close_id not in one.spans[1].token_ids


def test_engines_are_told_where_something_will_be_put_in() -> None:
    codec = Codec(resolve_model("toy"))  # closing fences are tokens of their own there, as in Qwen's

    def halts(turns: list[str], **changes: object) -> list[frozenset[int] | None]:
        engine = ScriptedEngine.from_turns(codec, turns)
        asked: list[frozenset[int] | None] = []
        taken = engine.open

        def opened(*arguments: object) -> object:
            row = taken(*arguments)  # type: ignore[arg-type]
            sample = row.sample

            def sampled(request: SampleRequest) -> object:
                asked.append(request.halts.ids if request.halts is not None else None)
                return sample(request)

            row.sample = sampled  # type: ignore[method-assign]
            return row

        engine.open = opened  # type: ignore[method-assign]
        asyncio.run(play_async(engine, settings(**changes)))
        return list(dict.fromkeys(asked))

    close = codec.think_close_id
    closing = frozenset(
        i for i, text in enumerate(codec.token_bytes) if text.strip(b" \t\r\n") == b"```" and b"\n" in text
    )
    assert closing
    assert halts([f"It is 42.\n{ANSWER}"]) == [closing, None]  # None: in the answer nothing is put in
    assert halts([f"It is 42.\n{ANSWER}"], tools=False) == [None]
    turns = ["6 * 7 = 41.</think>", "print(6 * 7)\n```\n", f"42 then.{ANSWER}"]
    assert halts(turns, hints="math") == [closing | {close}, closing, None]  # the hint is used up after its first time


def test_debug_hint_and_its_template_that_is_never_run(codec: Codec) -> None:
    python = PlainPython()
    program = "def solve(a, b):\n    return a * b\n\nprint(solve(3, 20) == 60)\n```\n"
    final = "</think>\n```python\ndef solve(a, b):\n    return a * b\n```<|im_end|>"
    one = play(codec, ["It is a product.\n</think>", program, f"Right.\n{final}"], CODE, python, hints="auto")
    hint = one.spans[2]
    assert hint.hint is not None and hint.hint.position is HintPosition.BEFORE_FINAL
    assert "def solve(a, b):\n    ...\n\nprint(solve(3, 20) == 60)\n```" in hint.text
    assert "25" not in hint.text  # hidden tests stay hidden
    assert python.ran == [program.removesuffix("```\n")]
    assert one.tool_calls()[0].output == "True\n"


def test_rounds(codec: Codec) -> None:
    turns = ["A.</think>", "print(1)\n```\n", "B.</think>", "print(2)\n```\n", f"C.{ANSWER}"]
    one = play(codec, turns, hints="end", rounds=2)
    assert [hint.id.split("/")[0] for hint in one.hints()] == ["self_reflection", "check_again"]
    assert [hint.round for hint in one.hints()] == [1, 2]
    assert play(codec, turns, hints="end", rounds=0).hints() == []


def test_rounds_may_end_where_python_has_answered(codec: Codec) -> None:
    turns = ["It is 41.</think>", "print(1 / 0)\n```\n", "That failed.</think>", "print(6 * 7)\n```\n", f"42.{ANSWER}"]
    one = play(codec, turns, hints="end_unverified", rounds=5)
    assert [call.status for call in one.tool_calls()] == [ExecStatus.ERROR, ExecStatus.OK]
    assert one.stop_reason is StopReason.ANSWERED and len(one.hints()) == 2
    assert one.decisions and one.decisions[-1].taken is False and "verified" in one.decisions[-1].reason


def test_debug_rounds_end_where_every_sample_passes(codec: Codec) -> None:
    wrong, right = (
        f"def solve(a, b):\n    return {body}\n\nprint(solve(3, 20) == 60)\n```\n" for body in ("a", "a * b")
    )
    final = "</think>\n```python\ndef solve(a, b):\n    return a * b\n```<|im_end|>"
    turns = ["It is a product.\n</think>", wrong, "That fails.\n</think>", right, f"Right.\n{final}"]
    one = play(codec, turns, CODE, hints="end", rounds=5)
    assert [call.output for call in one.tool_calls()] == ["False\n", "True\n"]
    assert [hint.id.split("/")[0] for hint in one.hints()] == ["debug", "debug"]
    assert one.decisions[-1].taken is False and "passed" in one.decisions[-1].reason
    turns = [*turns[:4], "Right.\n</think>", right, f"Right.\n{final}"]
    again = play(codec, turns, CODE, hints="end_passed", rounds=3)
    assert [hint.id.split("/")[0] for hint in again.hints()] == ["debug", "check_again", "think_deeper"]


def test_recorded_rounds_are_those_of_separate_runs(codec: Codec) -> None:
    def script(sequence: object) -> str:
        ids = sequence.ids  # type: ignore[attr-defined]
        if codec.think_close_id in ids:
            return " The answer is \\boxed{42}.<|im_end|>"
        said = len(ids) % 1000
        return f"Now {said}.</think>" if not codec.decode(ids).endswith("```python\n") else f"print({said})\n```\n"

    def run(**changes: object) -> dict[str, list[int]]:
        found = asyncio.run(play_async(ScriptedEngine(codec, script), settings(hints="end", **changes), MATHS))
        return {one.id: one.token_ids() for one in found}

    recorded = run(rounds=3, record_rounds=True)
    assert sorted(recorded) == ["m#0@0", "m#0@1", "m#0@2", "m#0@3"]
    for round_ in range(4):
        assert run(rounds=round_)["m#0"] == recorded[f"m#0@{round_}"]


def test_a_stop_inside_a_round_stands_for_all_later_ones(codec: Codec) -> None:
    engine = ScriptedEngine.from_turns(codec, ["A.</think>", "print(1)\n```\n", "B.<|im_end|>"])
    found = asyncio.run(play_async(engine, settings(hints="end", rounds=3, record_rounds=True), MATHS))
    by_id = {one.id: one for one in found}
    assert sorted(by_id) == ["m#0@0", "m#0@1", "m#0@2", "m#0@3"]
    assert [by_id[f"m#0@{n}"].stop_reason.value for n in (1, 2, 3)] == ["ended_in_thinking"] * 3


def test_calls_are_capped_and_the_model_is_told(codec: Codec) -> None:
    block = "```python\nprint(1)\n```\n"
    one = play(codec, [block, block, f"Enough.{ANSWER}"], max_tool_calls=2)
    assert sources(one) == ["prompt", "model", "tool", "model", "tool", "control", "model"]
    assert one.spans[5].text == NO_CALLS_LEFT["en"]
    greedy = play(codec, [block] * 5, max_tool_calls=2)
    assert greedy.stop_reason is StopReason.MAX_TOOL_CALLS and len(greedy.tool_calls()) == 2
    silent = play(codec, [block] * 5, max_tool_calls=2, at_call_cap="stop")
    assert silent.stop_reason is StopReason.MAX_TOOL_CALLS and "control" not in sources(silent)
    none = play(codec, [block] * 5, max_tool_calls=0)
    assert none.tool_calls() == [] and none.stop_reason is StopReason.MAX_TOOL_CALLS


def test_tools_off_bans_fences_in_thinking_only(codec: Codec) -> None:
    engine = ScriptedEngine.from_turns(codec, ["```python\nprint(1)\n```\nSo 42.</think>\n```python\nx\n```<|im_end|>"])
    (one,) = asyncio.run(play_async(engine, settings(tools=False), MATHS))
    thinking, _, answer = one.text_after_prompt().partition("</think>")
    assert "```" not in thinking and "```python" in answer
    assert one.tool_calls() == [] and one.stop_reason is StopReason.ANSWERED


def test_budgets(codec: Codec) -> None:
    one = play(codec, ["x y z " * 500], max_tokens=50, repetition_window=0)
    assert one.stop_reason is StopReason.MAX_TOKENS
    assert sum(len(span.token_ids) for span in one.spans[1:]) == 50
    engine = ScriptedEngine.from_turns(codec, ["x y z " * 500], max_context=80)
    (full,) = asyncio.run(play_async(engine, settings(repetition_window=0), MATHS))
    assert full.stop_reason is StopReason.MAX_TOKENS and len(full.token_ids()) <= 80
    tiny = ScriptedEngine.from_turns(codec, ["x"], max_context=5)
    (none,) = asyncio.run(play_async(tiny, settings(), MATHS))
    assert none.stop_reason is StopReason.MAX_TOKENS and sources(none) == ["prompt"]
    no_room = play(codec, ["x y.</think>", ANSWER], hints="math", max_tokens=20)
    assert no_room.hints() == []


def test_loops_are_cut(codec: Codec) -> None:
    one = play(codec, ["I will check it again. " * 400])
    assert one.stop_reason is StopReason.REPETITION
    assert one.num_tokens(SpanSource.MODEL) < 600


def test_failures_are_recorded(codec: Codec) -> None:
    late = play(codec, ["```python\nTIMEOUT\n```\n", f"Hm.{ANSWER}"])
    assert late.tool_calls()[0].status is ExecStatus.TIMEOUT
    assert "did not finish within 30 s" in late.spans[2].text
    broken = play(codec, ["```python\nBROKEN\n```\n", ANSWER])
    assert broken.stop_reason is StopReason.SANDBOX_ERROR and broken.error == "the zygote is gone"
    assert broken.tool_calls() == []
    slow = ScriptedEngine.from_turns(codec, ["x " * 10_000], delay_s=0.02)
    (cut,) = asyncio.run(
        play_async(slow, settings(trajectory_timeout_s=0.1, max_tokens=100_000, repetition_window=0), MATHS)
    )
    assert cut.stop_reason is StopReason.TIMEOUT and cut.num_tokens(SpanSource.MODEL) > 0


def test_repair_hint_after_an_error(codec: Codec) -> None:
    one = play(codec, ["```python\nprint(y)\n```\n", "print(42)\n```\n", ANSWER], hints="careful")
    assert sources(one) == ["prompt", "model", "tool", "hint", "model", "tool", "model"]
    assert one.hints()[0].position is HintPosition.AFTER_TOOL_ERROR
    assert "NameError" in one.spans[2].text


def test_trust_hint_opens_no_fence(codec: Codec) -> None:
    one = play(codec, ["```python\nprint(42)\n```\n", "I redo this by hand.", f" Fine.{ANSWER}"], hints="careful")
    assert [hint.id.split("/")[0] for hint in one.hints()] == ["trust"]
    assert "```" not in one.spans[4].text and one.stop_reason is StopReason.ANSWERED


def test_budget_and_paragraph_hints(codec: Codec) -> None:
    one = play(codec, ["some words\n" * 30, "print(1)\n```\n", ANSWER], hints="halfway", max_tokens=200)
    assert one.hints()[0].position is HintPosition.BUDGET
    assert one.spans[1].text.endswith("\n")
    text = "\n\n".join(f"step {number} of it all, quite long this one is" for number in range(60))
    two = play(codec, [text, "print(1)\n```\n", ANSWER], hints="paragraph")
    assert two.hints()[0].position is HintPosition.PARAGRAPH and two.spans[1].text.endswith("\n\n")


def test_whole_turn_thinking(codec: Codec) -> None:
    """QwQ-32B-Preview has no think tags: its end token is the end of thinking."""
    one = play(
        codec,
        ["It is 41.<|im_end|>", "print(6 * 7)\n```\n", "So \\boxed{42}.<|im_end|>"],
        hints="math",
        think_style="whole_turn",
    )
    assert one.stop_reason is StopReason.ANSWERED
    assert one.hints()[0].discarded_ids[0] in codec.end_ids and len(one.tool_calls()) == 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_languages(codec: Codec, language: str) -> None:
    one = play(codec, ["A.</think>", "print(1)\n```\n", ANSWER], hints="math", language=language, max_tool_calls=1)
    assert f"/{language}/" in one.hints()[0].id
    assert one.spans[5].text == NO_CALLS_LEFT[language]
