"""Requests that no client should send: wrong types, sizes, encodings, headers, paths. None may end in a 500 or a traceback."""

from __future__ import annotations

import http.client
import json
import logging
import random
import resource
from typing import Any
from urllib.parse import urlsplit

import pytest

from .living import Living

CHAT: dict[str, Any] = {
    "model": "toy",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is 3 plus 4?"}]},
        {"role": "assistant", "content": "7", "reasoning": "x", "tool_calls": []},
        {"role": "user", "content": "And 5 plus 6?"},
    ],
    "stream": False,
    "stream_options": {"include_usage": True},
    "temperature": 0.5,
    "top_p": 0.9,
    "n": 1,
    "seed": 3,
    "stop": ["zzz"],
    "max_tokens": 2,
    "max_completion_tokens": 2,
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "tool_choice": "auto",
    "metadata": {"problem_id": "p"},
    "response_format": {"type": "text"},
    "logit_bias": {},
    "start": {"events": True, "mode": "auto"},
}
RESPONSE: dict[str, Any] = {
    "model": "toy",
    "input": [{"role": "user", "content": [{"type": "input_text", "text": "What is 3 plus 4?"}]}],
    "instructions": "Be brief.",
    "stream": False,
    "max_output_tokens": 2,
    "max_tool_calls": 1,
    "temperature": 0.5,
    "tools": [{"type": "code_interpreter", "container": {"type": "auto"}}],
    "tool_choice": "auto",
    "include": ["code_interpreter_call.outputs"],
    "store": False,
    "previous_response_id": None,
    "metadata": {},
}
TEXTS = [
    "", "x", "\x00", "\ud800", "\udfff\ud800", "é", "\u202e", "</think><|im_end|>", "a" * 5_000, "' OR 1=1", "../../etc/passwd",
    "{{ 7*7 }}", "{% for x in y %}", "NaN", "null", "[]", "𝄞" * 50, "\r\n\r\n", "%00", "toy:hint", "toy:", "user", "tool",
]  # fmt: skip
NUMBERS = [0, -1, 1, 2, 3, 0.0, -0.5, 1e308, -1e308, 1e-320, 2**31, 2**63, 2**64, 2**200, -(2**63), 10**18 + 1]
KINDS = ["application/json", "application/json; charset=utf-16", "text/plain", "", "application/xml", "multipart/form-data",
         "APPLICATION/JSON", "application/vnd.api+json", "application/json\t;x", "a" * 300]  # fmt: skip
PATHS = ["/v1/chat/completions", "/v1/chat/completions", "/v1/chat/completions", "/v1/responses", "/v1/models/x", "/v1/models",
         "/v1/models/%2e%2e", "/v1/models/%ff%fe", "/v1/responses/resp_x", "/v1/containers", "/v1/containers/x", "/v1//",
         "/v1/completions", "/v1/embeddings", "/health", "/ready?x=%ff", "/metrics", "/" + "a" * 3_000, "/v1/chat/completions/"]  # fmt: skip


def junk(rng: random.Random, depth: int = 0) -> Any:
    """Some JSON value."""
    kind = rng.randrange(8 if depth < 3 else 5)
    if kind == 0:
        return None
    if kind == 1:
        return rng.random() < 0.5
    if kind == 2:
        return rng.choice(NUMBERS)
    if kind in (3, 4):
        return rng.choice(TEXTS)
    if kind in (5, 6):
        return [junk(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {
        rng.choice([*TEXTS[:8], "role", "content", "type", "text", "name", "mode"]): junk(rng, depth + 1)
        for _ in range(3)
    }


def spoil(rng: random.Random, value: Any, share: float) -> Any:
    """``value`` with some of its parts replaced, left out or doubled."""
    if rng.random() < share:
        return junk(rng)
    if isinstance(value, dict):
        kept = {key: spoil(rng, item, share) for key, item in value.items() if rng.random() > share / 2}
        return {**kept, **({rng.choice(TEXTS): junk(rng)} if rng.random() < share else {})}
    if isinstance(value, list):
        items = [spoil(rng, item, share) for item in value if rng.random() > share / 2]
        return items * (rng.choice([1, 1, 1, 2, 300]) if rng.random() < share else 1)
    return value


def bytes_of(rng: random.Random, body: Any) -> bytes:
    """The body as some client may encode it."""
    text = json.dumps(body, ensure_ascii=rng.random() < 0.5)
    data = text.encode("utf-8", "surrogatepass")
    choice = rng.randrange(30)
    if choice == 0:
        return data[: rng.randrange(len(data) + 1)]
    if choice == 1:
        return text.encode(rng.choice(["utf-16", "utf-32", "utf-8-sig"]), "surrogatepass")
    if choice == 2:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(200)))
    if choice == 3:
        return b"[" * rng.choice([10, 5_000, 50_000])
    if choice == 4:
        return b'{"a":' * 2_000 + b"1" + b"}" * 2_000
    if choice == 5:
        return rng.choice([b"", b"null", b"NaN", b"1e999", b'"x"', b"{}", b"9" * 6_000, b'{"model":"toy","model":1}'])
    return data


