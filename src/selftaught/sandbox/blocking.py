"""The sandbox for code that is not asynchronous: every call waits for its result.

The sandbox itself runs in a thread with an event loop of its own, so this works in a script, and also where a loop is
running already and cannot be entered a second time: a Jupyter notebook, a handler of a server.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Protocol, TypeVar

from selftaught.errors import SandboxError

from .session import Session
from .settings import ExecResult, FunctionCall, ProgramResult, Tier

_Result = TypeVar("_Result")


class AsyncSandbox(Protocol):
    """What of the asynchronous sandbox is used here."""

    @property
    def tier(self) -> Tier:
        """Isolation."""

    async def start(self) -> None:
        """Start."""

    async def close(self) -> None:
        """Stop."""

    async def run(self, code: str, timeout_s: float | None = None, stdin: str | bytes | None = None) -> ExecResult:
        """Run a cell."""

    async def run_program(
        self,
        source: str,
        stdin: str | bytes | None = None,
        call: FunctionCall | None = None,
        timeout_s: float | None = None,
    ) -> ProgramResult:
        """Run a program."""

    def session(self, source: str | None = None) -> AbstractAsyncContextManager[Session]:
        """Open a session."""


class LoopThread:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="selftaught-sandbox", daemon=True)
        self._thread.start()

    def wait(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Run ``work`` there and wait here. Ctrl-C while waiting cancels it, which kills what it runs."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """End the loop and the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class BlockingSession:
    """``Session`` for code that is not asynchronous."""

    def __init__(self, session: Session, thread: LoopThread) -> None:
        self._session, self._thread = session, thread

    def run(self, code: str, timeout_s: float | None = None, stdin: str | bytes | None = None) -> ExecResult:
        """Run one cell and wait for its result. Never raises for what the code does."""
        return self._thread.wait(self._session.run(code, timeout_s, stdin))


class BlockingSandbox:
    """What ``with Sandbox(settings) as sandbox`` gives. May be used from any number of threads at once."""

    def __init__(self, sandbox: AsyncSandbox) -> None:
        self._sandbox = sandbox
        self._running: LoopThread | None = None

    def __enter__(self) -> BlockingSandbox:
        thread = LoopThread()
        try:
            thread.wait(self._sandbox.start())
        except BaseException:
            thread.wait(self._sandbox.close())
            thread.stop()
            raise
        self._running = thread
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill everything that still runs; leave no process and no thread behind."""
        if self._running is not None:
            thread, self._running = self._running, None
            thread.wait(self._sandbox.close())
            thread.stop()

    @property
    def tier(self) -> Tier:
        """Isolation of what runs here."""
        return self._sandbox.tier

    def run(self, code: str, timeout_s: float | None = None, stdin: str | bytes | None = None) -> ExecResult:
        """Run ``code`` as a notebook cell of its own and wait for its output. Never raises for what the code does."""
        return self._thread.wait(self._sandbox.run(code, timeout_s, stdin))

    def run_program(
        self,
        source: str,
        stdin: str | bytes | None = None,
        call: FunctionCall | None = None,
        timeout_s: float | None = None,
    ) -> ProgramResult:
        """Run ``source`` as a script, then, if asked, call one of its functions; wait for the result."""
        return self._thread.wait(self._sandbox.run_program(source, stdin, call, timeout_s))

    @contextlib.contextmanager
    def session(self, source: str | None = None) -> Iterator[BlockingSession]:
        """A live interpreter whose names persist from cell to cell. Its child dies with the block."""
        thread = self._thread

        async def open_session() -> tuple[AbstractAsyncContextManager[Session], Session]:
            manager = self._sandbox.session(source)
            return manager, await manager.__aenter__()

        async def close_session() -> None:
            await manager.__aexit__(None, None, None)

        manager, session = thread.wait(open_session())
        try:
            yield BlockingSession(session, thread)
        finally:
            thread.wait(close_session())

    @property
    def _thread(self) -> LoopThread:
        if self._running is None:
            raise SandboxError("the sandbox is closed; use it inside its `with Sandbox(...)` block.")
        return self._running
