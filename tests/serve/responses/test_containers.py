"""Containers over the wire: state from request to request, keys, loss of state, bounds; and a client that hangs up."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import NotFoundError, OpenAI, RateLimitError
from openai.types import ContainerCreateResponse, ContainerRetrieveResponse

from selftaught.rollouts.tools import RESTARTED
from selftaught.serve.backend import Backend
from selftaught.serve.containers import EVICTED, EXPIRED
from selftaught.serve.containers import RESTARTED as RESTART

from .scripted import Server

OWNER = hashlib.sha256(b"key-a").hexdigest()[:16]


def client_of(server: Server, key: str = "key-a") -> OpenAI:
    return OpenAI(base_url=server.url, api_key=key, max_retries=0)


def run(client: OpenAI, container: Any, *codes: str, **fields: Any) -> Any:
    """Have the model run ``codes``; the response."""
    question = fields.pop("input", "Run " + " ".join(f"⟦{code}⟧" for code in codes))
    tools: list[Any] = [{"type": "code_interpreter", "container": container}]
    return client.responses.create(model="scripted", input=question, tools=tools, **fields)


def calls(response: Any) -> list[Any]:
    return [item for item in response.output if item.type == "code_interpreter_call"]


def logs(response: Any) -> list[str]:
    return [item.outputs[0].logs for item in calls(response)]


@pytest.fixture
def small(backend: Backend) -> Iterator[Server]:
    """A server with room for two containers, which expire after half a second."""
    found = Server(backend, max_containers=2, container_idle_s=0.5)
    yield found
    found.stop()


@pytest.fixture
def patient(backend: Backend) -> Iterator[Server]:
    """A server with room for two containers."""
    found = Server(backend, max_containers=2)
    yield found
    found.stop()


def test_state_is_kept_from_request_to_request(server: Server) -> None:
    client = client_of(server)
    container = client.containers.create(name="mine", expires_after={"anchor": "last_active_at", "minutes": 5})
    ContainerCreateResponse.model_validate(container.model_dump())
    assert (container.name, container.status, container.expires_after.minutes) == ("mine", "running", 5)
    assert logs(run(client, container.id, "x = 41", "open('f', 'w').write('kept')")) == ["", "4\n"]
    later = run(client, container.id, "x + 1", "open('f').read()")
    assert logs(later) == ["42\n", "'kept'\n"] and {call.container_id for call in calls(later)} == {container.id}
    ContainerRetrieveResponse.model_validate(client.containers.retrieve(container.id).model_dump())
    assert container.id in [each.id for each in client.containers.list()]
    client.containers.delete(container.id)
    with pytest.raises(NotFoundError):
        client.containers.retrieve(container.id)
    with pytest.raises(NotFoundError, match="not found"):
        run(client, container.id, "1")


def test_auto_takes_the_container_of_earlier_code(server: Server) -> None:
    client = client_of(server)
    first = run(client, {"type": "auto"}, "secret = 'blue'")
    history = [{"role": "user", "content": "Run it"}, *[item.model_dump() for item in first.output]]
    again = run(client, {"type": "auto"}, input=[*history, {"role": "user", "content": "Now ⟦secret⟧"}])
    assert logs(again) == ["'blue'\n"]
    by_id = run(client, {"type": "auto"}, input="And ⟦secret * 2⟧", previous_response_id=again.id)
    assert logs(by_id) == ["'blueblue'\n"]


def test_another_key_is_told_that_there_is_no_such_container(server: Server) -> None:
    container = client_of(server).containers.create(name="a")
    other = client_of(server, "key-b")
    for use in (
        lambda: run(other, container.id, "1"),
        lambda: other.containers.retrieve(container.id),
        lambda: other.containers.delete(container.id),
        lambda: run(other, "cntr_" + "0" * 48, "1"),
        lambda: run(other, "cntr_nonsense", "1"),
    ):
        with pytest.raises(NotFoundError) as caught:
            use()
        assert caught.value.code == "container_not_found"
    assert container.id not in [each.id for each in other.containers.list()]


def test_code_of_another_keys_container_runs_in_a_new_one_that_says_so(server: Server) -> None:
    first = run(client_of(server), {"type": "auto"}, "secret = 1")
    history = [{"role": "user", "content": "Run it"}, *[item.model_dump() for item in first.output]]
    second = run(
        client_of(server, "key-b"), {"type": "auto"}, input=[*history, {"role": "user", "content": "⟦secret⟧"}]
    )
    assert logs(second)[0].startswith(RESTARTED) and "NameError" in logs(second)[0]
    assert calls(second)[0].container_id != calls(first)[0].container_id


def test_a_restart_of_the_server_is_told(backend: Backend) -> None:
    before = Server(backend)
    name = calls(run(client_of(before), {"type": "auto"}, "x = 1"))[0].container_id
    before.stop()
    after = Server(backend)
    try:
        client = client_of(after)
        assert client.containers.retrieve(name).status == "expired"
        response = run(client, name, "'x' in globals()", "2")
        assert logs(response) == [f"{RESTARTED}False\n", "2\n"], "said once, to the model as to the client"
        assert response.start["container"] == {"id": name, "state_lost": RESTART}
        assert [getattr(call, "start", None) for call in calls(response)] == [{"state_lost": RESTART}, None]
        with pytest.raises(NotFoundError):
            run(client_of(after, "key-b"), name, "1")
    finally:
        after.stop()


def test_an_idle_container_expires_and_says_so(small: Server) -> None:
    client = client_of(small)
    name = calls(run(client, {"type": "auto"}, "x = open('f', 'w')"))[0].container_id
    deadline = time.monotonic() + 20
    while len(small.service.containers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert client.containers.retrieve(name).status == "expired"
    response = run(client, name, "1")
    assert logs(response)[0].startswith(RESTARTED) and response.start["container"]["state_lost"] == EXPIRED


def test_the_number_of_containers_is_bounded(patient: Server) -> None:
    client = client_of(patient)
    first = run(client, {"type": "auto"}, "x = 1")
    for _ in range(3):
        run(client, {"type": "auto"}, "1")
    assert len(patient.service.containers) == 2
    again = run(client, calls(first)[0].container_id, "1")
    assert again.start["container"]["state_lost"] == EVICTED
    for container in patient.service.containers.listed(OWNER):
        container.num_busy += 1
    with pytest.raises(RateLimitError) as caught:
        client.containers.create(name="no room")
    assert caught.value.response.headers["retry-after"]
    for container in patient.service.containers.listed(OWNER):
        container.num_busy -= 1


def test_a_killed_interpreter_is_told_in_the_next_request(server: Server) -> None:
    client = client_of(server)
    name = client.containers.create(name="k").id
    killed = run(client, name, "import os\nos._exit(3)")
    assert calls(killed)[0].status in ("failed", "completed") and logs(killed)[0]
    response = run(client, name, "1")
    assert logs(response)[0].endswith("1\n")


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_hangs_up_in_mid_code_leaves_nothing_running(server: Server, stream: bool) -> None:
    name = calls(run(client_of(server), {"type": "auto"}, "x = open('f', 'w')"))[0].container_id
    body = {
        "model": "scripted",
        "input": "⟦import os\nwhile True: pass⟧",
        "stream": stream,
        "tools": [{"type": "code_interpreter", "container": name}],
    }
    headers = {"authorization": "Bearer key-a"}
    with pytest.raises(httpx2.TimeoutException), httpx2.Client(timeout=httpx2.Timeout(1.5)) as client:
        with client.stream("POST", f"{server.url}/responses", json=body, headers=headers) as response:
            for _ in response.iter_bytes():
                pass
    deadline = time.monotonic() + 10
    while burning() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not burning(), "the code still runs"
    assert server.app.state.server.admission.num_running == 0
    later = run(client_of(server), name, "'x' in globals()")
    assert "cancelled" in logs(later)[0] and logs(later)[0].endswith("False\n"), "lost state is told"
    assert calls(later)[0].start["state_lost"]


def burning() -> list[int]:
    """Processes that descend from this one and use the processor whenever one looks; others do so for a moment."""
    found = set(_running())
    for _ in range(8):
        if found:
            time.sleep(0.05)
            found.intersection_update(_running())
    return sorted(found)


def _running() -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] == "R" and int(name) != os.getpid() and _descends(int(name)):
            found.append(int(name))
    return found


def _descends(pid: int) -> bool:
    while pid > 1:
        if pid == os.getpid():
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False
