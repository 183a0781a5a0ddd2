"""Sessions that outlive one request: kept by a key, bounded in number, closed when nobody has used them for a while.

For servers, whose clients come back by a name. A session that was closed while its client still believed in it is
never replaced silently: the first output after that says that the variables are gone, and why.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Hashable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from .session import Session
from .settings import ExecResult, Tier
from .verdict import refusal

_NOTICE = "[new interpreter: {reason}; the variables of earlier cells are gone]\n"
_MAX_LOST = 10_000
"""Closed sessions that are remembered, so that their clients are told."""


class Opener(Protocol):
    """What of a started ``Sandbox`` is used here."""

    @property
    def tier(self) -> Tier:
        """Isolation."""

    def session(self) -> AbstractAsyncContextManager[Session]:
        """Open a session."""


@dataclass
class _Kept:
    session: Session
    manager: AbstractAsyncContextManager[Session]
    used: float
    """``time.monotonic()`` of the end of its last cell."""
    notice: str = ""
    cells: set[asyncio.Task[ExecResult]] = field(default_factory=set)
    """Those that run or wait for their turn."""
    closed: bool = False


class SessionKeeper:
    """``async with SessionKeeper(sandbox) as keeper`` and ``await keeper.run(key, code)``.

    At most ``max_sessions`` are open: the one that was idle longest makes room for a new one. One that was idle for
    ``idle_s`` seconds is closed. The sandbox must be started, and outlives the keeper.
    """

    def __init__(self, sandbox: Opener, max_sessions: int = 32, idle_s: float = 1800.0) -> None:
        self._sandbox, self._max_sessions, self._idle_s = sandbox, max_sessions, idle_s
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lost: OrderedDict[Hashable, str] = OrderedDict()
        self._sweeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> SessionKeeper:
        self._sweeper = asyncio.create_task(self._sweep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all sessions and what runs in them."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        for key in list(self._kept):
            await self._close(key)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def num_running(self) -> int:
        """Cells that run or wait for their turn."""
        return sum(len(kept.cells) for kept in self._kept.values())

    async def run(self, key: Hashable, code: str, timeout_s: float | None = None, absent: str = "") -> ExecResult:
        """Run one cell in the session of ``key``, which is opened if need be. Never raises for what the code does.

        ``absent`` is for a client that believes in a session: the reason it is given when there is none. Cancelling
        this kills the interpreter.
        """
        kept = self._kept.get(key) or await self._open(key, absent)
        if kept is None:
            return refusal(f"[not run: all {self._max_sessions} sessions are busy; try again]", self._sandbox.tier)
        self._kept.move_to_end(key)
        cell = asyncio.create_task(kept.session.run(code, timeout_s))
        kept.cells.add(cell)
        try:
            result = await cell
        except asyncio.CancelledError:
            this = asyncio.current_task()
            if not kept.closed or (this is not None and this.cancelling()):
                raise
            return refusal("[stopped: the session was ended while this ran]", self._sandbox.tier)
        finally:
            kept.cells.discard(cell)
            kept.used = time.monotonic()
        notice, kept.notice = kept.notice, ""
        if not notice:
            return result
        return result.model_copy(update={"output": notice + result.output, "restarted": True})

    async def reset(self, key: Hashable) -> bool:
        """End the session of ``key`` and what runs there; its next cell finds a fresh interpreter, and no notice.

        False when there was none.
        """
        self._lost.pop(key, None)
        return await self._close(key)

    async def _open(self, key: Hashable, absent: str) -> _Kept | None:
        """A new session under ``key``; None when there is no room. Nothing here waits: an idle session closes at once, and
        an interpreter comes with the first cell. So no other task opens the same key."""
        while len(self._kept) >= self._max_sessions:
            idle = next((other for other, kept in self._kept.items() if not kept.cells), None)
            if idle is None:
                return None
            await self._close(idle, "it was closed to make room for other sessions")
        manager = self._sandbox.session()
        session = await manager.__aenter__()
        reason = self._lost.pop(key, absent)
        kept = _Kept(session, manager, time.monotonic(), _NOTICE.format(reason=reason) if reason else "")
        self._kept[key] = kept
        return kept

    async def _close(self, key: Hashable, reason: str = "") -> bool:
        kept = self._kept.pop(key, None)
        if kept is None:
            return False
        if reason:
            self._lost[key] = reason
            while len(self._lost) > _MAX_LOST:
                self._lost.popitem(last=False)
        kept.closed = True
        for cell in list(kept.cells):
            cell.cancel()
        await asyncio.gather(*kept.cells, return_exceptions=True)
        await kept.manager.__aexit__(None, None, None)
        return True

    async def _sweep(self) -> None:
        """Close what nobody uses. The oldest stands first, so a look at it is enough."""
        while True:
            await asyncio.sleep(min(self._idle_s / 4, 30.0))
            now = time.monotonic()
            for key, kept in list(self._kept.items()):
                if not kept.cells and now - kept.used > self._idle_s:
                    await self._close(key, f"nobody used the last one for {self._idle_s:g} s")
