"""The server as a client starts it: the official client, a wire that nothing else writes to, no process left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

import pytest
from tests.sandbox.processes import living, sandbox_processes

mcp = pytest.importorskip("mcp", reason="the extra mcp is not installed")

COMMAND = [sys.executable, "-m", "selftaught", "mcp", "--timeout", "20"]


async def test_the_official_client() -> None:
    before = sandbox_processes(os.getpid())
    server = mcp.StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=dict(os.environ))
    async with mcp.Client(server) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["python", "reset"]
        await client.call_tool("python", {"code": "import os; x = 41; os.write(1, b'raw ')"})
        result = await client.call_tool("python", {"code": "x + 1"})
        assert result.content[0].text == "42\n"
    assert not sandbox_processes(os.getpid(), before)


def line(number: int, method: str, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"


@pytest.mark.parametrize("ending", ["end of input", "SIGTERM"])
async def test_it_ends_with_0_and_leaves_nothing(ending: str) -> None:
    process = await asyncio.create_subprocess_exec(*COMMAND, stdin=-1, stdout=-1, stderr=-1)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"nonsense\n")
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    process.stdin.write(line(1, "initialize", **hello))
    async with asyncio.timeout(60):
        while (answer := json.loads(await process.stdout.readline())).get("id") != 1:
            pass
    assert answer["result"]["serverInfo"]["name"] == "python"
    process.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    process.stdin.write(line(2, "tools/call", name="python", arguments={"code": "while True: pass"}))
    await process.stdin.drain()
    async with asyncio.timeout(60):
        while not (left := sandbox_processes(process.pid)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    if ending == "end of input":
        process.stdin.close()
    else:
        process.send_signal(getattr(signal, ending))
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors
    assert b"Traceback" not in errors
    await asyncio.sleep(0.1)
    assert not living(left)
