"""From parts to events: items, their order, what is streamed and what the whole is."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from selftaught.records import ExecStatus, Span, SpanSource, StopReason, ToolInfo, Trajectory
from selftaught.rollouts.settings import RolloutSettings
from selftaught.serve.errors import ApiError
from selftaught.serve.parts import (
    Answer,
    CodeDelta,
    CodeEnded,
    CodeStarted,
    Ended,
    Output,
    Part,
    Reasoning,
    Running,
    Usage,
)
from selftaught.serve.responses.answer import response_body
from selftaught.serve.responses.events import EventBuilder
from selftaught.serve.responses.request import parse

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
USAGE = Usage(10, 2, 3, 20, 15, 1, 0.5)


def ended(stop: StopReason = StopReason.ANSWERED, error: str | None = None) -> Ended:
    trajectory = Trajectory(
        id="t", problem_id="p", sample=0, seed=0, model="m", condition="c", stop_reason=stop, wall_s=0.0,
        spans=[Span(source=SpanSource.PROMPT, token_ids=[1], text="p")], created_at="2026-01-01T00:00:00Z",
    )  # fmt: skip
    return Ended(stop, USAGE, trajectory, error)


def call(number: int = 1, code: str = "f()\n", **tool: Any) -> list[Part]:
    info = ToolInfo(**{"code": code, "status": ExecStatus.OK, "output": "1\n", "wall_s": 0.25, **tool})
    return [
        CodeStarted("```python\n", number), CodeDelta(code, code, number), CodeEnded("```\n", code, number),
        Running(code, number, 6, 30.0), Output("```output\n1\n```\n", info, number),
    ]  # fmt: skip


def build(*parts: Part, **options: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All events, each validated, and the response."""
    ask = parse({"model": "m", "input": "q"})
    head = response_body(ask, "m", RolloutSettings(), {})
    builder = EventBuilder(head, **{"container_id": "cntr_1", "max_calls": 6, "timeout_s": 30.0, **options})
    events = builder.begin()
    for part in parts:
        events += builder.take(part)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    if not options.get("dialect"):
        for event in events:
            if not event["type"].startswith("start."):
                EVENT.validate_python(event)
    return events, builder.response


def kinds(response: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["type"], item["status"]) for item in response["output"]]


def test_a_turn_from_beginning_to_end() -> None:
    events, response = build(Reasoning("\n"), Reasoning("So "), *call(), Reasoning("\n"), Answer("1"), ended())
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created", "in_progress",
        "output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.delta",
        "reasoning_text.done", "content_part.done", "output_item.done",
        "output_item.added", "code_interpreter_call.in_progress", "code_interpreter_call_code.delta",
        "code_interpreter_call_code.done", "code_interpreter_call.interpreting", "code_interpreter_call.completed",
        "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
        "output_item.done", "completed",
    ]  # fmt: skip
    assert [event["output_index"] for event in events if event["type"] == "response.output_item.added"] == [0, 1, 2]
    assert kinds(response) == [(kind, "completed") for kind in ("reasoning", "code_interpreter_call", "message")]
    assert response["output"][0]["content"][0]["text"] == "\nSo "
    assert response["output"][1]["outputs"] == [{"type": "logs", "logs": "1\n"}]
    assert response["usage"]["input_tokens"] == 15 and response["usage"]["total_tokens"] == 35
    assert events[-1]["response"]["output"] == response["output"]


def test_what_a_hint_wrote_is_marked() -> None:
    events, response = build(
        Reasoning("Hm. "), Reasoning("Wait, ", "hint", "h1"), CodeStarted("```python\n", 1, "hint", "h1"),
        *call()[1:], Answer("1"), ended(),
    )  # fmt: skip
    marks = [event.get("start") for event in events if event["type"] == "response.reasoning_text.delta"]
    assert marks == [None, {"kind": "hint", "hint_id": "h1"}]
    assert response["output"][1]["start"] == {"kind": "hint", "hint_id": "h1"}


def test_a_block_that_is_not_run_is_incomplete() -> None:
    block: list[Part] = [CodeStarted("```python\n", 1), CodeDelta("x\n", "x\n", 1)]
    _, given_up = build(*block, CodeEnded("", "x\n", 1, closed=False), Reasoning("No."), Answer("2"), ended())
    assert kinds(given_up)[0] == ("code_interpreter_call", "incomplete") and given_up["output"][0]["outputs"] == []
    _, closed = build(*block, CodeEnded("```\n", "x\n", 1), Answer("2"), ended())
    assert kinds(closed) == [("code_interpreter_call", "incomplete"), ("message", "completed")]
    _, cut = build(*block, ended(StopReason.MAX_TOKENS))
    assert kinds(cut) == [("code_interpreter_call", "incomplete"), ("message", "incomplete")]


