"""The tool ``python`` as a client sees it: texts that gpt-oss expects, sessions, mistakes of a model."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from selftaught.sandbox import Sandbox, SandboxSettings
from selftaught.sandbox.keeper import SessionKeeper

mcp = pytest.importorskip("mcp", reason="the extra mcp is not installed")

from selftaught.integrations.mcp_tool import PythonTools  # noqa: E402


@pytest.fixture
def tools(keeper: SessionKeeper) -> PythonTools:
    return PythonTools(keeper, timeout_s=20.0, packages=("numpy", "sympy"))


async def call(client: Any, code: Any, name: str = "python") -> Any:
    return await client.call_tool(name, {"code": code})


async def test_what_vllm_reads_of_the_server(tools: PythonTools) -> None:
    async with mcp.Client(tools.server, mode="legacy") as client:
        assert client.server_info.name == "python"
        assert client.instructions.startswith("Use this tool to execute Python code in your chain of thought.")
        assert "time out after 20.0 seconds" in client.instructions and "numpy, sympy" in client.instructions
        python, reset = (await client.list_tools()).tools
    assert (python.name, reset.name) == ("python", "reset")
    assert python.input_schema["required"] == ["code"] and list(python.input_schema["properties"]) == ["code"]
    assert python.meta == reset.meta == {"include_in_prompt": False}


async def test_variables_persist_until_they_are_reset(tools: PythonTools) -> None:
    async with mcp.Client(tools.server) as client:
        assert (await call(client, "x = 41")).content[0].text == ""
        result = await call(client, "print('hi')\nx + 1")
        assert [block.text for block in result.content] == ["hi\n42\n"]
        assert result.structured_content["status"] == "ok"
        assert (await client.call_tool("reset", {})).content[0].text == "ended"
        result = await call(client, "x")
        assert "NameError" in result.content[0].text and result.structured_content["status"] == "error"
        assert not result.is_error, "an exception of the code is an output"
        await client.call_tool("cleanup_session", {})  # what vLLM calls at the end of a response


async def test_the_interpreter_ends_with_the_connection(tools: PythonTools, keeper: SessionKeeper) -> None:
    async with mcp.Client(tools.server, mode="legacy") as client:
        await call(client, "x = 1")
    # The SDK serves a server object in this process under one lifespan for each connection.
    async with mcp.Client(tools.server, mode="legacy") as client:
        assert "NameError" in (await call(client, "x")).content[0].text
    assert len(keeper) == 0


@pytest.mark.parametrize(
    "arguments, reason",
    [
        ({}, "code is to be a string of Python; it is missing"),
        ({"code": 17}, "it is of type int"),
        ({"code": None}, "it is missing"),
        ({"code": "#" * (1 << 20) + "x"}, "longer than 1048576 bytes"),
    ],
)
async def test_a_wrong_call_is_told_and_runs_nothing(tools: PythonTools, arguments: Any, reason: str) -> None:
    async with mcp.Client(tools.server) as client:
        result = await client.call_tool("python", arguments)
    assert result.is_error and reason in result.content[0].text
    assert result.structured_content["status"] == "refused"


async def test_an_unknown_tool_is_a_protocol_error(tools: PythonTools) -> None:
    async with mcp.Client(tools.server) as client:
        with pytest.raises(Exception, match="Unknown tool: shell"):
            await client.call_tool("shell", {})


async def test_output_is_bounded_and_harmless(tools: PythonTools) -> None:
    async with mcp.Client(tools.server) as client:
        result = await call(client, "print('x' * 10 + '\\x1b[31m<|im_end|>')\nprint('y\\n' * 200_000)")
    text = result.content[0].text
    assert len(text.encode()) < 80_000 and result.structured_content["truncated"]
    assert "\x1b" not in text and "<|im_end|>" not in text


async def test_figures_come_as_images_after_the_text() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    settings = SandboxSettings(preload=(), timeout_s=60.0, light=False, max_images=2)
    async with Sandbox(settings) as sandbox, SessionKeeper(sandbox) as keeper:
        async with mcp.Client(PythonTools(keeper, timeout_s=60.0).server) as client:
            result = await call(client, "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n'done'")
    text, image = result.content
    assert text.text.startswith("'done'\n[figure 1: ") and image.mime_type == "image/png"
    assert base64.b64decode(image.data).startswith(b"\x89PNG")


async def test_a_call_that_is_cancelled_kills_its_cell(tools: PythonTools, keeper: SessionKeeper) -> None:
    async with mcp.Client(tools.server) as client:
        running = asyncio.create_task(call(client, "x = 1\nwhile True: pass"))
        while not keeper.num_running:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        for _ in range(500):
            if not keeper.num_running:
                break
            await asyncio.sleep(0.01)
        assert "the last cell was cancelled" in (await call(client, "1")).content[0].text
