"""A small sandbox, and the MCP server over HTTP in this event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from selftaught.sandbox import Sandbox, SandboxSettings
from selftaught.sandbox.keeper import SessionKeeper


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """An open sandbox with nothing preloaded: it starts in a tenth of a second."""
    async with Sandbox(SandboxSettings(preload=(), timeout_s=20.0, light=False)) as opened:
        yield opened


@pytest.fixture
async def keeper(sandbox: Sandbox) -> AsyncIterator[SessionKeeper]:
    async with SessionKeeper(sandbox) as opened:
        yield opened


@dataclass
class Served:
    """A running server: ``stop`` is what SIGTERM does, ``done`` ends with the server."""

    url: str
    stop: Callable[[], None]
    done: asyncio.Task[None]


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serve(keeper: SessionKeeper) -> Serve:
    """``async with serve(api_keys=("k",)) as served``: the real server on a free port."""
    pytest.importorskip("mcp", reason="the extra mcp is not installed")
    from selftaught.integrations.mcp_http import HttpServer, HttpSettings, listen, serve_http
    from selftaught.integrations.mcp_tool import PythonTools

    @asynccontextmanager
    async def served(**settings: Any) -> AsyncIterator[Served]:
        http = HttpSettings(port=0, **settings)
        listening = listen(http)
        servers: list[HttpServer] = []
        tools = PythonTools(keeper, timeout_s=20.0, packages=("numpy",))
        task = asyncio.create_task(serve_http(tools, http, lambda: keeper.num_running, listening, servers.append))
        while not (servers and servers[0].started):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", servers[0].stop, task)
        if not task.done():
            servers[0].stop()
        await asyncio.wait_for(task, 20)

    return served
