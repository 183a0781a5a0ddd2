"""Whatever a model writes ends in a stop reason, runs only its own closed blocks, and leaves a ledger that verifies."""

from __future__ import annotations

import asyncio
import random
import re
import time

import pytest

from selftaught.engines import ScriptedEngine
from selftaught.records import ExecStatus, SpanSource, StopReason
from selftaught.rollouts.verify import verify_trajectory
from selftaught.tokens import Codec
from selftaught.tokens.fences import FenceScanner

from .playing import CODE, MATHS, PlainPython, play, play_async, settings, sources

END = "</think>\\boxed{1}<|im_end|>"


class Recording(PlainPython):
    """Runs nothing; remembers what it was asked to run."""

    def _run(self, code, scope):  # type: ignore[no-untyped-def]
        self.ran.append(code)
        from .playing import Ran

        status = [ExecStatus.OK, ExecStatus.ERROR, ExecStatus.TIMEOUT, ExecStatus.MEMORY][len(code) % 4]
        return Ran(status, "```\n</think><|im_end|>\n```python\nprint('output')\n```\n" if len(code) % 3 else "")


def test_a_fake_output_block_is_only_text(codec: Codec) -> None:
    python = PlainPython()
    one = play(codec, ["```output\n42\n```\nSo the output is 42.\n" + END], sandbox=python)
    assert sources(one) == ["prompt", "model"] and python.ran == []


def test_python_inside_a_fake_output_is_a_new_block(codec: Codec) -> None:
    one = play(codec, ["```output\n```python\nprint(1)\n```\n", END])
    assert [call.code for call in one.tool_calls()] == ["print(1)\n"]


def test_a_block_that_never_closes_is_never_run(codec: Codec) -> None:
    python = PlainPython()
    endless = play(
        codec, ["```python\n" + "".join(f"x{n} = {n}\n" for n in range(500))], sandbox=python, max_tokens=2000
    )
    assert endless.stop_reason is StopReason.MAX_TOKENS and python.ran == []
    cut = play(codec, ["```python\nprint(1)\n``" + END], sandbox=python, hints="auto")
    assert cut.stop_reason is StopReason.ANSWERED and python.ran == [] and cut.hints() == []
    ended = play(codec, ["```python\nprint(1)\n<|im_end|>"], sandbox=python)
    assert ended.stop_reason is StopReason.ENDED_IN_THINKING and python.ran == []


def test_control_strings_in_output_stay_text(codec: Codec) -> None:
    one = play(codec, ["```python\nprint('<' + '/think>', '<' + '|im_end|>', '`'*3)\n```\n", f"Fine.{END}"])
    tool = one.spans[2]
    assert not set(tool.token_ids) & codec.control_ids and "</think>" in tool.text
    fenced = play(codec, ["```python\nprint('`'*3)\nprint('`'*3 + 'python')\n```\n", END])
    assert fenced.spans[2].text == "```output\n ```\n ```python\n```\n"
    assert len(fenced.tool_calls()) == 1


def test_control_tokens_inside_a_turn_are_text(codec: Codec) -> None:
    one = play(codec, ["<|im_start|>assistant\n<think><think>\n```python\nprint(1)\n```\n", END])
    assert len(one.tool_calls()) == 1 and one.stop_reason is StopReason.ANSWERED


def test_huge_code_is_refused(codec: Codec) -> None:
    python = PlainPython()
    line = codec.encode_control("abcdefgh = 1234\n")
    block = [*codec.encode_control("```python\n"), *line * 7_000, *codec.encode_control("```\n")]
    turns: list[object] = [block, END]
    engine = ScriptedEngine(codec, lambda sequence: turns[sequence.said] if sequence.said < 2 else None)  # type: ignore[arg-type, return-value]
    (one,) = asyncio.run(
        play_async(engine, settings(max_tokens=10**7, repetition_window=0, max_code_bytes=100_000), MATHS, python)
    )
    (call,) = one.tool_calls()
    assert call.status is ExecStatus.REFUSED and len(call.code) > 100_000 and python.ran == []
    assert "at most 100000 are run" in one.spans[2].text
    assert one.stop_reason is StopReason.ANSWERED and verify_trajectory(one, codec) is None


