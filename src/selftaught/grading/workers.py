"""A pool of killable maths workers.

``check`` may be called from any number of threads; each call borrows one process. A worker that does not answer within
``kill_s`` is killed with its group and replaced; its pair counts as not equal and says why. Never in threads: a
computation inside sympy cannot be stopped there.
"""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from selftaught.errors import MissingPartError

TIMEOUT_S = 2.5
"""A pair's own CPU time in the worker."""
KILL_S = 5.0
"""Wall time after which the parent kills a worker whose alarm was not heard."""
START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class MathVerdict:
    """``equal``, and in ``reason`` why not when the worker could not tell: timeout, killed, memory, died, …"""

    equal: bool
    reason: str = ""


class MathWorkers:
    """``num_workers`` processes that run math-verify, started when first needed."""

    def __init__(self, num_workers: int = 1, timeout_s: float = TIMEOUT_S, kill_s: float = KILL_S) -> None:
        self.timeout_s = timeout_s
        self.kill_s = kill_s
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(max(1, num_workers)):
            self._idle.put(None)
        self.num_killed = 0

    def check(self, gold: str, prediction: str) -> MathVerdict:
        """math-verify's verdict on two normalised answers, within ``kill_s`` and a restart."""
        worker = self._idle.get()
        try:
            if worker is None or not worker.is_alive():
                worker = _Worker(self.timeout_s)
            try:
                return worker.ask(gold, prediction, self.kill_s)
            except _WorkerLost as lost:
                self.num_killed += 1
                worker = worker.renewed()
                return MathVerdict(False, str(lost))
        finally:
            self._idle.put(worker)

    def warm_up(self) -> None:
        """Start one worker now, so that its import time is not part of the first pair."""
        self.check("1", "1")

    def close(self) -> None:
        """Kill all workers that are not in use."""
        workers: list[_Worker] = []
        try:
            while True:
                worker = self._idle.get_nowait()
                if worker is not None:
                    workers.append(worker)
        except queue.Empty:
            pass
        for worker in workers:
            worker.kill()
            self._idle.put(None)

    def __enter__(self) -> MathWorkers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _WorkerLost(Exception):
    """The worker died or had to be killed."""


class _Worker:
    """One process and its two pipes."""

    def __init__(self, timeout_s: float, start: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen) -> None:
        environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", PYTHONHASHSEED="0")
        package_root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package_root, environment.get("PYTHONPATH", "")]))
        self._process = start(
            [sys.executable, "-m", "selftaught.grading.math_worker", str(timeout_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,
        )
        self._unread = b""
        self._child = 0
        """The process that works; 0 until it said that it is ready."""

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, gold: str, prediction: str, kill_s: float) -> MathVerdict:
        assert self._process.stdin is not None
        if not self._child:
            self._wait_until_ready()
        deadline = time.monotonic() + kill_s
        try:
            self._process.stdin.write(json.dumps({"gold": gold, "prediction": prediction}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise _WorkerLost("died") from None
        answer = json.loads(self._read_line(deadline - time.monotonic()))
        return MathVerdict(bool(answer["equal"]), str(answer["reason"]))

    def _wait_until_ready(self) -> None:
        """Its import of math-verify is not part of a pair's time."""
        try:
            while not (line := self._read_line(START_TIMEOUT_S)).startswith(b"ready"):
                pass  # an answer that the one before gave too late
            self._child = int(line.split()[1])
        except _WorkerLost as lost:
            self.kill()
            raise MissingPartError(f"the maths worker did not start ({lost}); is math-verify installed?") from None

    def renewed(self) -> _Worker | None:
        """This worker with a fresh child in place of the one that hangs or died; None when all of it is gone."""
        try:
            if self._child:
                os.kill(self._child, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._child, self._unread = 0, b""
        if self.is_alive():
            return self
        self.kill()
        return None

    def _read_line(self, timeout_s: float) -> bytes:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        deadline = time.monotonic() + timeout_s
        poll = select.poll()
        poll.register(pipe, select.POLLIN | select.POLLHUP)
        while b"\n" not in self._unread:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise _WorkerLost("killed")
            data = os.read(pipe, 1 << 16)
            if not data:
                raise _WorkerLost("died")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    pass
