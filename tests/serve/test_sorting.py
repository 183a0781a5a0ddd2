"""What is reasoning and what is the answer, with think tags and without, on scripted turns."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.rollouts.playing import PlainPython

from selftaught.engines import ScriptedEngine
from selftaught.engines.tiny import make_tiny_model
from selftaught.hints import load_library
from selftaught.records import Trajectory
from selftaught.rollouts.loop import Rollout
from selftaught.rollouts.settings import RolloutSettings
from selftaught.rollouts.thinking import has_think_tags
from selftaught.rollouts.tools import ToolBox
from selftaught.serve.messages import problem_of
from selftaught.serve.parts import Answer, CodeDelta, CodeEnded, CodeStarted, Output, Part, Reasoning, Running, usage_of
from selftaught.serve.sorting import Sorter
from selftaught.tokens import Codec

END = "<|im_end|>"
ASKED = problem_of([{"role": "user", "content": "What is 6 times 7?"}])


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    folder: Path = make_tiny_model(tmp_path_factory.mktemp("tiny"))
    return Codec(folder)


def sort(codec: Codec, turns: list[str], **changes: Any) -> tuple[list[Part], Trajectory]:
    """The parts of scripted turns."""
    settings = RolloutSettings(**{"max_tokens": 3_000, "condition": "t", **changes})
    parts: list[Part] = []
    found: list[Trajectory] = []
    sorter = Sorter(settings, has_think_tags(codec, settings), parts.append)
    tools = ToolBox(PlainPython(), settings) if settings.tools.enabled else None
    rollout = Rollout(
        ScriptedEngine.from_turns(codec, turns), settings, load_library(), settings.hints.policy, tools,
        lambda one: one.problem, found.append, sorter,
    )  # fmt: skip
    asyncio.run(rollout.run(ASKED, 0))
    sorter.finish()
    return parts, found[0]


def texts(parts: list[Part]) -> tuple[str, str]:
    """(reasoning, answer)."""
    reasoning = "".join(part.text for part in parts if not isinstance(part, Answer | Running) and hasattr(part, "text"))
    return reasoning, "".join(part.text for part in parts if isinstance(part, Answer))


CALL = "Let me see.\n```python\nprint(6 * 7)\n```\n"
SHOWN = "```output\n42\n```\n"


def test_with_tags_the_answer_follows_the_thinking(codec: Codec) -> None:
    parts, _ = sort(codec, [CALL, "So 42.\n</think>\n\nIt is 42." + END])
    assert texts(parts) == (CALL + SHOWN + "So 42.\n", "It is 42.")
    kinds = [type(part) for part in parts]
    assert kinds.index(CodeStarted) < kinds.index(CodeEnded) < kinds.index(Running) < kinds.index(Output)
    (ended,) = [part for part in parts if isinstance(part, CodeEnded)]
    (running,) = [part for part in parts if isinstance(part, Running)]
    code = "".join(part.code for part in parts if isinstance(part, CodeDelta))
    assert ended.code == running.code == code == "print(6 * 7)\n" and ended.closed
    assert (running.call, running.max_calls) == (1, 6)


def test_without_tags_the_answer_follows_the_last_output(codec: Codec) -> None:
    parts, trajectory = sort(codec, [CALL, "So 42.\n\nIt is 42." + END], think_style="whole_turn")
    assert texts(parts) == (CALL + SHOWN, "So 42.\n\nIt is 42.")
    usage = usage_of(trajectory, codec, think_tags=False)
    answer = len(codec.encode_control("So 42.\n\nIt is 42." + END))
    assert usage.output_tokens - usage.reasoning_tokens == answer


def test_without_tags_and_without_a_call_the_whole_turn_is_the_answer(codec: Codec) -> None:
    program = "Here is one:\n```python\nprint(1)\n```\nUse it."
    parts, _ = sort(codec, [program + END], think_style="whole_turn", tools=False, max_tool_calls=0)
    assert texts(parts) == ("", program)
    parts, trajectory = sort(codec, ["\n\nIt is 42." + END], think_style="whole_turn")
    assert texts(parts) == ("", "It is 42.")
    assert usage_of(trajectory, codec, think_tags=False).reasoning_tokens == 0


def test_without_tags_an_answer_that_no_call_can_follow_comes_as_it_is_written(codec: Codec) -> None:
    live, _ = sort(codec, [CALL, "So it is forty-two." + END], think_style="whole_turn", max_tool_calls=1)
    held, _ = sort(codec, [CALL, "So it is forty-two." + END], think_style="whole_turn", max_tool_calls=2)
    assert texts(live)[1] == texts(held)[1] == "So it is forty-two."
    # The notice that no calls are left is the runner's, and no part of the answer.
    assert texts(live)[0].endswith("From here on nothing is executed.)\n")
    last = max(at for at, part in enumerate(live) if isinstance(part, Reasoning))
    assert sum(isinstance(part, Answer) for part in live[last:]) > 3


def test_two_calls_without_tags(codec: Codec) -> None:
    turns = [CALL, "And again.\n```python\nprint(1)\n```\n", "Done: 42." + END]
    parts, _ = sort(codec, turns, think_style="whole_turn")
    reasoning, answer = texts(parts)
    assert answer == "Done: 42." and reasoning == CALL + SHOWN + turns[1] + "```output\n1\n```\n"
    assert [part.call for part in parts if isinstance(part, CodeStarted)] == [1, 2]


def test_a_hint_is_marked_and_its_fence_begins_the_code(codec: Codec) -> None:
    turns = ["It is 41.</think>", "print(6 * 7)\n```\n", "So 42.</think>It is 42." + END]
    parts, trajectory = sort(codec, turns, hints="math")
    hint = trajectory.hints()[0]
    said = [part for part in parts if isinstance(part, Reasoning | CodeStarted) and part.who == "hint"]
    assert {part.hint_id for part in said} == {hint.id}
    assert isinstance(said[-1], CodeStarted) and said[-1].text == "```python\n"
    assert "".join(part.text for part in said) == next(span.text for span in trajectory.spans if span.hint)
    reasoning, answer = texts(parts)
    shown = trajectory.text_after_prompt().replace("</think>", "|").replace(END, "")
    assert f"{reasoning}|{answer}" == shown


def test_a_block_that_is_given_up_is_no_call(codec: Codec) -> None:
    parts, _ = sort(codec, ["Try:\n```python\nprint(\n```python\nprint(6)\n```\n", "Six.</think>6" + END])
    ended = [part for part in parts if isinstance(part, CodeEnded)]
    assert [(part.closed, part.code) for part in ended] == [(False, "print(\n"), (True, "print(6)\n")]
    assert [part.call for part in ended] == [1, 1]
    parts, _ = sort(codec, ["Try:\n```python\nprint(1" + END])
    ended = [part for part in parts if isinstance(part, CodeEnded)]
    assert [(part.closed, part.code) for part in ended] == [(False, "print(1")]
