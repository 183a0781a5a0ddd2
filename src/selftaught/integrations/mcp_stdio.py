"""The MCP server over standard input and output, as a client starts it: one client, one interpreter."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

from mcp.server.stdio import stdio_server

from .mcp_tool import PythonTools

_CLOSE_S = 20.0
"""A zygote that is importing its modules looks up only afterwards."""


async def serve_stdio(tools: PythonTools, close: Callable[[], Awaitable[None]]) -> None:
    """Serve until the client closes our standard input. SIGTERM and SIGINT, which clients send as well, end the process
    with 0 after ``close``."""
    loop = asyncio.get_running_loop()
    ending: list[asyncio.Task[None]] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: ending.append(asyncio.create_task(_end(close))))
    try:
        async with stdio_server() as (incoming, outgoing):
            await tools.server.run(incoming, outgoing, tools.server.create_initialization_options())
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _end(close: Callable[[], Awaitable[None]]) -> None:
    """Leave nothing behind, then go: a thread waits in a read of standard input, and no exit of Python's would wake it."""
    try:
        await asyncio.wait_for(close(), timeout=_CLOSE_S)
    finally:
        os._exit(0)
