"""How a request is answered: ways of asking, limits, the dialect, what is shown while code runs, failures."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from openai import InternalServerError, OpenAI

from selftaught.errors import EngineError

from .scripted import Server
from .test_routes import TOOLS, TWO, frames


@pytest.fixture
def client(server: Server) -> OpenAI:
    return OpenAI(base_url=server.url, api_key="key-a", max_retries=0)


def kinds(response: Any) -> list[str]:
    return [item.type for item in response.output]


def test_without_a_tool_the_models_name_decides(client: OpenAI) -> None:
    assert kinds(client.responses.create(model="scripted", input=TWO)).count("code_interpreter_call") == 2
    plain = client.responses.create(model="scripted:no-tools", input=TWO, tools=TOOLS)
    assert "code_interpreter_call" not in kinds(plain) and plain.start["ignored_tools"] == ["code_interpreter"]


def test_tool_choice_is_our_switch(client: OpenAI) -> None:
    none = client.responses.create(model="scripted", input=TWO, tools=TOOLS, tool_choice="none")
    assert "code_interpreter_call" not in kinds(none) and none.model == "scripted:no-tools"
    required = client.responses.create(
        model="scripted", input="No code in here", tools=TOOLS, tool_choice={"type": "code_interpreter"}
    )
    assert required.start["hints"] and required.model == "scripted"


def test_the_most_calls(client: OpenAI) -> None:
    response = client.responses.create(model="scripted", input=TWO, tools=TOOLS, max_tool_calls=1)
    assert kinds(response).count("code_interpreter_call") == 1 and response.max_tool_calls == 1
    assert response.start["tool_calls"] == 1
    none = client.responses.create(model="scripted", input=TWO, tools=TOOLS, max_tool_calls=0)
    assert "code_interpreter_call" not in kinds(none)


def test_the_most_tokens(client: OpenAI) -> None:
    response = client.responses.create(model="scripted", input=TWO, tools=TOOLS, max_output_tokens=5)
    assert response.status == "incomplete" and response.incomplete_details.reason == "max_output_tokens"
    assert response.output[-1].type == "message" and response.usage.output_tokens <= 5
    assert client.responses.retrieve(response.id).status == "incomplete"


def test_the_dialect_of_open_webui(server: Server) -> None:
    events = frames(server.url, {"model": "scripted", "input": TWO}, **{"x-start-dialect": "open-webui"})
    output = events[-1]["response"]["output"]
    first, second = (item for item in output if item["type"] == "open_webui:code_interpreter")
    assert first["output"] == {"stdout": "42\n", "stderr": "", "result": ""} and first["lang"] == "python"
    assert "ZeroDivisionError" in second["output"]["stderr"] and output[-1]["type"] == "message"
    # The page appends every delta of the item to its code.
    deltas = [event["delta"] for event in events if event.get("item_id") == first["id"] and "delta" in event]
    assert "".join(deltas) == first["code"] == "print(6 * 7)\n"
    again = httpx2.post(
        f"{server.url}/responses", timeout=60,
        json={"model": "scripted", "input": [{"role": "user", "content": "a"}, *output, {"role": "user", "content": "b"}]},
    )  # fmt: skip
    assert again.status_code == 200
    asked = server.backend.engine.codec.decode(server.backend.engine.sequences[-1].ids)  # type: ignore[attr-defined]
    assert "```python\nprint(6 * 7)\n```\n```output\n42\n```\n" in asked


def test_output_is_shown_while_code_runs(server: Server) -> None:
    code = "import time\nprint('a', flush=True)\ntime.sleep(0.3)\nprint('b')"
    events = frames(server.url, {"model": "scripted", "input": f"⟦{code}⟧", "start": {"events": True}})
    seen = [event for event in events if event["type"] == "start.code_output.delta"]
    assert [event["delta"] for event in seen] == ["a\n", "b\n"]
    call = next(item for item in events[-1]["response"]["output"] if item["type"] == "code_interpreter_call")
    assert {event["item_id"] for event in seen} == {call["id"]} and call["outputs"][0]["logs"] == "a\nb\n"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    silent = frames(server.url, {"model": "scripted", "input": f"⟦{code}⟧"})
    assert not [event for event in silent if event["type"].startswith("start.")]


def test_an_engine_that_fails(server: Server, client: OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(sequence: Any) -> str:
        raise EngineError("the model's server is gone")

    monkeypatch.setattr(server.backend.engine, "script", broken)
    with pytest.raises(InternalServerError, match="the model's server is gone") as caught:
        client.responses.create(model="scripted", input=TWO)
    assert caught.value.status_code == 503
    events = frames(server.url, {"model": "scripted", "input": TWO})
    assert events[-1]["type"] == "response.failed"
    assert "the model's server is gone" in events[-1]["response"]["error"]["message"]
