"""The part of a rollout that runs inside one process: an engine, a sandbox and many trajectories on one event loop.

`WorkerCore` is used in this process (``workers=0``) and by worker processes, which are started by
`selftaught.rollouts.pool`. Both sides talk over a socket pair. The parent sends `Setup`, then `Task` after `Task`. The
worker answers with `Ready`, `Finished` for each trajectory, `TaskDone`, and `Report` when asked. A worker whose parent
is gone ends at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from selftaught.errors import SelftaughtError
from selftaught.records import Problem, SpanSource, StopReason, Trajectory, trajectory_id
from selftaught.rollouts.probe_settings import ProbeSettings
from selftaught.rollouts.settings import RolloutSettings
from selftaught.runs.folders import ModelFolder
from selftaught.tokens.folder import is_url

PULSE_S = 0.5
"""Seconds between two pulses."""


@dataclass(slots=True)
class Setup:
    """Load this model and be ready for tasks of these settings."""

    model: str
    settings: RolloutSettings
    share: str | None = None
    """A memory file in which the workers keep the weights once (`selftaught.engines.matrices`)."""
    plain: RolloutSettings | None = None
    """Settings of the same run without hints, recorded beside it from the same tokens; None without one."""
    probe: ProbeSettings | None = None
    """Fork each trajectory at its own places; None: roll out as the settings say."""
    place: str = field(default_factory=os.getcwd)
    """Working directory of whoever asks: workers outlive a rollout, and relative paths are meant from here."""

    @property
    def in_flight(self) -> int:
        """Tasks that a worker holds: its rows, and a few more whose prompts are ready when a row becomes free.

        With a server twice its rows: a trajectory gives its row up while its tool runs. Where each task forks, fewer than
        its rows: a branch that finds a free row takes over what is computed of its prefix, else that is computed again.
        """
        rows = self.settings.spread.max_rows
        branches = self.probe.most_branches if self.probe is not None else 0
        if branches:
            return max(1, 2 * rows // (branches + 1))
        if self.plain is not None and not is_url(self.model):
            return max(1, rows * 2 // 3)
        return rows + (rows if is_url(self.model) else max(2, rows // 8))


@dataclass(slots=True)
class Task:
    """One sample of one problem."""

    problem: Problem
    sample: int

    @property
    def key(self) -> tuple[str, int]:
        """What identifies the task."""
        return self.problem.id, self.sample


@dataclass(slots=True)
class Ready:
    """Setup done, or its error."""

    error: SelftaughtError | None = None
    message: str = ""


@dataclass(slots=True)
class Finished:
    """One trajectory, as a line, with the numbers that progress needs."""

    id: str
    line: str
    stop_reason: StopReason
    num_model_tokens: int
    num_calls: int
    num_shared: int = 0
    """Sampled tokens that count with another trajectory."""
    num_own: int = 0
    """Those that were sampled for it alone."""
    is_plain: bool = False
    """It belongs to the run without hints."""
    is_branch: bool = False
    """It is a branch of another trajectory of its sample."""


@dataclass(slots=True)
class Pulse:
    """Sent about twice a second while tasks are open, so that a run shows life before its first trajectory ends."""

    worker: int
    """Process id."""
    num_tokens: int
    """Tokens that the engine has drawn since the set-up."""


@dataclass(slots=True)
class TaskDone:
    """All trajectories of a task were sent. ``error`` if it broke in a way that is no trajectory."""

    key: tuple[str, int]
    error: str | None = None


@dataclass(slots=True)
class WorkerStats:
    """Where a worker's time went, since its setup."""

    wall_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    idle_s: float = 0.0
    """The engine had nothing to do while trajectories were open."""
    prefill_tokens: int = 0
    decode_tokens: int = 0
    recomputed_tokens: int = 0
    num_steps: int = 0
    num_calls: int = 0
    num_run: int = 0
    tool_wait_s: float = 0.0
    """Seconds that trajectories waited for tools, summed over them."""
    num_retries: int = 0
    tier: str = ""