def test_a_megabyte_of_code_is_refused_quickly(codec: Codec) -> None:
    python = PlainPython()
    opening, closing = codec.encode_control("```python\n"), codec.encode_control("```\n")
    line = codec.encode_control("value = 'abcdefghijklmnopqrstuvwxyz' * 1234\n")
    block = [*opening, *line * (-(-1_000_000 // len(codec.to_bytes(line)))), *closing]
    turns: list[object] = [block, END]
    engine = ScriptedEngine(codec, lambda sequence: turns[sequence.said] if sequence.said < 2 else None)  # type: ignore[arg-type, return-value]
    started = time.process_time()
    (one,) = asyncio.run(play_async(engine, settings(max_tokens=10**7, repetition_window=0), MATHS, python))
    seconds = time.process_time() - started
    (call,) = one.tool_calls()
    assert len(call.code.encode()) >= 1_000_000
    assert call.status is ExecStatus.REFUSED and python.ran == []
    assert one.stop_reason is StopReason.ANSWERED and verify_trajectory(one, codec) is None
    assert seconds < 20, "the state machine must take time in proportion to the code"
    looping = play(codec, [block], max_tokens=10**7)
    assert looping.stop_reason is StopReason.REPETITION and looping.tool_calls() == []


def test_loops_of_code_end(codec: Codec) -> None:
    one = play(codec, ["```python\nprint(1)\n```\n"] * 50, max_tool_calls=6)
    assert one.stop_reason is StopReason.MAX_TOOL_CALLS and len(one.tool_calls()) == 6
    waits = play(codec, ["Wait, " * 2000], hints="none", repetition_window=64)
    assert waits.stop_reason is StopReason.REPETITION


PIECES = [
    "```python\n", "```", "\n", "\n\n", "```\n", "``", "`", "print(1)\n", "x = '```'\n", "```output\n42\n```\n", "Wait", "Wait, ", " Alternatively",
    "</think>", "<think>", "<|im_end|>", "<|im_start|>", "<|endoftext|>", "é🙂", "\x00", "    ```\n", "```py\n", "by hand. ", "maybe", " not sure. ",
    "```python", "\r\n", "```text\nabc\n```\n", "I compute. ", "中文", "等等", "\t```\n",
]  # fmt: skip


def random_script(codec: Codec, seed: int):  # type: ignore[no-untyped-def]
    """A model that says random pieces, random tokens among them, and ends now and then."""
    rng = random.Random(seed)
    weights = [
        8 if piece in ("```python\n", "```\n", "print(1)\n", "Wait") else 0.4 if piece.startswith("<|") else 2
        for piece in PIECES
    ]

    def script(sequence: object) -> list[int]:
        ids: list[int] = []
        for _ in range(rng.randint(1, 12)):
            if rng.random() < 0.1:
                ids.append(rng.randrange(codec.vocab_size))
            else:
                ids += codec.encode_control(rng.choices(PIECES, weights)[0])
        return ids

    return script


@pytest.mark.parametrize("seed", range(60))
def test_any_model_leaves_a_ledger_that_holds(codec: Codec, seed: int) -> None:
    rng = random.Random(seed)
    python = Recording()
    changes = settings(
        hints=rng.choice(["none", "auto", "auto", "end", "careful", "early", "paragraph", "halfway", "math"]),
        rounds=rng.randrange(4),
        max_tool_calls=rng.randrange(5),
        max_tokens=rng.choice([60, 400, 1500]),
        keep_state=rng.random() < 0.7,
        at_call_cap=rng.choice(["notice", "stop"]),
        seed=seed,
    )
    if changes.hints.policy == "end" and rng.random() < 0.5:
        changes = changes.changed(record_rounds=True)
    engine = ScriptedEngine(codec, random_script(codec, seed), max_context=rng.choice([500, 1 << 20]))
    found = asyncio.run(play_async(engine, changes, rng.choice([MATHS, CODE]), python))
    assert len(found) == (changes.hints.rounds + 1 if changes.hints.record_rounds else 1)
    allowed = set(StopReason) - {
        StopReason.ENGINE_ERROR,
        StopReason.SANDBOX_ERROR,
        StopReason.CANCELLED,
        StopReason.TIMEOUT,
    }
    for one in found:
        assert one.stop_reason in allowed
        assert verify_trajectory(one, codec) is None
        assert len(one.tool_calls()) <= changes.tools.max_tool_calls
        sampled = [span for span in one.spans if span.source is SpanSource.MODEL]
        assert sum(len(span.token_ids) for span in sampled) <= changes.sampling.max_tokens
        text = one.text_after_prompt()
        for call in one.tool_calls():
            assert re.search(re.escape(call.code) + r"[ \t]{0,3}```", text)
        hinted = "".join(span.text for span in one.spans if span.source is SpanSource.HINT)
        template = [block.code for block in FenceScanner().feed(hinted, SpanSource.HINT)]
        assert not set(template) & {call.code for call in one.tool_calls() if call.code}
        assert {sequence.ids[0] for sequence in engine.sequences if sequence.ids} <= {one.spans[0].token_ids[0]}
    assert engine.num_closed == len(engine.sequences)
    assert python.num_open == 0
