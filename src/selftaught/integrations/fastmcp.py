"""FastMCP's code mode in our sandbox: ``CodeMode(sandbox_provider=SandboxedPython(sandbox))``.

The class follows FastMCP's protocol ``SandboxProvider`` (fastmcp 4.2, ``experimental/transforms/code_mode.py``), which
is structural, so FastMCP itself is not imported.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from selftaught.sandbox import Sandbox, SandboxSettings

from .calls import SOURCE, CallingInterpreter, HostFunction

_DEFAULT_TIMEOUT_S = 30.0  # FastMCP's own provider allows as much


class SandboxedPython:
    """Runs each block of code in an interpreter of its own; ``await call_tool(...)`` reaches the MCP server's tools.

    The sandbox may be given, started or not; by default one is made at the first call. ``close`` ends it.
    """

    def __init__(self, sandbox: Sandbox | None = None, timeout_s: float = _DEFAULT_TIMEOUT_S) -> None:
        self._sandbox = sandbox or Sandbox(SandboxSettings(preload=()))
        self._timeout_s = timeout_s
        self._starting: asyncio.Lock | None = None
        self._is_started = False

    async def run(
        self,
        code: str,
        *,
        inputs: dict[str, Any] | None = None,
        external_functions: dict[str, Callable[..., Any]] | None = None,
    ) -> Any:
        """What ``code`` returns; what it printed where it returns nothing.

        Raises CodeError when the code fails, and the error of a function that the code did not catch.
        """
        await self._start()
        functions = {name: _awaitable(function) for name, function in (external_functions or {}).items()}
        async with self._sandbox.program(SOURCE) as program:
            interpreter = CallingInterpreter(program, self._timeout_s, awaited=True)
            outcome = await interpreter.run(code, functions, inputs)
        return outcome.logs if outcome.value is None and outcome.logs else outcome.value

    async def close(self) -> None:
        """End the sandbox and all that runs in it."""
        await self._sandbox.close()
        self._is_started = False

    async def _start(self) -> None:
        if self._starting is None:
            self._starting = asyncio.Lock()
        async with self._starting:
            if not self._is_started:
                await self._sandbox.start()
                self._is_started = True


def _awaitable(function: Callable[..., Any]) -> HostFunction:
    async def call(*args: Any, **kwargs: Any) -> Any:
        value = function(*args, **kwargs)
        return await value if inspect.isawaitable(value) else value

    return call
