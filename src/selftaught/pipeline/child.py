"""The process of one stage: it dies with the run, holds the stage's lock, and reports progress over a pipe.

A fork server imports the heavy libraries once. Each stage is a fork of it, so that twenty stages do not import PyTorch
twenty times. Each process has one thread: at these sizes two OpenMP threads can be many times slower than one.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection

from selftaught.errors import EmptyDataError, SelftaughtError
from selftaught.parent import die_with_parent
from selftaught.pipeline import perform as performing
from selftaught.pipeline.markers import write_marker
from selftaught.pipeline.reuse import take_over
from selftaught.pipeline.stages import Stage
from selftaught.progress import Progress
from selftaught.runs.folders import RunFolder
from selftaught.runs.lock import WriterLock

PRELOAD = ["torch", "transformers", "selftaught.training.trainer"]
"""Imported once by the fork server."""

_LOCK_WAIT_S = 30.0
"""Seconds to wait for the lock of a predecessor that is just being killed."""
_PROGRESS_EVERY_S = 0.2


def run_stage(run: RunFolder, stage: Stage, workers: int, pipe: Connection, reuse: Sequence[RunFolder] = ()) -> None:
    """Entry point of the child: perform, write the marker, say how it went over ``pipe``.

    ``reuse``: other runs, from which the stage is taken over where that gives the same.
    """
    die_with_parent()
    die_with_reader(pipe)
    # The fork server may pass on signals that the parent blocks or handles.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    log = run.log(stage.ref)
    log.parent.mkdir(parents=True, exist_ok=True)
    # By file descriptor, so that what C libraries and subprocesses print lands in the log as well.
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", buffering=1, closefd=False)
    started = time.monotonic()
    last = 0.0

    def progress(now: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= _PROGRESS_EVERY_S or now.finished:
            last = time.monotonic()
            with contextlib.suppress(OSError):
                pipe.send(("progress", replace(now, what=stage.name, finished=False)))

    try:
        # The run's own lock ends with the scheduler. A stage that outlives it for a moment still writes, so it has its
        # own.
        with WriterLock(run.stage_lock(stage.ref), f"run, stage {stage.name}", wait_s=_LOCK_WAIT_S):
            marker = take_over(run, stage, reuse)
            if marker is None:
                result = performing.perform(run, stage, workers, progress)
                marker = write_marker(run, stage, result, time.monotonic() - started)
        pipe.send(("done", marker.model_dump_json()))
    except EmptyDataError as error:
        print(f"selftaught: {error}", file=sys.stderr)
        pipe.send(("empty", error.exit_code, str(error)))
    except SelftaughtError as error:
        traceback.print_exc()
        pipe.send(("failed", error.exit_code, str(error)))
    except BaseException as error:
        traceback.print_exc()
        pipe.send(("bug", 1, f"{type(error).__name__}: {error}"))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def die_with_reader(pipe: Connection) -> None:
    """Kill this process once nobody can read what it writes into ``pipe``: the scheduler is gone, however it went.

    The parent alone tells too little. It is the fork server, which lives as long as any of its children.
    """

    def watch() -> None:
        poller = select.poll()
        poller.register(pipe.fileno(), 0)  # no event but the one that cannot be left out: nobody reads
        poller.poll()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="die-with-reader", daemon=True).start()
