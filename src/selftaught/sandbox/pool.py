"""One zygote and its spares: children forked and walled in ahead of need, zygotes replaced when they die or grow old."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from selftaught.errors import SandboxError

from .cgroup import ControlGroup
from .handle import ChildHandle, ChildLost
from .settings import SandboxSettings, Tier
from .tiers import start_best
from .zygote import Zygote

_MAX_ATTEMPTS = 5


class Pool:
    """Gives out children that are ready. ``tier`` fixes the isolation; None takes the best that there is. ``group``, set
    before ``start``, is where all its processes go."""

    def __init__(self, settings: SandboxSettings, tier: Tier | None = None, group: ControlGroup | None = None) -> None:
        self.settings = settings
        self.group = group
        self.zygote: Zygote | None = None
        self.tier = tier
        self.spares: deque[ChildHandle] = deque()
        self._num_spares = settings.spares or min(max(2, settings.workers), 16)
        self._successor: asyncio.Task[Zygote] | None = None
        self._retired: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Lock()
        self._open = False

    async def start(self) -> None:
        """Start the zygote and the spares. Raises SandboxError when no tier that is allowed is to be had."""
        self._open = True
        await self._ensure_zygote()
        self.fill()

    async def close(self) -> None:
        """Kill everything that still runs; leave no process behind."""
        self._open = False
        if self._successor is not None:
            self._successor.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._successor
            self._successor = None
        while self.spares:
            self.spares.popleft().close()
        for task in list(self._retired):
            task.cancel()
        if self._retired:
            await asyncio.gather(*self._retired, return_exceptions=True)
        if self.zygote is not None:
            await self.zygote.stop()
            self.zygote = None

    async def take(self) -> ChildHandle:
        """A child that is ready for its first cell."""
        reason = ""
        for _ in range(_MAX_ATTEMPTS):
            zygote = await self._ensure_zygote()
            child = self._take_spare() or zygote.spawn()
            try:
                await child.ready
                return child
            except ChildLost as error:
                reason = str(error)
                child.close()
            except BaseException:
                child.close()
                raise
        raise SandboxError(f"no sandboxed child came up in {_MAX_ATTEMPTS} attempts; the last said: {reason}")

    def _take_spare(self) -> ChildHandle | None:
        """The first spare that is ready, else the one that was asked for first."""
        for child in [child for child in self.spares if not child.alive]:
            self.spares.remove(child)
            child.close()
        for child in self.spares:
            if child.ready.done():
                self.spares.remove(child)
                return child
        return self.spares.popleft() if self.spares else None

    def fill(self) -> None:
        """Ask for as many children as spares are missing."""
        zygote = self.zygote
        if not self._open or zygote is None or not zygote.alive:
            return
        self._retire_if_old(zygote)
        while len(self.spares) < self._num_spares:
            self.spares.append(zygote.spawn())

    async def _ensure_zygote(self) -> Zygote:
        if self.zygote is not None and self.zygote.alive:
            return self.zygote
        async with self._starting:
            if self.zygote is not None and self.zygote.alive:
                return self.zygote
            if not self._open:
                raise SandboxError(
                    "the sandbox is not started; use `async with Sandbox(...)` or `await sandbox.start()`."
                )
            if self.zygote is not None:
                await self.zygote.stop()
            # A sandbox never changes its tier: what came after a crash would be weaker without anybody asking for it.
            fixed = self.settings if self.tier is None else self.settings.model_copy(update={"tier": self.tier})
            self.zygote, first_child = await start_best(fixed, self.group)
            self.tier = self.zygote.tier
            self.spares.append(first_child)
            self.fill()
            return self.zygote

    def _retire_if_old(self, zygote: Zygote) -> None:
        """After ``max_calls_per_zygote`` children start a fresh zygote beside the old one and change over when ready."""
        if zygote.num_spawned < self.settings.max_calls_per_zygote or self._successor is not None:
            return
        self._successor = asyncio.create_task(Zygote.start(self.settings, zygote.tier, self.group))
        self._successor.add_done_callback(self._change_over)

    def _change_over(self, task: asyncio.Task[Zygote]) -> None:
        self._successor = None
        if task.cancelled() or not self._open:
            return
        if task.exception() is not None:
            return  # keep the old one; the next call tries again
        old, self.zygote = self.zygote, task.result()
        for child in self.spares:
            child.close()
        self.spares.clear()
        if old is not None:
            retirement = asyncio.create_task(_stop_when_empty(old))
            self._retired.add(retirement)
            retirement.add_done_callback(self._retired.discard)
        self.fill()


async def _stop_when_empty(zygote: Zygote) -> None:
    try:
        while zygote.children and zygote.alive:  # noqa: ASYNC110  (rare, and nothing waits for it)
            await asyncio.sleep(0.1)
    finally:
        await zygote.stop()
