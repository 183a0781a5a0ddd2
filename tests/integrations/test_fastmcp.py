"""The provider of FastMCP's code mode; against FastMCP itself where that is installed."""

from __future__ import annotations

from typing import Any

import pytest

from selftaught.integrations.calls import CodeError
from selftaught.integrations.fastmcp import SandboxedPython
from selftaught.sandbox import Sandbox


@pytest.fixture
def python(sandbox: Sandbox) -> SandboxedPython:
    return SandboxedPython(sandbox, timeout_s=20.0)


async def test_inputs_functions_of_both_kinds_and_what_comes_back(python: SandboxedPython) -> None:
    async def later(text: str) -> str:
        return text.upper()

    functions = {"later": later, "now": len}
    code = "return [await later(word), await now(word)]"
    assert await python.run(code, inputs={"word": "abc"}, external_functions=functions) == ["ABC", 3]
    assert await python.run("print('only printed')") == "only printed\n"
    with pytest.raises(CodeError, match="NameError"):
        await python.run("return word")


async def test_a_provider_without_a_sandbox_makes_one_and_ends_it() -> None:
    python = SandboxedPython()
    assert await python.run("return 6 * 7") == 42
    await python.close()


async def test_code_mode_of_fastmcp(python: SandboxedPython) -> None:
    fastmcp = pytest.importorskip("fastmcp", reason="FastMCP is not installed")
    from fastmcp.experimental.transforms.code_mode import CodeMode, SandboxProvider

    provider: SandboxProvider = python
    server = fastmcp.FastMCP("shop", transforms=[CodeMode(sandbox_provider=provider)])

    @server.tool
    def price(item: str) -> dict[str, float]:
        """Price of an item."""
        if item == "none":
            raise ValueError("no such item")
        return {"price": len(item) / 2}

    async def execute(client: Any, code: str) -> Any:
        return await client.call_tool("execute", {"code": code}, raise_on_error=False)

    async with fastmcp.Client(server) as client:
        assert "execute" in [tool.name for tool in await client.list_tools()]
        summed = (
            "import asyncio\n"
            "found = await asyncio.gather(*[call_tool('price', {'item': item}) for item in ['tea', 'milk']])\n"
            "return sum(each['price'] for each in found)"
        )
        assert (await execute(client, summed)).content[0].text == "3.5"
        for code, reason in (
            ("return await call_tool('price', {'item': 'none'})", "no such item"),
            ("return await call_tool('nothing', {})", "Unknown tool: nothing"),
            ("return 1 / 0", "division by zero"),
            ("return open('/etc/passwd').read()", "FileNotFoundError|PermissionError"),
        ):
            result = await execute(client, code)
            assert result.is_error and any(each in result.content[0].text for each in reason.split("|")), code
