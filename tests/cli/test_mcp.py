"""The verb ``mcp``: over HTTP it says where it listens, serves, and ends with 0 on the first signal."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tests.sandbox.processes import living, sandbox_processes

mcp = pytest.importorskip("mcp", reason="the extra mcp is not installed")


@pytest.mark.parametrize(
    "options, reason",
    [
        (("--port", "0", "--host", "0.0.0.0"), "opens the server to other machines"),
        (("--host", "0.0.0.0"), "--host is for HTTP; add --port"),
        (("--allowed-origin", "https://a.example"), "--allowed-origin is for HTTP; add --port"),
        (("--port", "0", "--api-key", ""), "the API key is empty"),
    ],
)
def test_what_it_refuses(run_cli: Callable[..., Any], options: tuple[str, ...], reason: str) -> None:
    result = run_cli("mcp", *options)
    assert result.exit_code == 2 and reason in result.stderr


async def test_a_call_in_flight_ends_before_the_server_does() -> None:
    from mcp.client.sse import sse_client

    options = ["mcp", "--port", "0", "--timeout", "30"]
    environment = {**os.environ, "SELFTAUGHT_API_KEY": "key-of-a-user"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "selftaught", *options, stdout=-1, stderr=-1, env=environment
    )
    assert process.stdout is not None
    url = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
    left = sandbox_processes(process.pid)
    headers = {"authorization": "Bearer key-of-a-user"}
    async with mcp.Client(sse_client(url.replace("/mcp", "/sse"), headers=headers)) as client:
        running = asyncio.create_task(client.call_tool("python", {"code": "import time; time.sleep(1); 7"}))
        await asyncio.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert (await running).content[0].text == "7\n"
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors
    assert b"Traceback" not in errors and b"with a key" in errors and b"key-of-a-user" not in errors
    assert left and not living(left)
