"""How many calls run at once, and how many more may wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class QueueFull(Exception):
    """More callers wait than ``max_queue`` allows. The text is what the caller is shown."""


class Slots:
    """``num_slots`` calls at a time; others wait in order, at most ``max_queue`` of them."""

    def __init__(self, num_slots: int, max_queue: int) -> None:
        self._semaphore = asyncio.Semaphore(num_slots)
        self._max_queue = max_queue
        self._num_waiting = 0

    @contextlib.asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Hold one slot. Raises QueueFull instead of waiting in too long a queue."""
        if self._semaphore.locked() and self._num_waiting >= self._max_queue:
            raise QueueFull(f"[not run: {self._num_waiting} callers wait already, sandbox.max_queue allows no more]")
        self._num_waiting += 1
        try:
            await self._semaphore.acquire()
        finally:
            self._num_waiting -= 1
        try:
            yield
        finally:
            self._semaphore.release()
