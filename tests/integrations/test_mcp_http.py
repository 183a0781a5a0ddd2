"""Streamable HTTP and SSE with the official client, the gate before them, sessions, and a stop that hurts nobody."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
import pytest

from selftaught.errors import ConfigError
from selftaught.sandbox.keeper import SessionKeeper

from .conftest import Serve

mcp = pytest.importorskip("mcp", reason="the extra mcp is not installed")

from mcp.client.sse import sse_client  # noqa: E402
from mcp.client.streamable_http import streamable_http_client  # noqa: E402

from selftaught.integrations.mcp_http import HttpSettings, listen  # noqa: E402

TRANSPORTS = ("http", "http-2026", "sse")


def connect(url: str, transport: str, headers: dict[str, str] | None = None) -> AbstractAsyncContextManager[Any]:
    """The official client over one of the transports."""
    if transport == "sse":
        return mcp.Client(sse_client(f"{url}/sse", headers=headers))
    http = httpx2.AsyncClient(headers=headers, timeout=30)
    carrier = streamable_http_client(f"{url}/mcp", http_client=http)
    return mcp.Client(carrier, mode="legacy" if transport == "http" else "2026-07-28")


async def run(client: Any, code: str, **more: Any) -> Any:
    return await client.call_tool("python", {"code": code, **more})


def text(result: Any) -> str:
    return str(result.content[0].text)


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_session_keeps_its_variables_and_ends_with_it(
    serve: Serve, keeper: SessionKeeper, transport: str
) -> None:
    async with serve() as served:
        async with connect(served.url, transport) as one, connect(served.url, transport) as two:
            await run(one, "x = 41")
            await run(two, "x = 'other'")
            assert text(await run(one, "x + 1")) == "42\n"
            assert len(keeper) == 2
        for _ in range(500):
            if not len(keeper):
                break
            await asyncio.sleep(0.01)
        assert len(keeper) == 0


async def test_without_sessions_the_result_names_one(serve: Serve) -> None:
    async with serve() as served, connect(served.url, "http-2026") as client:
        python, _ = (await client.list_tools()).tools
        assert set(python.input_schema["properties"]) == {"code", "session_id"}
        first = await run(client, "x = 41")
        session_id = first.structured_content["session_id"]
        assert session_id in first.content[1].text
        assert text(await run(client, "x + 1", session_id=session_id)) == "42\n"
        assert "NameError" in text(await run(client, "x"))
        assert text(await run(client, "1", session_id="gone")).startswith("[new interpreter: the server does not know")
        assert (await client.call_tool("reset", {"session_id": session_id})).content[0].text == "ended"
        assert (await run(client, "1", session_id=["a"])).is_error


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_session_header_outlives_connections(serve: Serve, transport: str) -> None:
    headers = {"x-session-id": "resp_123"}
    async with serve() as served:
        async with connect(served.url, transport, headers) as client:
            await run(client, "x = 41")
        async with connect(served.url, transport, headers) as client:
            result = await run(client, "x + 1")
            assert text(result) == "42\n" and len(result.content) == 1
        async with connect(served.url, transport, {"x-session-id": "resp_124"}) as client:
            assert "NameError" in text(await run(client, "x"))


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_key_opens_and_separates(serve: Serve, transport: str) -> None:
    async with serve(api_keys=("first", "second")) as served:
        for key, expected in (("first", "41\n"), ("second", "NameError")):
            headers = {"authorization": f"Bearer {key}", "x-session-id": "shared name"}
            async with connect(served.url, transport, headers) as client:
                if key == "first":
                    await run(client, "x = 41")
                assert expected in text(await run(client, "x"))


HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


EVIL_HEADERS: dict[int, list[dict[str, Any]]] = {
    421: [{"host": "evil.example"}, {"host": "127.0.0.1.evil.example:80"}, {"host": ""}],
    403: [{"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://localhost.evil.example"}],
}
WRONG_KEYS: list[dict[str, Any]] = [
    {}, {"authorization": "Bearer x"}, {"authorization": "Basic k"}, {"authorization": b"Bearer \xff\xfe"},
    {"authorization": "Bearer"}, {"authorization": "k"},
]  # fmt: skip


async def statuses(served: Any, headers: dict[str, Any]) -> set[int]:
    """What all routes answer to a request with these headers."""
    async with httpx2.AsyncClient() as client:
        paths = ("/mcp", "/sse", "/messages/", "/health")
        answers = [await client.post(served.url + p, headers={**HEADERS, **headers}, content=b"{}") for p in paths]
    return {answer.status_code for answer in answers}


async def test_the_gate_stands_before_every_route(serve: Serve) -> None:
    async with serve() as served:
        for status, tried in EVIL_HEADERS.items():
            for headers in tried:
                assert await statuses(served, headers) == {status}, headers


async def test_a_wrong_key_opens_no_route(serve: Serve) -> None:
    async with serve(api_keys=("k", "l")) as served:
        for headers in WRONG_KEYS:
            assert await statuses(served, headers) == {401}, headers


async def test_on_all_addresses_the_key_decides_and_pages_stay_out(serve: Serve) -> None:
    async with serve(api_keys=("k",), host="0.0.0.0") as served:
        assert await statuses(served, {"host": "my.name"}) == {401}
        right = {"host": "my.name", "authorization": "Bearer k"}
        assert 401 not in await statuses(served, right) and 421 not in await statuses(served, right)
        assert await statuses(served, {**right, "origin": "https://evil.example"}) == {403}


async def test_what_the_gate_lets_in(serve: Serve) -> None:
    async with serve(allowed_hosts=("proxy.example",), allowed_origins=("https://chat.example",)) as served:
        async with httpx2.AsyncClient() as client:
            for headers in ({"host": "proxy.example"}, {"host": "localhost"}, {"origin": "https://chat.example"}):
                answer = await client.get(f"{served.url}/health", headers=headers)
                assert (answer.status_code, answer.text) == (200, "ok\n"), headers


@pytest.mark.parametrize(
    "settings, reason",
    [
        ({"host": "0.0.0.0"}, "opens the server to other machines"),
        ({"host": "192.0.2.7"}, "opens the server to other machines"),
        ({"api_keys": (" ",)}, "the API key is empty"),
    ],
)
def test_settings_that_would_let_anybody_in(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        HttpSettings(**settings).check()


def test_settings_that_do_not() -> None:
    for settings in ({}, {"host": "::1"}, {"host": "0.0.0.0", "api_keys": ("k",)}, {"host": "0.0.0.0", "unsafe": True}):
        HttpSettings(**settings).check()


def test_a_port_that_is_taken() -> None:
    with listen(HttpSettings(port=0)) as taken:
        taken.listen()
        with pytest.raises(ConfigError, match="cannot be listened on"):
            listen(HttpSettings(port=taken.getsockname()[1]))


async def test_nonsense_is_answered_and_hurts_nobody(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async with serve() as served, httpx2.AsyncClient() as client:
        for path in ("/mcp", "/messages/", "/messages/?session_id=zz", "/messages/?session_id=" + "0" * 32):
            for body in (b"", b"{", b"[]", b"\xff", b"[" * 50_000, b'{"jsonrpc":"2.0","method":"x","id":1}'):
                answer = await client.post(served.url + path, headers=HEADERS, content=body)
                assert 400 <= answer.status_code < 500, (path, body[:20], answer.status_code)
        answer = await client.post(f"{served.url}/mcp", headers=HEADERS, content=b" " * (5 << 20))
        assert answer.status_code == 413
        async with connect(served.url, "http") as good:
            assert text(await run(good, "1 + 1")) == "2\n"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_stop_lets_the_running_call_end_and_refuses_the_next(
    serve: Serve, keeper: SessionKeeper, transport: str
) -> None:
    async with serve() as served, connect(served.url, transport) as client:
        running = asyncio.create_task(run(client, "import time; time.sleep(0.5); 7"))
        while not keeper.num_running:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        served.stop()
        refused = await run(client, "1")
        assert refused.is_error and "the server is stopping" in text(refused)
        assert text(await running) == "7\n"
        await asyncio.wait_for(asyncio.shield(served.done), 20)


async def test_a_second_stop_does_not_wait(serve: Serve, keeper: SessionKeeper) -> None:
    async with serve() as served, connect(served.url, "http-2026") as client:
        running = asyncio.create_task(run(client, "import time; time.sleep(15)"))
        while not keeper.num_running:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        served.stop()
        served.stop()
        await asyncio.wait_for(asyncio.shield(served.done), 10)
        await asyncio.gather(running, return_exceptions=True)
        assert running.exception() is not None
