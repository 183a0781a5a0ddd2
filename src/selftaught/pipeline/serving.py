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
from selftaught.parent import die_with_parent
from selftaught.pipeline.recipe import Serving
from selftaught.training.machines import Cluster, on_host

_POLL_S = 1.0
_STOP_WAIT_S = 20.0


@contextlib.contextmanager
def served(model: str, serving: Serving, logs: Path, cluster: Cluster | None = None) -> Iterator[str]:
    """Base URLs of ``serving.replicas`` servers of ``model``, comma-separated, as the HTTP engine takes them.

    Each runs ``serving.command`` with its own port and environment and writes to ``logs``. EngineError when one ends or
    does not answer in time. They end with this context, and with this process however that ends.
    """
    cluster = cluster or Cluster()
    logs.mkdir(parents=True, exist_ok=True)
    if Path(model).is_dir():
        model = str(Path(model).resolve())
    bases = [url(serving, cluster, replica) for replica in range(serving.replicas)]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for replica in range(serving.replicas):
            processes.append(_start(model, serving, cluster, replica, logs))
        deadline = time.monotonic() + serving.ready_timeout_s
        for replica, process in enumerate(processes):
            _wait_ready(process, bases[replica], deadline, logs / f"server{replica}.log")
        yield ",".join(bases)
    finally:
        _stop(processes)


def url(serving: Serving, cluster: Cluster, replica: int) -> str:
    """Base URL of one replica, as every host reaches it."""
    host, _ = place(serving, cluster, replica)
    return f"http://{host or '127.0.0.1'}:{serving.first_port + replica}/v1"


def place(serving: Serving, cluster: Cluster, replica: int) -> tuple[str, list[int]]:
    """(host, GPUs) of one replica: hosts are filled one after another.

    Host "" is this machine, no GPUs means all of them.
    """
    hosts = cluster.hosts or [""]
    size = serving.gpus_per_replica
    if not size:
        return hosts[replica % len(hosts)], []
    host, seat = divmod(replica, cluster.gpus_per_host // size)
    return hosts[host], list(range(seat * size, (seat + 1) * size))


def _start(model: str, serving: Serving, cluster: Cluster, replica: int, logs: Path) -> subprocess.Popen[bytes]:
    """One server in a process group of its own."""
    host, gpus = place(serving, cluster, replica)
    port, listed = str(serving.first_port + replica), ",".join(map(str, gpus))
    fields = {"model": model, "name": model, "port": port, "replica": str(replica), "gpus": listed, "host": host}
    words = [word.format(**fields) for word in shlex.split(serving.command)]
    environment = {key: value.format(**fields) for key, value in serving.environment.items()}
    if gpus:
        environment = {"CUDA_VISIBLE_DEVICES": listed, **environment}
    words = on_host(cluster, host, words, environment)
    with (logs / f"server{replica}.log").open("ab") as log:
        try:
            return subprocess.Popen(
                words,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
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
    """Send SIGTERM, then SIGKILL, to whole process groups: servers start worker processes of their own."""
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
