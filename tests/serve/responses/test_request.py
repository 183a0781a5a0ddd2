"""Requests: what counts, what is told to have been left out, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from selftaught.errors import ConfigError
from selftaught.serve.errors import ApiError
from selftaught.serve.options import checked_dialect
from selftaught.serve.responses.request import parse

CODE = {"type": "code_interpreter", "container": {"type": "auto"}}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True, "description": "d"}


def ask(**fields: Any) -> Any:
    return parse({"model": "m", "input": "q", **fields})


def test_nothing_but_a_question() -> None:
    found = ask(temperature=None, tools=None, unknown_field=1, include=["code_interpreter_call.outputs"], user="u")
    assert (found.wants_code, found.container_id, found.dialect, found.ignored) == (False, None, "", [])
    assert found.request.store and not found.request.stream


def test_containers() -> None:
    assert ask(tools=[CODE]).wants_code
    named = ask(tools=[{"type": "code_interpreter", "container": "cntr_1", "allowed_callers": ["direct"]}])
    assert named.container_id == "cntr_1" and named.tools[0]["container"] == "cntr_1"
    auto = {"type": "auto", "file_ids": ["file_1"], "memory_limit": "4g", "network_policy": {"type": "disabled"}}
    found = ask(tools=[{"type": "code_interpreter", "container": auto}])
    assert found.ignored == ["tools[0].container.file_ids", "tools[0].container.memory_limit"]
    assert ask(tools=[{"type": "code_interpreter"}]).tools == [CODE], "the container may be left out"


def test_functions_and_other_tools() -> None:
    found = ask(tools=[FUNCTION, {"type": "web_search"}, {"type": "shell"}])
    assert found.ignored_tools == ["web_search", "shell"]
    assert found.tools == [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}]
    chat_shape = ask(tools=[{"type": "function", "function": {"name": "g"}}])
    assert chat_shape.tools[0]["name"] == "g"
    for kind in ("shell", "programmatic_tool_calling", "mcp", "web_search"):
        with pytest.raises(ApiError, match=rf"tools\[1\].type is '{kind}'"):
            ask(tools=[CODE, {"type": kind}])


def test_the_dialect() -> None:
    assert ask(start={"dialect": "open-webui", "events": True}).dialect == "open-webui"
    assert parse({"model": "m", "input": "q"}, "open-webui").dialect == "open-webui"
    assert parse({"model": "m", "input": "q", "start": {"dialect": ""}}, "open-webui").dialect == ""
    with pytest.raises(ApiError, match="'klingon'"):
        parse({"model": "m", "input": "q"}, "klingon")


def test_what_changes_nothing_is_told() -> None:
    found = ask(reasoning={"effort": "high", "summary": "auto"}, truncation="auto", text={"format": {"type": "text"}})
    assert found.ignored == ["reasoning.effort", "reasoning.summary", "truncation"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format"),
        ({"truncation": "some"}, "truncation"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_tool_calls": -1}, "max_tool_calls"),
        ({"temperature": 3}, "temperature"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"tools": [{}]}, "tools[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f", "parameters": []}]}, "tools[0].parameters"),
        ({"tools": [{**CODE, "container": 7}]}, "tools[0].container"),
        ({"tools": [{**CODE, "container": {"type": "manual"}}]}, "tools[0].container"),
        ({"tools": [{**CODE, "allowed_callers": ["me"]}]}, "tools[0].allowed_callers"),
        ({"tools": [{**CODE, "container": {"type": "auto", "memory_limit": "2t"}}]}, "tools[0].container.memory_limit"),
        ({"tools": [{**CODE, "container": {"type": "auto", "file_ids": 1}}]}, "tools[0].container.file_ids"),
        (
            {"tools": [{**CODE, "container": {"type": "auto", "network_policy": {"type": "allowlist"}}}]},
            "tools[0].container.network_policy",
        ),
    ],
)
def test_what_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        ask(**fields)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_the_servers_own_dialect_is_checked() -> None:
    assert (checked_dialect(""), checked_dialect("open-webui")) == ("", "open-webui")
    with pytest.raises(ConfigError, match="--dialect is 'klingon'"):
        checked_dialect("klingon")
