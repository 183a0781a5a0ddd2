"""Worker processes, kept from one rollout to the next: the second one does not wait for imports again."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from pathlib import Path

from selftaught.engines.dtype import takes_two_bytes
from selftaught.errors import EngineError
from selftaught.heap import LARGE_PAGES
from selftaught.rollouts.worker import Ready, Setup, weights_stamp
from selftaught.tokens.folder import is_url, resolve_model

_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
    **LARGE_PAGES,
}


_PROGRAM = "from selftaught.rollouts.worker import main; main()"


class WorkerProcess:
    """One child process and the parent's end of its socket."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        package_root = str(Path(__file__).resolve().parents[2])
        paths = [package_root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        environment = {**os.environ, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environment,
        )
        theirs.close()
        self.connection = Connection(ours.detach())

    def is_alive(self) -> bool:
        """True while the process runs."""
        return self.process.poll() is None

    def close(self) -> None:
        """End the process; it is given a moment to close its sandbox."""
        with contextlib.suppress(OSError, ValueError):
            self.connection.send("close")
        try:
            self.process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.connection.close()


class WorkerPool:
    """``num`` workers, started when first needed."""

    def __init__(self) -> None:
        self.workers: list[WorkerProcess] = []
        self._memory: int | None = None
        self._memory_key: tuple[object, ...] = ()

    def ensure(self, num: int) -> list[WorkerProcess]:
        """At least ``num`` living workers; the first ``num`` of them."""
        living = [worker for worker in self.workers if worker.is_alive()]
        for dead in set(self.workers) - set(living):
            dead.connection.close()
        while len(living) < num:
            living.append(WorkerProcess())
        self.workers = living
        return living[:num]

    def replace(self, worker: WorkerProcess) -> WorkerProcess:
        """A fresh worker instead of a dead one."""
        if worker in self.workers:
            self.workers.remove(worker)
        worker.close()
        fresh = WorkerProcess()
        self.workers.append(fresh)
        return fresh

    def setup(self, workers: list[WorkerProcess], setup: Setup, timeout_s: float = 600.0) -> None:
        """Send the set-up to all and wait for all. Raises what a worker could not do."""
        setup = replace(setup, share=self._memory_for(setup))
        for worker in workers:
            worker.connection.send(setup)
        missing = {worker.connection: worker for worker in workers}
        while missing:
            ready = wait(list(missing), timeout=timeout_s)
            if not ready:
                self.close()
                raise EngineError(f"a worker was not ready within {timeout_s:g} s.")
            for connection in ready:
                assert isinstance(connection, Connection)
                try:
                    answer = connection.recv()
                except (EOFError, OSError):
                    code = missing[connection].process.wait()
                    self.close()
                    raise EngineError(f"a worker process ended with code {code} while loading the model.") from None
                if not isinstance(answer, Ready):
                    continue  # left over from an interrupted run
                del missing[connection]
                if answer.error is not None:
                    raise answer.error
                if answer.message:
                    raise EngineError(f"a worker failed to start: {answer.message}")

    def _memory_for(self, setup: Setup) -> str | None:
        """The path of a memory file for the model's weights; None where one worker has the model for itself, or a
        server.

        The file takes memory only when a worker writes weights into it. It is named by this process's open descriptor,
        so nothing lies on a disk, and nothing is left when the processes are gone.
        """
        if len(self.workers) < 2 or is_url(setup.model) or not hasattr(os, "memfd_create"):
            return None
        if len(self.workers) == 2 and takes_two_bytes(resolve_model(setup.model), setup.settings.engine.dtype):
            return None  # two copies in 16 bits are as large as one in float32, and packed they are faster
        key = (setup.model, setup.settings.engine.dtype, weights_stamp(setup.model))
        if self._memory is None or self._memory_key != key:
            self._forget_memory()
            self._memory, self._memory_key = os.memfd_create("selftaught-weights"), key
        return f"/proc/{os.getpid()}/fd/{self._memory}"

    def _forget_memory(self) -> None:
        if self._memory is not None:
            os.close(self._memory)
            self._memory = None

    def close(self) -> None:
        """End all workers."""
        self._forget_memory()
        for worker in self.workers:
            worker.close()
        self.workers = []


_pool: WorkerPool | None = None


def shared_pool() -> WorkerPool:
    """The pool of this process, closed at its end."""
    global _pool
    if _pool is None:
        _pool = WorkerPool()
        atexit.register(_pool.close)
    return _pool
