"""How many requests a server is asked at once, and who goes first."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator


class Gate:
    """Lets ``capacity`` through at a time. Of those who wait, the one with the lowest rank goes first.

    With the age of a trajectory as its rank, what was begun is finished before something new takes its place in the
    server's cache. For a server with slots, a place is kept for ``linger_s`` seconds after a request: a trajectory that
    goes on at once finds the slot that holds its prefix.
    """

    def __init__(self, capacity: int, linger_s: float = 0.0) -> None:
        self.capacity, self._linger_s = capacity, linger_s
        self._free = capacity
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = itertools.count()
        self._kept: dict[int, asyncio.TimerHandle] = {}
        """Places that wait for their trajectories to come back, by rank."""

    @contextlib.asynccontextmanager
    async def passed(self, rank: int) -> AsyncIterator[None]:
        """Wait for a place and hold it."""
        kept = self._kept.pop(rank, None)
        if kept is not None:
            kept.cancel()
        elif self._free:
            self._free -= 1
        else:
            await self._wait(rank)
        try:
            yield
        finally:
            if self._linger_s and rank not in self._kept:
                self._kept[rank] = asyncio.get_running_loop().call_later(self._linger_s, self.leave, rank)
            else:
                self._release()

    def leave(self, rank: int) -> None:
        """Whoever has this rank does not come back."""
        kept = self._kept.pop(rank, None)
        if kept is not None:
            kept.cancel()
            self._release()

    async def _wait(self, rank: int) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._count), place))
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # the place was given just now
                self._release()
            raise

    def _release(self) -> None:
        while self._waiting:
            *_, place = heapq.heappop(self._waiting)
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