@dataclass(slots=True)
class Report:
    """Asked for with the string ``report``."""

    stats: WorkerStats


Send = Callable[[object], None]


@dataclass(slots=True)
class WorkerCore:
    """Runs tasks; whatever comes of them goes to ``send``."""

    send: Send
    engine: Any = None
    rollout: Any = None
    _engine_key: tuple[object, ...] = ()
    _sandbox: Any = None
    _sandbox_key: object = None
    _tool_cache: Any = None
    _manner: Any = None
    _prober: Any = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _started: float = 0.0
    _pulse: asyncio.Task[None] | None = None

    async def setup(self, setup: Setup) -> None:
        """Load what differs from before. Raises SelftaughtError."""
        from selftaught.rollouts.opening import engine_key, manner_of, open_engine

        settings = setup.settings
        key = (*engine_key(settings, setup.model), setup.share, weights_stamp(setup.model))
        if self._engine_key != key:
            if self.engine is not None:
                await self.engine.aclose()
            self.engine, self._engine_key = None, ()
            self.engine = open_engine(settings, setup.model, setup.share)
            self._engine_key = key
        self.engine.reset_stats()
        self._manner = manner_of(self.engine)
        self.rollout = await self._make_rollout(setup, settings)
        self._prober = None
        if setup.probe is not None:
            from selftaught.rollouts.probing import Prober

            self._prober = Prober(self.rollout, setup.probe)
        if setup.plain is not None:
            self.rollout.plain = await self._make_rollout(setup, setup.plain, is_plain=True)
        self._started = time.perf_counter()

    def submit(self, task: Task) -> None:
        """Start a task."""
        running = asyncio.get_running_loop().create_task(self._run(task))
        self._tasks.add(running)
        running.add_done_callback(self._tasks.discard)
        if self._pulse is None or self._pulse.done():
            self._pulse = asyncio.get_running_loop().create_task(self._beat())

    async def cancel(self) -> None:
        """Stop all tasks; nothing of them is kept."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Cancel all tasks and close the engine and the sandbox."""
        await self.cancel()
        if self._pulse is not None:
            self._pulse.cancel()
        if self.engine is not None:
            await self.engine.aclose()
        if self._sandbox is not None:
            await self._sandbox.__aexit__(None, None, None)
            self._sandbox = None

    def stats(self) -> WorkerStats:
        """Where the time went."""
        engine = self.engine.stats
        boxes = [one.tools for one in (self.rollout, self.rollout.plain) if one is not None and one.tools is not None]
        return WorkerStats(
            wall_s=time.perf_counter() - self._started,
            prefill_s=engine.prefill_s,
            decode_s=engine.decode_s,
            idle_s=engine.idle_s,
            prefill_tokens=engine.prefill_tokens,
            decode_tokens=engine.decode_tokens,
            recomputed_tokens=engine.recomputed_tokens,
            num_steps=engine.num_steps,
            num_calls=sum(box.num_calls for box in boxes),
            num_run=sum(box.num_run for box in boxes),
            tool_wait_s=sum(box.wait_s for box in boxes),
            num_retries=engine.num_retries,
            tier=next((box.tier for box in boxes if box.tier), ""),
        )

    async def _beat(self) -> None:
        """Send pulses until no task is open.

        Later the parent may not be reading, and a full socket would block the worker.
        """
        while self._tasks:
            self.send(Pulse(os.getpid(), self.engine.stats.decode_tokens))
            await asyncio.sleep(PULSE_S)

    async def _run(self, task: Task) -> None:
        error = None
        try:
            await (self._prober or self.rollout).run(task.problem, task.sample)
        except asyncio.CancelledError:
            raise
        except Exception as broken:  # a defect of ours: one task is lost, not the run
            error = f"{type(broken).__name__}: {broken}"
            import traceback

            traceback.print_exc(file=sys.stderr)
        self.send(TaskDone(task.key, error))

    async def _make_rollout(self, setup: Setup, settings: RolloutSettings, *, is_plain: bool = False) -> Any:
        """What rolls out by ``settings`` on the engine that is open."""
        from selftaught.hints import load_library, split_name
        from selftaught.problems import render_question
        from selftaught.rollouts.loop import Rollout
        from selftaught.rollouts.opening import in_manner
        from selftaught.rollouts.tools import ToolBox

        settings = in_manner(settings, self._manner)
        path, policy = split_name(settings.hints.policy)
        tools = None
        if settings.tools.enabled:
            await self._open_sandbox(setup)
            tools = ToolBox(self._sandbox, settings, self._tool_cache)
        return Rollout(
            engine=self.engine,
            settings=settings,
            library=load_library(path),
            policy_name=policy,
            tools=tools,
            render=partial(render_question, manner=self._manner),
            emit=partial(self._emit, is_plain=is_plain),
        )

    def _emit(self, trajectory: Trajectory, *, is_plain: bool) -> None:
        whole = trajectory_id(trajectory.problem_id, trajectory.sample)
        self.send(
            Finished(
                trajectory.id,
                trajectory.to_json(),
                trajectory.stop_reason,
                num_model_tokens=trajectory.num_tokens(SpanSource.MODEL),
                num_calls=sum(span.tool is not None for span in trajectory.spans),
                num_shared=trajectory.shared_tokens or 0,
                num_own=trajectory.num_sampled() - (trajectory.shared_tokens or 0),
                is_plain=is_plain,
                is_branch=trajectory.id not in (whole, f"{whole}@{trajectory.round}"),
            )
        )

    async def _open_sandbox(self, setup: Setup) -> None:
        from selftaught.rollouts.opening import open_sandbox, sandbox_settings
        from selftaught.rollouts.tools import ToolCache

        key = sandbox_settings(setup.settings, setup.model)
        if self._sandbox is not None and self._sandbox_key == key:
            return
        if self._sandbox is not None:
            await self._sandbox.__aexit__(None, None, None)
        self._sandbox = await open_sandbox(setup.settings, setup.model).__aenter__()
        self._sandbox_key, self._tool_cache = key, ToolCache()


