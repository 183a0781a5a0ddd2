"""smolagents' CodeAgent in our sandbox: ``CodeAgent(..., executor=SandboxedExecutor())``.

The agent's code runs in the sandbox; its tools run here, in the process of the agent, as with smolagents' local
executor. So a tool may use the network and its own files, and the code may not. Values cross by smolagents' own safe
serialiser (no pickle): numbers, texts, collections, dates, numpy arrays, images.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any

from smolagents import serialization
from smolagents.local_python_executor import BASE_BUILTIN_MODULES, CodeOutput, PythonExecutor
from smolagents.serialization import SafeSerializer

from selftaught.sandbox import Program, Sandbox, SandboxSettings
from selftaught.sandbox.blocking import LoopThread

from .calls import SOURCE, CallingInterpreter, Codec, CodeError, HostFunction, Outcome

_DEFAULT_TIMEOUT_S = 30.0  # smolagents' own executor allows as much
_FINAL_ANSWER = "final_answer"
_LOST = "[the interpreter ended; the variables of earlier steps are gone]"


def _encode(value: Any) -> Any:
    return SafeSerializer.dumps(value, allow_pickle=False)


def _decode(value: Any) -> Any:
    return SafeSerializer.loads(value, allow_pickle=False)


_INSIDE = """
def encode(value):
    return SafeSerializer.dumps(value, allow_pickle=False)


def decode(value):
    return SafeSerializer.loads(value, allow_pickle=False)
"""
_CODEC = Codec(inspect.getsource(serialization) + _INSIDE, _encode, _decode)


class SandboxedExecutor(PythonExecutor):
    """One interpreter for one agent. ``cleanup``, which ``agent.cleanup()`` calls, or a ``with`` block ends it.

    ``timeout_s`` is what the code of one step may use itself, without the time of its tools.
    """

    def __init__(self, settings: SandboxSettings | None = None, timeout_s: float = _DEFAULT_TIMEOUT_S) -> None:
        self._settings = settings or SandboxSettings(workers=1)
        self._timeout_s = timeout_s
        self._tools: dict[str, Callable[..., Any]] = {}
        self._variables: dict[str, Any] = {}
        self._unsent: dict[str, Any] = {}
        self._thread: LoopThread | None = None
        self._stack = AsyncExitStack()
        self._sandbox: Sandbox | None = None
        self._program: Program | None = None
        self._interpreter: CallingInterpreter | None = None
        self.state: dict[str, Any] = {"_print_outputs": ""}
        """Where CodeAgent looks for what the code had printed when it failed."""

    def __enter__(self) -> SandboxedExecutor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup()

    def send_tools(self, tools: Mapping[str, Any]) -> None:
        """Make ``tools`` known under their names."""
        self._tools = dict(tools)

    def send_variables(self, variables: Mapping[str, Any]) -> None:
        """Make ``variables`` known under their names, from the next step on."""
        self._variables.update(variables)
        self._unsent.update(variables)

    def __call__(self, code_action: str) -> CodeOutput:
        """Run one step's code. Raises CodeError when it fails, and a tool's error that it did not catch."""
        if self._thread is None:
            self._thread = LoopThread()
        try:
            outcome = self._thread.wait(self._run(code_action))
        finally:
            self.state["_print_outputs"] = self._interpreter.logs if self._interpreter is not None else ""
        return CodeOutput(output=outcome.value, logs=outcome.logs, is_final_answer=outcome.is_final)

    def cleanup(self) -> None:
        """End the sandbox and the interpreter in it."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            thread.wait(self._close())
            thread.stop()

    async def _run(self, code: str) -> Outcome:
        interpreter = await self._open()
        variables, self._unsent = self._unsent, {}
        final = _FINAL_ANSWER if _FINAL_ANSWER in self._tools else None
        functions = {name: _in_thread(tool) for name, tool in self._tools.items()}
        try:
            return await interpreter.run(code, functions, variables, final)
        except CodeError as error:
            if self._program is not None and self._program.is_live:
                raise
            raise CodeError(f"{error}\n{_LOST}") from None

    async def _open(self) -> CallingInterpreter:
        """The interpreter; a fresh one, with the modules and variables that smolagents promises, where there is none."""
        if self._interpreter is not None and self._program is not None and self._program.is_live:
            return self._interpreter
        if self._sandbox is None:
            self._sandbox = await self._stack.enter_async_context(Sandbox(self._settings))
        self._program = await self._stack.enter_async_context(self._sandbox.program(SOURCE))
        self._interpreter = CallingInterpreter(self._program, self._timeout_s, codec=_CODEC)
        await self._interpreter.run("\n".join(f"import {name}" for name in BASE_BUILTIN_MODULES), {})
        self._unsent = dict(self._variables)
        return self._interpreter

    async def _close(self) -> None:
        await self._stack.aclose()
        self._stack = AsyncExitStack()
        self._sandbox = self._program = self._interpreter = None


def _in_thread(tool: Callable[..., Any]) -> HostFunction:
    """Tools are ordinary functions, and may wait for long."""

    async def call(*args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(tool, *args, **kwargs)

    return call
