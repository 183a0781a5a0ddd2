"""One turn: a `Rollout` in the engine's loop, its parts in the loop that asked. There is no second loop of the method.

The parts that come together in one step of the engine's loop cross over together. Leaving the iterator, or cancelling
whoever waits on it, cancels the rollout: the engine frees the row (a server sees a disconnect) and the interpreter is
killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from selftaught.problems import render_question
from selftaught.records import Problem, Trajectory
from selftaught.rollouts.loop import Rollout
from selftaught.rollouts.settings import RolloutSettings
from selftaught.rollouts.thinking import has_think_tags
from selftaught.rollouts.tools import ToolBox
from selftaught.serve.backend import Backend
from selftaught.serve.parts import Ended, Part, Printed, usage_of
from selftaught.serve.post import Item, Outbox
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
    prompt: list[int] | None = None
    """Ids of the rendered chat, where they are known already."""
    tools: ToolBox | None = None
    """Instead of fresh interpreters: a toolbox whose ``interpreter()`` is one that outlives the turn, say."""
    record: Callable[[Trajectory], None] | None = None
    """Called in the engine's loop with the finished trajectory, before `Ended`."""
    pace_s: float = PACE_S
    """With few streams; with many, each is served more rarely (`Backend.pace`)."""
    prints: bool = False
    """Give `Printed` parts while code runs. Only with ``tools`` of its own."""


async def run_turn(backend: Backend, turn: Turn) -> AsyncIterator[Part]:
    """The parts of one turn as they come. Raises SelftaughtError where the turn cannot begin, such as an EngineError of the
    chat template; an engine that fails later ends the turn with its stop reason."""
    running = Running(backend, [turn])
    try:
        while (batch := await running.batch()) is not None:
            for part in batch.parts:
                yield part
    finally:
        running.cancel()


class Batch(NamedTuple):
    """What came together from one of several turns."""

    choice: int
    """Which of them."""
    parts: list[Part]


class Running:
    """Turns under way, of one request. Made in the loop that reads it; ``cancel`` it when nobody reads it any more."""

    def __init__(self, backend: Backend, turns: Sequence[Turn]) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Item] = asyncio.Queue()
        self._num_open = len(turns)
        self._work: list[Future[None]] = []
        self._waits_since: float | None = None
        self._alarm: asyncio.TimerHandle | None = None
        for index, turn in enumerate(turns):
            outbox = Outbox(backend.post, self._loop, self._queue, index)
            work = backend.submit(_roll(backend, turn, outbox))
            work.add_done_callback(outbox.close)
            self._work.append(work)

    async def batch(self, silence_s: float | None = None) -> Batch | None:
        """The next parts of any of the turns; None when all are over. Raises what went wrong in one.

        After ``silence_s`` seconds without any, a batch without parts.
        """
        if self._alarm is None and silence_s is not None:
            self._alarm = self._loop.call_later(silence_s, self._ring, silence_s)
        while self._num_open:
            self._waits_since = self._loop.time()
            index, parts = await self._queue.get()
            self._waits_since = None
            if parts is not None:
                return Batch(index, parts)
            self._num_open -= 1
            try:
                self._work[index].result()
            except CancelledError:
                raise asyncio.CancelledError from None
        return None

    def cancel(self) -> None:
        """Give up what is not over."""
        if self._alarm is not None:
            self._alarm.cancel()
        for work in self._work:
            work.cancel()

    def _ring(self, silence_s: float) -> None:
        """Tell a reader that has waited long enough, and look again. One timer a stream costs less than one a batch."""
        waited = self._loop.time() - self._waits_since if self._waits_since is not None else 0.0
        if waited >= silence_s * 0.99:
            self._queue.put_nowait((0, []))
            waited = 0.0
        self._alarm = self._loop.call_later(silence_s - waited, self._ring, silence_s)


async def _roll(backend: Backend, turn: Turn, outbox: Outbox) -> None:
    """In the engine's loop: the rollout itself."""
    engine, settings = backend.engine, turn.settings
    think_tags = has_think_tags(engine.codec, settings)
    library, policy = backend.policy(settings)
    sorter = Sorter(settings, think_tags, outbox.put)
    found: list[Trajectory] = []
    if turn.prints and turn.tools is not None:
        turn.tools.on_output = lambda text: outbox.put(Printed(text))
    rollout = Rollout(
        engine=engine,
        settings=settings,
        library=library,
        policy_name=policy,
        tools=turn.tools if turn.tools is not None else backend.toolbox(settings),
        render=partial(render_question, manner=backend.manner),
        emit=found.append,
        watcher=sorter,
        pace=lambda: backend.pace(turn.pace_s),
    )
    with backend.counted():
        await rollout.run(turn.problem, turn.sample, turn.prompt)
    sorter.finish()
    trajectory = found[0]
    if turn.record is not None:
        turn.record(trajectory)
    usage = usage_of(trajectory, engine.codec, think_tags)
    outbox.put(Ended(trajectory.stop_reason, usage, trajectory, trajectory.error))
