"""A server on a loopback port, in a thread of the test process."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from selftaught.rollouts.settings import RolloutSettings
from selftaught.serve.app import create_app
from selftaught.serve.backend import Backend
from selftaught.serve.models import catalog_of
from selftaught.serve.options import ServeOptions
from selftaught.serve.recording import Recorder
from selftaught.serve.server import Server

QUESTION = "What is the remainder when 7^2023 is divided by 1000?"
"""Answered wrongly (227) by hand and rightly (343) with Python."""


class Living:
    """The address of a server, and the server itself."""

    def __init__(self, server: Server, root: str) -> None:
        self.server, self.root, self.url = server, root, f"{root}/v1"


@contextlib.contextmanager
def opened(model: str = "toy", **settings: Any) -> Iterator[Backend]:
    """An open model with its sandbox."""
    backend = Backend(
        model, RolloutSettings(**{"condition": "serve", "max_rows": 16, "sandbox_workers": 2, **settings})
    )
    backend.start()
    try:
        yield backend
    finally:
        backend.close()


@contextlib.contextmanager
def living(
    backend: Backend, options: ServeOptions | None = None, settings: RolloutSettings | None = None
) -> Iterator[Living]:
    """A server over ``backend``, which stays open."""
    options = options or ServeOptions()
    catalog = catalog_of("toy", settings or backend.settings, backend.manner, backend.engine.max_context)
    recorder = Recorder(options.record, backend.model) if options.record is not None else None
    server = Server(backend, catalog, options, recorder)
    listening = socket.create_server(("127.0.0.1", 0))

    class Quiet(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    running = Quiet(uvicorn.Config(create_app(server), log_level="error", lifespan="off", ws="none"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not running.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield Living(server, f"http://127.0.0.1:{listening.getsockname()[1]}")
    finally:
        running.should_exit = True
        thread.join(timeout=20)
        listening.close()
        if recorder is not None:
            recorder.close()


def wait_for(condition: Any, patience_s: float = 10.0) -> None:
    """Until ``condition()`` holds."""
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.02)


def lines_of(path: Path) -> int:
    """Whole lines of a file."""
    return path.read_bytes().count(b"\n") if path.exists() else 0