def test_a_block_beyond_the_last_call_is_thinking() -> None:
    beyond: list[Part] = [CodeStarted("```python\n", 2), CodeDelta("x\n", "x\n", 2), CodeEnded("```\n", "x\n", 2)]
    _, response = build(*call(), *beyond, Answer("2"), ended(), max_calls=1)
    assert [kind for kind, _ in kinds(response)] == ["code_interpreter_call", "reasoning", "message"]
    assert response["output"][1]["content"][0]["text"] == "```python\nx\n```\n"


def test_a_block_behind_marks_comes_when_it_ends() -> None:
    parts: list[Part] = [
        CodeStarted("> ```python\n", 1),
        CodeDelta("> x = 1\n", "", 1),
        CodeEnded("> ```\n", "x = 1\n", 1),
    ]
    events, response = build(*parts, *call()[3:], Answer("2"), ended())
    assert [event["delta"] for event in events if "code.delta" in event["type"]] == ["x = 1\n"]
    assert response["output"][0]["code"] == "x = 1\n"


@pytest.mark.parametrize(
    ("status", "shown", "why"),
    [
        (ExecStatus.ERROR, "completed", "1\n"),
        (ExecStatus.TIMEOUT, "failed", "1\nTimeoutError: the code did not finish within 30 s and was stopped.\n"),
        (ExecStatus.REFUSED, "failed", "1\nThe code was not run.\n"),
    ],
)
def test_outputs_say_why_a_call_was_stopped(status: ExecStatus, shown: str, why: str) -> None:
    _, response = build(*call(status=status), Answer("2"), ended())
    item = response["output"][0]
    assert item["status"] == shown and item["outputs"] == [{"type": "logs", "logs": why}]


def test_a_silent_call_has_an_output_too() -> None:
    _, response = build(*call(output=""), Answer("2"), ended())
    assert response["output"][0]["outputs"] == [{"type": "logs", "logs": ""}]


def test_figures_are_outputs() -> None:
    _, response = build(*call(), Answer("2"), ended(), images=lambda number: (b"\x89PNG",) if number == 1 else ())
    assert response["output"][0]["outputs"][1] == {"type": "image", "url": "data:image/png;base64,iVBORw=="}


@pytest.mark.parametrize(
    ("stop", "status", "details"),
    [
        (StopReason.ANSWERED, "completed", None),
        (StopReason.MAX_TOKENS, "incomplete", {"reason": "max_output_tokens"}),
        (StopReason.REPETITION, "incomplete", {"reason": "max_output_tokens"}),
        (StopReason.ENDED_IN_THINKING, "completed", None),
        (StopReason.ENGINE_ERROR, "failed", None),
    ],
)
def test_how_a_turn_ends(stop: StopReason, status: str, details: Any) -> None:
    events, response = build(Reasoning("Hm"), ended(stop, "it broke" if status == "failed" else None))
    assert events[-1]["type"] == f"response.{status}" and response["status"] == status
    assert response["incomplete_details"] == details and response["output"][-1]["type"] == "message"
    assert response["start"]["stop"] == stop.value
    if status == "failed":
        assert response["error"] == {"code": "server_error", "message": "it broke"}


def test_a_turn_that_breaks_off_closes_what_is_open() -> None:
    builder = EventBuilder(response_body(parse({"model": "m", "input": "q"}), "m", RolloutSettings(), {}))
    events = [*builder.begin(), *builder.take(Reasoning("Hm")), *builder.fail(ApiError(503, "gone"))]
    for event in events:
        EVENT.validate_python(event)
    assert events[-1]["type"] == "response.failed" and events[-1]["response"]["error"]["message"] == "gone"
    assert sum(event["type"].endswith("item.added") for event in events) == len(builder.response["output"]) == 2


def test_the_dialect_of_open_webui() -> None:
    events, response = build(Reasoning("So"), *call(), Answer("1"), ended(), dialect="open-webui")
    item = response["output"][1]
    assert item == {
        "type": "open_webui:code_interpreter", "id": item["id"], "status": "completed", "code": "f()\n",
        "lang": "python", "output": {"stdout": "1\n", "stderr": "", "result": ""}, "duration": 0.25,
    }  # fmt: skip
    deltas = [event for event in events if event["type"].endswith(".delta") and event.get("item_id") == item["id"]]
    assert [event["delta"] for event in deltas] == ["f()\n"], "any delta of the item is added to its code"
    assert response["output"][-1]["type"] == "message"
    _, failed = build(*call(status=ExecStatus.ERROR, output="E\n"), ended(), dialect="open-webui")
    assert failed["output"][0]["output"] == {"stdout": "", "stderr": "E\n", "result": ""}
