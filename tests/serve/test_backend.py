"""A server in front of another one: same answers, its disconnect, and what is said when it is down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.engines.loopback import Thread
from tests.engines.small_server import SmallServer

from selftaught.engines.local import LocalEngine
from selftaught.serve.backend import Backend
from selftaught.tokens.folder import embedded_folder

from .living import QUESTION, Living, living, opened, wait_for

ASKED = {"model": "toy:hint", "messages": [{"role": "user", "content": QUESTION}]}


@pytest.fixture
def upstream() -> Iterator[Thread]:
    folder = embedded_folder()
    thread = Thread(SmallServer(LocalEngine(Path(folder), max_rows=8), str(folder)))
    yield thread
    thread.stop()


@pytest.fixture
def relay(upstream: Thread) -> Iterator[Living]:
    with opened(upstream.server.url) as backend, living(backend) as server:
        yield server


def test_the_answers_are_those_of_the_model_here(relay: Living, server: Living) -> None:
    through, here = (
        httpx2.post(f"{one.url}/chat/completions", json=ASKED, timeout=60).json() for one in (relay, server)
    )
    assert through["choices"] == here["choices"] and through["usage"] == here["usage"]
    assert httpx2.get(f"{relay.root}/ready", timeout=20).status_code == 200


def test_a_client_that_hangs_up_is_a_disconnect_upstream(relay: Living, upstream: Thread) -> None:
    small = upstream.server
    body = {**ASKED, "model": "toy:no-tools", "stream": True, "n": 4, "temperature": 1.8, "seed": 1}
    with httpx2.Client(timeout=60) as http, http.stream("POST", f"{relay.url}/chat/completions", json=body) as response:
        for line in response.iter_lines():
            if "reasoning" in line:
                break
    wait_for(lambda: small.num_streams == 0)
    said = small.num_said
    wait_for(lambda: relay.server.admission.num_running == 0)
    assert small.num_said - said < 40


def test_not_ready_when_the_model_server_is_down(relay: Living, upstream: Thread) -> None:
    upstream.call(upstream.server.stop())
    answer = httpx2.get(f"{relay.root}/ready", timeout=20)
    assert (
        answer.status_code == 503
        and answer.json()["sandbox"] == "ok"
        and upstream.server.url[:-3] in answer.json()["engine"]
    )
    assert httpx2.get(f"{relay.root}/health", timeout=20).status_code == 200
    upstream.call(upstream.server.start())
    assert httpx2.get(f"{relay.root}/ready", timeout=20).status_code == 200


def test_a_backend_closes_what_runs(backend: Backend) -> None:
    with opened(max_rows=2) as one:
        process = one.sandbox
        assert process is not None and one.loop.is_running()
    assert one.loop.is_closed() and one.sandbox is None
    one.close()
    assert backend.loop.is_running()
