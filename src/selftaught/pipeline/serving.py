"""Serving: start the replicas of a model server for one rollout stage, wait until they answer, stop them afterwards."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from selftaught.errors import EngineError
from selftaught.pipeline.child import die_with_parent
from selftaught.pipeline.recipe import Serving

_POLL_S = 1.0
_STOP_WAIT_S = 20.0


@contextlib.contextmanager
def served(model: str, serving: Serving, logs: Path) -> Iterator[str]:
    """Base URLs of ``serving.replicas`` servers of ``model``, comma-separated, as the HTTP engine takes them.

    Each runs ``serving.command`` with its own port and environment and writes to ``logs``. EngineError when one ends or does
    not answer in time. They end with this context, and with this process however that ends.
    """
    logs.mkdir(parents=True, exist_ok=True)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for replica in range(serving.replicas):
            processes.append(_start(model, serving, replica, logs))
        deadline = time.monotonic() + serving.ready_timeout_s
        for replica, process in enumerate(processes):
            _wait_ready(process, url(serving, replica), deadline, logs / f"server{replica}.log")
        yield ",".join(url(serving, replica) for replica in range(serving.replicas))
    finally:
        _stop(processes)


def url(serving: Serving, replica: int) -> str:
    """Base URL of one replica."""
    return f"http://127.0.0.1:{serving.first_port + replica}/v1"


def _start(model: str, serving: Serving, replica: int, logs: Path) -> subprocess.Popen[bytes]:
    """One server in a process group of its own."""
    fields = {"model": model, "name": model, "port": str(serving.first_port + replica), "replica": str(replica)}
    words = [word.format(**fields) for word in shlex.split(serving.command)]
    environment = {key: value.format(**fields) for key, value in serving.environment.items()}
    with (logs / f"server{replica}.log").open("ab") as log:
        try:
            return subprocess.Popen(
                words,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment},
                process_group=0,
                preexec_fn=die_with_parent,
            )
        except OSError as error:
            raise EngineError(
                f"serving.command: {words[0]!r} cannot be started ({error.strerror}); install it, or name its path."
            ) from None


def _wait_ready(process: subprocess.Popen[bytes], base: str, deadline: float, log: Path) -> None:
    """Until ``GET /v1/models`` answers."""
    while True:
        if process.poll() is not None:
            raise EngineError(f"the server at {base} ended with exit code {process.returncode}; see {log}.")
        try:
            with urllib.request.urlopen(f"{base}/models", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        if time.monotonic() > deadline:
            raise EngineError(
                f"the server at {base} did not answer in time; see {log}, or raise serving.ready_timeout_s."
            )
        time.sleep(_POLL_S)


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask nicely, then kill, whole process groups."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_WAIT_S
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
