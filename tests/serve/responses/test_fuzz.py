"""Requests that nobody should send: every one is answered, or refused with an error that names what is wrong."""

from __future__ import annotations

import json
import random
from typing import Any

import httpx2
import pytest

from .scripted import Server

_SCALARS: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, 10**30, 0.5, 1e308, "", "x", "auto", "none", "required", "cntr_1", "\ud800",
    "\x00", "é" * 40, [], {}, [[]], [None], {"type": "auto"}, {"": ""},
]  # fmt: skip
_TYPES = [
    "message", "reasoning", "code_interpreter_call", "open_webui:code_interpreter", "open_webui:x", "function_call",
    "function_call_output", "item_reference", "web_search_call", "program", "code_interpreter", "function", "mcp",
    "shell", "custom", "allowed_tools", "input_text", "output_text", "input_image", "refusal", "auto", "disabled",
]  # fmt: skip
_KEYS = [
    "type", "role", "content", "text", "code", "outputs", "output", "logs", "id", "name", "arguments", "call_id",
    "container", "container_id", "file_ids", "memory_limit", "network_policy", "allowed_callers", "mode", "tools",
    "function", "parameters", "strict", "events", "dialect", "format", "summary", "status",
]  # fmt: skip
_FIELDS = [
    "input", "instructions", "stream", "store", "tools", "tool_choice", "temperature", "top_p", "seed",
    "max_output_tokens", "max_tool_calls", "metadata", "previous_response_id", "include", "text", "reasoning", "start",
    "truncation", "background", "conversation", "prompt", "top_logprobs", "stream_options", "parallel_tool_calls", "user",
    "service_tier",
]  # fmt: skip
_QUESTION = {"role": "user", "content": "What is ⟦6 * 7⟧?"}


def value(chance: random.Random, depth: int = 0) -> Any:
    """Anything that JSON can hold, with a liking for what the API knows."""
    kind = chance.random()
    if depth > 3 or kind < 0.4:
        return chance.choice(_SCALARS)
    if kind < 0.5:
        return chance.choice(_TYPES)
    if kind < 0.65:
        return [value(chance, depth + 1) for _ in range(chance.randrange(4))]
    made = {chance.choice(_KEYS): value(chance, depth + 1) for _ in range(chance.randrange(6))}
    if chance.random() < 0.7:
        made["type"] = chance.choice(_TYPES)
    if chance.random() < 0.4:
        made["role"] = chance.choice(["user", "assistant", "system", "developer", "tool"])
    return made


def body(chance: random.Random) -> Any:
    """A request: a good one with some fields that are anything."""
    made: dict[str, Any] = {"model": "scripted", "input": [_QUESTION]}
    if chance.random() < 0.5:
        made["input"] = [value(chance) for _ in range(chance.randrange(4))] + [_QUESTION]
    if chance.random() < 0.3:
        made["tools"] = [value(chance) for _ in range(chance.randrange(3))]
    for name in chance.sample(_FIELDS, chance.randrange(4)):
        made[name] = value(chance)
    if chance.random() < 0.05:
        made["model"] = value(chance)
    return made if chance.random() < 0.98 else value(chance)


def raw(chance: random.Random) -> bytes:
    """A body that may not even be JSON."""
    data = json.dumps(body(chance)).encode()
    kind = chance.random()
    if kind < 0.85:
        return data
    if kind < 0.9:
        return data[: chance.randrange(len(data))]
    if kind < 0.95:
        return bytes(chance.randrange(256) for _ in range(chance.randrange(60)))
    return chance.choice([b"[" * 100_000, b"{}", b"null", b"", b'{"model": NaN}', b'{"input": 1' + b"0" * 5_000 + b"}"])


def check(response: httpx2.Response) -> None:
    """No failure of the server's, and an error in OpenAI's shape."""
    assert response.status_code < 500, (response.status_code, response.text[:500])
    if response.headers["content-type"].startswith("text/event-stream"):
        last = response.text.rstrip("\n").rpartition("data: ")[2]
        assert json.loads(last)["type"] in ("response.completed", "response.incomplete"), last[:500]
    elif response.status_code == 200:
        assert response.json()["object"]
    else:
        error = response.json()["error"]
        assert set(error) == {"message", "type", "param", "code"} and error["message"], error
        assert "Traceback" not in error["message"]


def send(client: httpx2.Client, chance: random.Random, route: int) -> httpx2.Response:
    """One request to one of the routes."""
    headers = {
        "content-type": "application/json",
        "authorization": chance.choice(["Bearer a", "Bearer b", "Bearer", "Basic x"]),
    }
    if route == 0:
        return client.post("responses", content=raw(chance), headers=headers)
    if route == 1:
        return client.post("containers", content=json.dumps(value(chance)), headers=headers)
    if route == 2:
        return client.get(f"responses/{chance.choice(['x', '%00', 'é' * 30])}", headers=headers)
    if route == 3:
        name = chance.choice(["limit", "order", "after"])
        return client.get("containers", params={name: ascii(value(chance))}, headers=headers)
    return client.delete(f"containers/cntr_{chance.choice(['x', '0' * 48, '%ff'])}", headers=headers)


def fuzz(server: Server, seed: int, num_requests: int) -> None:
    """Send ``num_requests``, four of five to ``/v1/responses``."""
    chance = random.Random(seed)
    with httpx2.Client(base_url=server.url + "/", timeout=60) as client:
        for number in range(num_requests):
            check(send(client, chance, 0 if number % 5 else chance.randrange(1, 5)))
        assert client.get("models").status_code == 200


def test_a_few_hundred_requests(server: Server) -> None:
    fuzz(server, 1, 300)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_ten_thousand_requests(server: Server) -> None:
    import resource

    fuzz(server, 2, 2_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fuzz(server, 3, 8_000)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000, f"{grown} KiB more after 8,000 requests"
