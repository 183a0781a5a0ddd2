"""Carries parts from the engine's loop to the loop that reads them, with one wake-up for all that came in one step.

A wake-up costs a system call on either side. A step of the engine gives a token to every row, and the rows show what they
have at the same beat (`selftaught.rollouts.live`), so the parts of all streams mostly cross over together.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

from selftaught.serve.parts import Part

Item = tuple[int, list[Part] | None]
"""Which of a request's turns, and its parts; None when nothing follows."""


class Post:
    """Of one engine's loop."""

    def __init__(self) -> None:
        self._full: dict[asyncio.AbstractEventLoop, list[Outbox]] = {}
        """Reader → outboxes that hold something for it."""

    def collect(self, outbox: Outbox) -> None:
        """Empty ``outbox`` when the engine's loop comes round."""
        waiting = self._full.get(outbox.reader)
        if waiting is None:
            waiting = self._full[outbox.reader] = []
            asyncio.get_running_loop().call_soon(self._send, outbox.reader)
        waiting.append(outbox)

    def _send(self, reader: asyncio.AbstractEventLoop) -> None:
        letters = [(outbox.queue, outbox.take()) for outbox in self._full.pop(reader)]
        try:
            reader.call_soon_threadsafe(_deliver, letters)
        except RuntimeError:
            pass  # the reader's loop is closed: nobody listens


class Outbox:
    """The parts of one turn that have not left yet."""

    def __init__(self, post: Post, reader: asyncio.AbstractEventLoop, queue: asyncio.Queue[Item], index: int) -> None:
        self.reader, self.queue = reader, queue
        self._post, self._index = post, index
        self._parts: list[Part] = []

    def put(self, part: Part) -> None:
        """Take a part, in the engine's loop."""
        if not self._parts:
            self._post.collect(self)
        self._parts.append(part)

    def take(self) -> Item:
        """Everything that is there."""
        parts, self._parts = self._parts, []
        return self._index, parts

    def close(self, work: Future[None]) -> None:
        """Nothing follows. What was put was sent before: its call stands earlier in the engine's loop than the end."""
        try:
            self.reader.call_soon_threadsafe(self.queue.put_nowait, (self._index, None))
        except RuntimeError:
            pass


def _deliver(letters: list[tuple[asyncio.Queue[Item], Item]]) -> None:
    for queue, item in letters:
        queue.put_nowait(item)
