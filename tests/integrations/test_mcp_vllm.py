"""vLLM's ``--tool-server``: what its client does, step for step, and its own code where vLLM is installed.

The steps are those of vLLM 0.32: ``entrypoints/mcp/tool_server.py`` (``list_server_and_tools``, ``trim_schema``,
``post_process_tools_description``, ``MCPToolServer.new_session``) and ``entrypoints/openai/responses/context.py``
(``call_python_tool``, ``cleanup_session``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from selftaught.sandbox.keeper import SessionKeeper

from .conftest import Serve

mcp = pytest.importorskip("mcp", reason="the extra mcp is not installed")

from mcp import ClientSession  # noqa: E402
from mcp.client.sse import sse_client  # noqa: E402


@asynccontextmanager
async def new_session(url: str, request_id: str) -> AsyncIterator[Any]:
    """As for each response of vLLM's that may call tools."""
    headers = {"x-session-id": request_id}
    async with sse_client(url=f"{url}/sse", headers=headers) as streams, ClientSession(*streams) as session:
        await session.initialize()
        yield session


async def test_a_response_of_gpt_oss(serve: Serve, keeper: SessionKeeper) -> None:
    async with serve() as served:
        async with sse_client(url=f"{served.url}/sse") as streams, ClientSession(*streams) as session:
            hello = await session.initialize()
            tools = (await session.list_tools()).tools
        assert hello.server_info.name == "python"
        assert hello.instructions.startswith("Use this tool to execute Python code in your chain of thought.")
        in_prompt = [tool.name for tool in tools if (tool.meta or {}).get("include_in_prompt", True)]
        assert in_prompt == [], "gpt-oss sends plain text: no schema belongs into its prompt"

        async with new_session(served.url, "resp_1") as one, new_session(served.url, "resp_2") as two:
            for code, output in (("x = 7**2023 % 1000", ""), ("x", "343\n"), ("1/0", "ZeroDivisionError")):
                result = await one.call_tool("python", {"code": code})
                assert output in result.content[0].text
            assert "NameError" in (await two.call_tool("python", {"code": "x"})).content[0].text
            await one.call_tool("cleanup_session", {})
            assert len(keeper) == 1
            await two.call_tool("cleanup_session", {})
        assert len(keeper) == 0


async def test_vllms_own_client(serve: Serve) -> None:
    tool_server = pytest.importorskip("vllm.entrypoints.mcp.tool_server", reason="vLLM is not installed")
    server = tool_server.MCPToolServer()
    async with serve() as served:
        await server.add_tool_server(served.url.removeprefix("http://"))
        assert server.has_tool("python")
        description = server.get_tool_description("python")
        assert description.name == "python" and description.tools == []
        async with server.new_session("python", "resp_1") as session:
            await session.call_tool("python", {"code": "x = 6"})
            assert (await session.call_tool("python", {"code": "x * 7"})).content[0].text == "42\n"
