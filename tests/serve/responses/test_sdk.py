"""The Responses API through OpenAI's own Python library: every event and item is validated strictly by its models."""

from __future__ import annotations

from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

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