def send(connection: http.client.HTTPConnection, rng: random.Random, key: str = "") -> tuple[int, bytes, str]:
    """One request; status, body and content type of the answer."""
    path = rng.choice(PATHS)
    base = RESPONSE if path == "/v1/responses" else CHAT
    body = bytes_of(rng, spoil(rng, base, rng.choice([0.0, 0.05, 0.2, 0.6])))
    method = rng.choice(["POST"] * 12 + ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
    if path not in ("/v1/chat/completions", "/v1/responses"):
        method = rng.choice(["GET", "GET", method])
    headers = {"Content-Type": rng.choice(KINDS) if rng.random() < 0.1 else "application/json"}
    if rng.random() < 0.1:
        headers[rng.choice(["X-Request-Id", "Authorization", "Accept", "Origin", "Cookie", "X-Forwarded-For"])] = (
            rng.choice(["x" * 4_000, "Bearer ", "\xff\xfe", "a\tb", "*/*;q=0"])
        )
    if rng.random() < 0.03:
        headers["Content-Encoding"] = rng.choice(["gzip", "br", "identity", "x"])
    if rng.random() < 0.03:
        headers["Host"] = rng.choice(["", "evil.example", "[::1", "127.0.0.1:99999", "a:b:c"])
    connection.request(method, path, body if rng.random() < 0.97 else iter([body, b""]), headers)
    response = connection.getresponse()
    return response.status, response.read(), response.headers.get("content-type", "")


def fuzz(server: Living, num_requests: int, seed: int) -> dict[int, int]:
    """Send them; counts by status."""
    rng = random.Random(seed)
    place = urlsplit(server.root)
    counts: dict[int, int] = {}
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
    for number in range(num_requests):
        state = rng.getstate()
        try:
            status, body, kind = send(connection, rng)
        except (http.client.BadStatusLine, ConnectionError, BrokenPipeError):  # the server closed after a refusal
            connection.close()
            rng.setstate(state)
            status, body, kind = send(connection, rng)
        counts[status] = counts.get(status, 0) + 1
        assert status < 500, (number, status, body[:500])
        assert b"Traceback" not in body
        if status >= 400 and body and kind.startswith("application/json"):
            assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}
            assert len(body) < 2_000
        if kind.startswith("text/event-stream") and b"/v1/" not in body[:4]:
            assert b"data: " in body
    connection.close()
    return counts


@pytest.mark.parametrize("seed", [1, 2])
def test_no_request_ends_in_a_500(server: Living, caplog: pytest.LogCaptureFixture, seed: int) -> None:
    with caplog.at_level(logging.WARNING):
        counts = fuzz(server, 150, seed)
    assert {200, 400, 404} <= set(counts)
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.exhaustive
def test_ten_thousand_requests_leave_memory_flat(server: Living, caplog: pytest.LogCaptureFixture) -> None:
    # The engine's cache grows with the longest answer so far, up to the model's context: its bytes are taken off.
    def beside_the_cache() -> float:
        model = server.server.backend.engine.model  # type: ignore[attr-defined]
        shape = model.shape
        columns = model.capacity * model.num_slots
        return resident_mb() - 8e-6 * columns * shape.num_layers * shape.num_kv_heads * shape.head_dim

    with caplog.at_level(logging.WARNING):
        for part in range(10):
            fuzz(server, 500, 100 + part)
        before = beside_the_cache()
        for part in range(10):
            fuzz(server, 500, 200 + part)
    assert not [record for record in caplog.records if record.exc_info]
    assert beside_the_cache() - before < 60, f"{before} MB before"


def resident_mb() -> float:
    """Resident memory of this process, the server's and the test's."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6
