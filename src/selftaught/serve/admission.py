"""Bounds how many answers are made at once and how many wait; who comes beyond that is told when to come again."""

from __future__ import annotations

import asyncio
from collections import deque

from selftaught.serve.errors import ApiError

RETRY_AFTER_S = 2


class Admission:
    """First come, first served. Used in one event loop."""

    def __init__(self, max_running: int, max_queue: int) -> None:
        self.max_running, self.max_queue = max_running, max_queue
        self.num_running = 0
        self.num_waiting = 0
        self._queue: deque[Ticket] = deque()

    def ticket(self, size: int = 1) -> Ticket:
        """A place for ``size`` answers; 429 when the queue is full. It must be closed, used or not."""
        self.refuse_when_full(size)
        return Ticket(self, size)

    def refuse_when_full(self, size: int = 1) -> None:
        """429 when there is no place, before any work is spent on a request."""
        if self.num_running + size > self.max_running and self.num_waiting + size > self.max_queue:
            raise ApiError(
                429,
                f"{self.num_running} answers are being made and {self.num_waiting} wait; try again in {RETRY_AFTER_S} s.",
                code="rate_limit_exceeded",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )

    def _enter(self, ticket: Ticket) -> None:
        self.num_waiting += ticket.size
        self._queue.append(ticket)
        self._admit()

    def _leave(self, ticket: Ticket) -> None:
        if ticket.admitted.is_set():
            self.num_running -= ticket.size
        else:
            self.num_waiting -= ticket.size
            self._queue.remove(ticket)
        self._admit()

    def _admit(self) -> None:
        while self._queue and (self.num_running == 0 or self.num_running + self._queue[0].size <= self.max_running):
            ticket = self._queue.popleft()
            self.num_waiting -= ticket.size
            self.num_running += ticket.size
            ticket.admitted.set()


class Ticket:
    """A place in the queue, then among those that are served."""

    def __init__(self, admission: Admission, size: int) -> None:
        self._admission, self.size = admission, size
        self.admitted = asyncio.Event()
        self._closed = False
        admission._enter(self)

    async def turn(self, silence_s: float | None = None) -> bool:
        """Wait until it is our turn; False when it is not after ``silence_s`` seconds."""
        try:
            async with asyncio.timeout(silence_s):
                await self.admitted.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Give the place up. Any number of times."""
        if not self._closed:
            self._closed = True
            self._admission._leave(self)
