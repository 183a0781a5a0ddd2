"""Scheduler: runs the stages that are ready, up to ``parallel`` at a time, each in a process of its own.

The order of the list decides between stages that are ready at the same time. What is done already is skipped; what fails
stops the run after the stages beside it were stopped too. A data set without rows is no failure: the control then goes
missing, and without START's own data the run ends there. All state is in files: this process may be killed at any point.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from selftaught.errors import SelftaughtError
from selftaught.pipeline.child import PRELOAD, run_stage
from selftaught.pipeline.markers import Marker, finished
from selftaught.pipeline.progress import Display, Forecast
from selftaught.pipeline.stages import Stage
from selftaught.progress import Progress

_TICK_S = 0.5


class StageFailed(SelftaughtError):
    """A stage ended with an error; the message is the stage's, the exit code too."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]


@dataclass(frozen=True)
class RunOutcome:
    """How far a run came."""

    markers: dict[str, Marker]
    empty: dict[str, str]
    """Training stage → why it has no rows to train on."""


@dataclass
class Running:
    """A stage at work."""

    stage: Stage
    process: BaseProcess
    pipe: Connection
    started: float = field(default_factory=time.monotonic)
    progress: Progress | None = None
    """What the stage said last."""

    @property
    def share(self) -> float:
        """How much of the stage is done, 0 to 1, as far as it says so."""
        now = self.progress
        return now.done / now.total if now is not None and now.total else 0.0


def run_stages(
    run: Path,
    stages: list[Stage],
    *,
    parallel: int,
    workers: int,
    forecast: Forecast,
    display: Display,
    start_method: str = "forkserver",
) -> RunOutcome:
    """Run everything that is not done; return all markers. Raises StageFailed with the first failing stage's error."""
    done = finished(run, stages)
    forecast.start(stages, done, parallel)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    context = multiprocessing.get_context(start_method)
    if start_method == "forkserver":
        context.set_forkserver_preload(PRELOAD)
    running: dict[str, Running] = {}
    empty: dict[str, str] = {}
    try:
        while left := [s for s in stages if s.name not in done and s.name not in blocked_by(empty, stages)]:
            for stage in left:
                if len(running) >= parallel:
                    break
                if stage.name not in running and all(need in done for need in stage.needs):
                    running[stage.name] = _start(context, run, stage, workers)
                    display.stage_started(stage)
            assert running, "stages wait for each other"
            _listen(running, done, empty, display, forecast)
            if any(not is_control(name) for name in empty):
                break
            display.show(forecast, running, done)
    finally:
        for item in running.values():
            item.process.kill()
        for item in running.values():
            item.process.join()
    return RunOutcome(done, empty)


def blocked_by(empty: Mapping[str, str], stages: list[Stage]) -> set[str]:
    """Names of the stages that cannot run, because a data set that they need, directly or not, came out empty."""
    blocked = set(empty)
    for stage in stages:  # each stands behind what it needs
        if blocked.intersection(stage.needs):
            blocked.add(stage.name)
    return blocked


def is_control(name: str) -> bool:
    """Whether a stage belongs to the control, which START does without."""
    return name.startswith("control/")


def _start(context: Any, run: Path, stage: Stage, workers: int) -> Running:
    """A process for one stage."""
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run_stage, args=(run, stage, workers, sender), name=stage.name)
    process.start()
    sender.close()
    return Running(stage, process, receiver)


def _listen(
    running: dict[str, Running], done: dict[str, Marker], empty: dict[str, str], display: Display, forecast: Forecast
) -> None:
    """Take in what the processes say, for at most one tick."""
    ready = wait([item.pipe for item in running.values()], timeout=_TICK_S)
    for item in [item for item in running.values() if item.pipe in ready]:
        message: tuple[object, ...] | None = None
        with contextlib.suppress(EOFError, OSError):
            while item.pipe.poll():
                message = item.pipe.recv()
                if message[0] != "progress":
                    break
                item.progress = message[1] if isinstance(message[1], Progress) else None
                message = ("progress",)
        name = item.stage.name
        if message is not None and message[0] == "progress":
            continue
        if message is not None and message[0] == "done":
            item.process.join()
            done[name] = Marker.model_validate_json(str(message[1]))
            del running[name]
            forecast.finished(item.stage, time.monotonic() - item.started)
            display.stage_finished(item.stage, done[name])
            continue
        item.process.join()
        if message is not None and message[0] == "empty":
            empty[name] = str(message[2])
            del running[name]
            continue
        log = f"logs/{name.replace('/', '.')}.log"
        if message is not None:
            raise StageFailed(f"stage {name}: {message[2]} ({log})", int(str(message[1])))
        raise StageFailed(
            f"stage {name} was killed (exit code {item.process.exitcode}); run the same command again ({log})", 1
        )