def weights_stamp(model: str) -> tuple[float, ...]:
    """Changes when a local model folder was written again."""
    from pathlib import Path

    path = Path(model)
    if not path.is_dir():
        return ()
    files = [*path.glob("*.safetensors"), ModelFolder(path).manner]
    return tuple(sorted(file.stat().st_mtime for file in files if file.is_file()))


# ------------------------------------------------------------------------------------------------------ worker process


async def serve(connection: Connection) -> None:
    """Answer the parent until it closes the connection."""
    loop = asyncio.get_running_loop()
    inbox: asyncio.Queue[object] = asyncio.Queue()
    core = WorkerCore(send=connection.send)

    def receive() -> None:
        try:
            while connection.poll():
                inbox.put_nowait(connection.recv())
        except (EOFError, OSError):
            os._exit(0)  # the parent is gone: nobody wants the rest

    loop.add_reader(connection.fileno(), receive)
    while True:
        message = await inbox.get()
        if isinstance(message, Task):
            core.submit(message)
        elif isinstance(message, Setup):
            try:
                os.chdir(message.place)
                await core.setup(message)
                connection.send(Ready())
            except SelftaughtError as error:
                connection.send(Ready(error))
            except Exception as error:
                connection.send(Ready(None, f"{type(error).__name__}: {error}"))
        elif message == "cancel":
            await core.cancel()
            connection.send("cancelled")
        elif message == "report":
            connection.send(Report(core.stats()))
        elif message == "close":
            with contextlib.suppress(Exception):
                await core.aclose()
            return


def main() -> None:
    """Entry point of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    connection = Connection(int(sys.argv[1]))
    asyncio.run(serve(connection))
