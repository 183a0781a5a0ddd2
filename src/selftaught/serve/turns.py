"""One turn: a `Rollout` in the engine's loop, its parts in the loop that asked. There is no second loop of the method.

The parts that come together in one step of the engine's loop cross over together. Leaving the iterator, or cancelling
whoever waits on it, cancels the rollout: the engine frees the row (a server sees a disconnect) and the interpreter is
killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from functools import partial

from selftaught.problems import render_question
from selftaught.records import Problem, Trajectory
from selftaught.rollouts.loop import Rollout
from selftaught.rollouts.settings import RolloutSettings
from selftaught.rollouts.state import has_think_tags
from selftaught.rollouts.tools import ToolBox
from selftaught.serve.backend import Backend
from selftaught.serve.parts import Ended, Part, usage_of
from selftaught.serve.sorting import Sorter

PACE_S = 0.03
"""Seconds between two chunks of a stream, at least: nobody reads faster, and each costs more than a token of a small model."""


@dataclass(frozen=True)
class Turn:
    """One answer that is asked for."""

    problem: Problem
    """The question; a chat of several turns lies in its metadata (`selftaught.problems.messages_of`)."""
    settings: RolloutSettings
    """With the model's manner in it (`selftaught.rollouts.opening.in_manner`)."""
    sample: int = 0
    tools: ToolBox | None = None
    """Instead of fresh interpreters: a toolbox whose ``interpreter()`` is one that outlives the turn, say."""
    record: Callable[[Turn, Trajectory], None] | None = None
    """Called in the engine's loop with the finished trajectory, before `Ended`."""
    pace_s: float = PACE_S


async def run_turn(backend: Backend, turn: Turn) -> AsyncIterator[Part]:
    """The parts of one turn as they come. Raises SelftaughtError where the turn cannot begin, such as an EngineError of the
    chat template; an engine that fails later ends the turn with its stop reason."""
    running = Running(backend, turn)
    try:
        while batch := await running.batch():
            for part in batch:
                yield part
    finally:
        running.cancel()


class Running:
    """A turn under way. Made in the loop that reads it."""

    def __init__(self, backend: Backend, turn: Turn) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[list[Part] | None] = asyncio.Queue()
        outbox = _Outbox(self._loop, self._queue)
        self._work: Future[None] = backend.submit(_roll(backend, turn, outbox))
        self._work.add_done_callback(lambda _: outbox.close())

    async def batch(self) -> list[Part]:
        """The parts that came since the last call, at least one; empty when the turn is over. Raises what went wrong."""
        batch = await self._queue.get()
        if batch is None:
            self._queue.put_nowait(None)  # it stays over
            try:
                self._work.result()
            except CancelledError:
                raise asyncio.CancelledError from None
            return []
        return batch

    def ready(self) -> list[Part]:
        """Further parts that are there already."""
        parts: list[Part] = []
        while not self._queue.empty():
            batch = self._queue.get_nowait()
            if batch is None:
                self._queue.put_nowait(None)
                break
            parts += batch
        return parts

    def cancel(self) -> None:
        """Give the turn up, if it is not over."""
        self._work.cancel()


class _Outbox:
    """Carries parts from the engine's loop to the reader's, those of one step together."""

    def __init__(self, reader: asyncio.AbstractEventLoop, queue: asyncio.Queue[list[Part] | None]) -> None:
        self._reader, self._queue = reader, queue
        self._parts: list[Part] = []

    def put(self, part: Part) -> None:
        """Take a part; it leaves when the engine's loop comes round."""
        if not self._parts:
            asyncio.get_running_loop().call_soon(self.send)
        self._parts.append(part)

    def send(self) -> None:
        """Send what is there."""
        if self._parts:
            self._post(self._parts)
            self._parts = []

    def _post(self, batch: list[Part] | None) -> None:
        try:
            self._reader.call_soon_threadsafe(self._queue.put_nowait, batch)
        except RuntimeError:
            pass  # the reader's loop is closed: nobody listens

    def close(self) -> None:
        """Nothing follows. What was put was sent before: its call stands earlier in the engine's loop than the end."""
        self._post(None)


async def _roll(backend: Backend, turn: Turn, outbox: _Outbox) -> None:
    """In the engine's loop: the rollout itself."""
    engine, settings = backend.engine, turn.settings
    think_tags = has_think_tags(engine.codec, settings)
    library, policy = backend.policy(settings)
    sorter = Sorter(settings, think_tags, outbox.put)
    found: list[Trajectory] = []
    rollout = Rollout(
        engine=engine,
        settings=settings,
        library=library,
        policy_name=policy,
        tools=turn.tools if turn.tools is not None else backend.toolbox(settings),
        render=partial(render_question, manner=backend.manner),
        emit=found.append,
        watcher=sorter,
        pace_s=turn.pace_s,
    )
    await rollout.run(turn.problem, turn.sample)
    sorter.finish()
    trajectory = found[0]
    if turn.record is not None:
        turn.record(turn, trajectory)
    usage = usage_of(trajectory, engine.codec, think_tags)
    outbox.put(Ended(trajectory.stop_reason, usage, trajectory, trajectory.error))
