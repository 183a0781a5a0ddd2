"""Scheduler: runs the stages that are ready, up to ``parallel`` at a time, each in a process of its own.

The order of the list decides between stages that are ready at the same time. Stages that are done already are skipped.
A stage that fails stops the run, and the stages beside it are killed: each of them resumes later. A data set without
rows is no failure. When it is the control's, the run goes on without the control; when it is START's own, the run ends
there. All state is in files, so this process may be killed at any point.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Sequence
from graphlib import TopologicalSorter
from multiprocessing.connection import wait
from typing import Any

from selftaught.heap import use_large_pages
from selftaught.pipeline.child import PRELOAD, run_stage
from selftaught.pipeline.markers import Marker, finished
from selftaught.pipeline.outcome import Running, RunOutcome, StageFailed
from selftaught.pipeline.progress import Display, Forecast
from selftaught.pipeline.stages import Stage
from selftaught.progress import Progress
from selftaught.runs.folders import RunFolder
from selftaught.runs.stages import StageRef

_TICK_S = 0.5
"""Seconds between two looks at the stages, so that the display moves."""


class ReadySet:
    """The stages that may start: everything that they need is done. The earlier in the list, the sooner."""

    def __init__(self, stages: list[Stage], done: dict[str, Marker]) -> None:
        self._stages = {stage.ref: stage for stage in stages}
        self._order = {stage.ref: place for place, stage in enumerate(stages)}
        self._sorter = TopologicalSorter({stage.ref: stage.needs for stage in stages})
        self._sorter.prepare()
        self._done = {stage.ref for stage in stages if stage.name in done}
        self._waiting: list[StageRef] = []
        self._take_in()

    def take(self) -> Stage | None:
        """The next stage to start, or None while none is ready."""
        return self._stages[self._waiting.pop(0)] if self._waiting else None

    def finish(self, stage: Stage) -> None:
        """Say that a stage is done."""
        self._sorter.done(stage.ref)
        self._take_in()

    def _take_in(self) -> None:
        """Collect the stages that have become ready.

        One that an earlier call has done makes its successors ready at once.
        """
        while ready := self._sorter.get_ready():
            self._waiting += [ref for ref in ready if ref not in self._done]
            self._sorter.done(*(ref for ref in ready if ref in self._done))
        self._waiting.sort(key=self._order.__getitem__)


def run_stages(
    run: RunFolder,
    stages: list[Stage],
    *,
    parallel: int,
    workers: int,
    forecast: Forecast,
    display: Display,
    start_method: str = "forkserver",
    reuse: Sequence[RunFolder] = (),
) -> RunOutcome:
    """Run everything that is not done; return all markers. Raises StageFailed with the first failing stage's error.

    ``reuse``: other runs, whose finished stages are taken over where they are the same.
    """
    done = finished(run, stages)
    forecast.start(stages, done, parallel)
    use_large_pages()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    context = multiprocessing.get_context(start_method)
    if start_method == "forkserver":
        context.set_forkserver_preload(PRELOAD)
    running: dict[str, Running] = {}
    empty: dict[StageRef, str] = {}
    ready = ReadySet(stages, done)
    try:
        while True:
            while len(running) < parallel and (stage := ready.take()) is not None:
                running[stage.name] = _start(context, run, stage, workers, reuse)
                display.stage_started(stage)
            if not running:  # all is done, or what is left needs a data set that came out empty
                break
            for stage in _listen(running, done, empty, display, forecast):
                ready.finish(stage)
            if any(not ref.is_control for ref in empty):
                break
            display.show(forecast, running, done)
    finally:
        for item in running.values():
            item.process.kill()
        for item in running.values():
            item.process.join()
    return RunOutcome(done, empty)


def _start(context: Any, run: RunFolder, stage: Stage, workers: int, reuse: Sequence[RunFolder]) -> Running:
    """A process for one stage."""
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run_stage, args=(run, stage, workers, sender, reuse), name=stage.name)
    process.start()
    sender.close()  # the child has its own; while ours is open the pipe would never end when the child dies
    return Running(stage, process, receiver, run.relative(run.log(stage.ref)))


def _listen(
    running: dict[str, Running],
    done: dict[str, Marker],
    empty: dict[StageRef, str],
    display: Display,
    forecast: Forecast,
) -> list[Stage]:
    """Take in what the processes say, for at most one tick; the stages that ended well."""
    ended: list[Stage] = []
    ready = wait([item.pipe for item in running.values()], timeout=_TICK_S)
    for item in [item for item in running.values() if item.pipe in ready]:
        message: tuple[object, ...] | None = None
        with contextlib.suppress(EOFError, OSError):
            # Only the newest snapshot counts, but a last message (done, empty, failed) must not be read past.
            while item.pipe.poll():
                message = item.pipe.recv()
                if message[0] != "progress":
                    break
                item.progress = message[1] if isinstance(message[1], Progress) else None
                message = ("progress",)
        # No message from a pipe that is ready means end of file: the process died without a word.
        name = item.stage.name
        if message is not None and message[0] == "progress":
            continue
        if message is not None and message[0] == "done":
            item.process.join()
            done[name] = Marker.model_validate_json(str(message[1]))
            del running[name]
            forecast.finished(item.stage, time.monotonic() - item.started)
            display.stage_finished(item.stage, done[name])
            ended.append(item.stage)
            continue
        item.process.join()
        if message is not None and message[0] == "empty":
            empty[item.stage.ref] = str(message[2])
            del running[name]
            continue
        log = item.log
        if message is not None:
            raise StageFailed(f"stage {name}: {message[2]} ({log})", int(str(message[1])))
        raise StageFailed(
            f"stage {name} was killed (exit code {item.process.exitcode}); run the same command again ({log})", 1
        )
    return ended
