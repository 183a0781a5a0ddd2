"""The Responses API through OpenAI's own Python library: every event and item is validated strictly by its models."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from selftaught.serve.backend import Backend

from .scripted import Server

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
TOOLS: list[Any] = [{"type": "code_interpreter", "container": {"type": "auto"}}]
TWO = "Compute ⟦print(6 * 7)⟧ and then ⟦1 / 0⟧"


@pytest.fixture
def client(server: Server) -> OpenAI:
    return OpenAI(base_url=server.url, api_key="key-a", max_retries=0)


def check(response: Response) -> None:
    """What the two calls of ``TWO`` must look like."""
    Response.model_validate(response.model_dump())
    kinds = [item.type for item in response.output]
    assert kinds == [
        "reasoning", "code_interpreter_call", "reasoning", "code_interpreter_call", "reasoning", "message"
    ]  # fmt: skip
    first, second = (item for item in response.output if item.type == "code_interpreter_call")
    assert (first.code, first.status) == ("print(6 * 7)\n", "completed")
    assert [output.logs for output in first.outputs] == ["42\n"]
    assert second.status == "completed" and "ZeroDivisionError" in second.outputs[0].logs
    assert first.container_id == second.container_id and first.container_id.startswith("cntr_")
    assert response.output_text == "The answer is 2." and response.status == "completed"
    assert len({item.id for item in response.output}) == 6
    usage = response.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert 0 < usage.output_tokens_details.reasoning_tokens < usage.output_tokens


def test_in_one_piece(client: OpenAI) -> None:
    check(client.responses.create(model="scripted", input=TWO, tools=TOOLS))


def test_streamed(client: OpenAI) -> None:
    events = list(client.responses.create(model="scripted", input=TWO, tools=TOOLS, stream=True))
    for event in events:
        EVENT.validate_python(event.model_dump(warnings=False))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created" and events[1].type == "response.in_progress"
    check(events[-1].response)
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "The answer is 2."
    code = [event.delta for event in events if event.type == "response.code_interpreter_call_code.delta"]
    assert "".join(code) == "print(6 * 7)\n1 / 0\n" and not any("```" in delta for delta in code)


def test_the_stream_helper(client: OpenAI) -> None:
    with client.responses.stream(model="scripted", input=TWO, tools=TOOLS) as stream:
        for _ in stream:
            pass
        check(stream.get_final_response())


async def test_asynchronous(server: Server) -> None:
    async with AsyncOpenAI(base_url=server.url, api_key="key-a", max_retries=0) as client:
        check(await client.responses.create(model="scripted", input=TWO, tools=TOOLS))
        async with client.responses.stream(model="scripted", input=TWO, tools=TOOLS) as stream:
            async for event in stream:
                EVENT.validate_python(event.model_dump(warnings=False))
            check(await stream.get_final_response())


def frames(url: str, body: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    """The events of a stream as they stand on the wire."""
    with httpx2.stream(
        "POST", f"{url}/responses", json={"stream": True, **body}, headers=headers, timeout=60
    ) as response:
        response.read()
    assert response.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in response.text.strip().split("\n\n"):
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found


def test_every_frame_is_one_that_the_library_knows(server: Server) -> None:
    events = frames(server.url, {"model": "scripted:hint", "input": TWO, "tools": TOOLS})
    for event in events:
        EVENT.validate_python(event, strict=True)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    # What the deltas say, the final items say again.
    items = {event["item"]["id"]: event["item"] for event in events if event["type"] == "response.output_item.done"}
    grown = dict.fromkeys(items, "")
    for event in events:
        if event["type"].endswith(".delta"):
            grown[event["item_id"]] += event["delta"]
    for item in items.values():
        assert grown[item["id"]] == (item.get("code") or "".join(part["text"] for part in item.get("content", [])))
    assert list(items.values()) == events[-1]["response"]["output"]


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"model": "other", "input": "x"}, 404, "model_not_found", "model"),
        ({"input": "x"}, 400, "missing_required_parameter", "model"),
        ({"model": "scripted"}, 400, "missing_required_parameter", "input"),
        ({"model": "scripted", "input": []}, 400, "invalid_value", "input"),
        ({"model": "scripted", "input": "x " * 30_000}, 400, "context_length_exceeded", "input"),
        (
            {"model": "scripted", "input": "x", "tools": [{"type": "mcp"}]},
            400,
            "unsupported_parameter",
            "tools[0].type",
        ),
    ],
)
def test_what_is_refused(server: Server, body: dict[str, Any], status: int, code: str, param: str) -> None:
    for stream in (False, True):
        response = httpx2.post(f"{server.url}/responses", json={**body, "stream": stream}, timeout=60)
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["param"]) == (status, code, param)


def test_the_clients_functions_are_named_and_left_alone(server: Server) -> None:
    function = {"type": "function", "name": "weather", "parameters": {}, "strict": None}
    body = {"model": "scripted", "input": TWO, "tools": [function, {"type": "web_search"}], "tool_choice": "auto"}
    response = httpx2.post(f"{server.url}/responses", json=body, timeout=60)
    assert response.json()["start"]["ignored_tools"] == ["weather", "web_search"]
    assert response.headers["x-start-ignored-tools"] == "weather"
    assert [item["type"] for item in response.json()["output"]].count("code_interpreter_call") == 2
    required = httpx2.post(f"{server.url}/responses", json={**body, "tool_choice": "required"}, timeout=60)
    assert required.status_code == 400 and required.json()["error"]["param"] == "tool_choice"


def test_a_queue_that_is_full_is_told(backend: Backend) -> None:
    full = Server(backend, max_running=1, max_queue=0)
    try:
        ticket = full.app.state.server.admission.ticket()
        for stream in (False, True):
            response = httpx2.post(
                f"{full.url}/responses", json={"model": "scripted", "input": "x", "stream": stream}, timeout=60
            )
            assert response.status_code == 429 and "retry-after" in response.headers
        ticket.close()
        assert full.app.state.server.admission.num_running == 0
        assert len(full.service.containers) == 0
    finally:
        full.stop()


def test_lists_come_in_pages(server: Server) -> None:
    client = OpenAI(base_url=server.url, api_key="key-pages", max_retries=0)
    made = [client.containers.create(name=f"c{number}").id for number in range(5)]
    assert {each.id for each in client.containers.list(limit=2)} == set(made), "the library asks for all pages"
    assert len(client.containers.list(limit=2).data) == 2
    assert [each.name for each in client.containers.list(name="c3")] == ["c3"]


def test_the_metrics_name_the_route(client: OpenAI, server: Server) -> None:
    client.responses.create(model="scripted", input="Hello")
    text = httpx2.get(f"{server.url.removesuffix('/v1')}/metrics", headers={"authorization": "Bearer key-a"}).text
    assert 'route="/v1/responses",status="200"' in text
