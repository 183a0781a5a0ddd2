"""The verb ``serve``: a process of its own, its signals, its refusals, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.conftest import RunCli
from tests.engines.loopback import Thread
from tests.engines.small_server import SmallServer

from selftaught.engines.local import LocalEngine
from selftaught.manner import Decoding, Manner
from selftaught.rollouts.settings import RolloutSettings
from selftaught.serve.defaults import for_serve
from selftaught.serve.models import catalog_of, served_name
from selftaught.tokens.folder import embedded_folder

from .living import QUESTION, wait_for

BODY = {"model": "toy:hint", "messages": [{"role": "user", "content": QUESTION}]}


class Process:
    """``selftaught serve`` as a user starts it."""

    def __init__(self, *options: str, **environment: str) -> None:
        model = () if "--model" in options else ("--model", "toy")
        command = [sys.executable, "-m", "selftaught", "serve", *model, "--port", "0", *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Exit code and what was said on stderr."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


@pytest.fixture
def started() -> Iterator[list[Process]]:
    """Processes that are killed if a test leaves them."""
    processes: list[Process] = []
    yield processes
    for one in processes:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def below(pid: int) -> set[int]:
    """Processes below one, of any of its threads."""
    found: set[int] = set()
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, tasks.read_text().split()):
            found |= {child, *below(child)}
    return found


def test_a_stop_finishes_what_is_in_flight_and_is_a_success(started: list[Process], tmp_path: Path) -> None:
    one = Process("--record", str(tmp_path / "run"), "--served-model-name", "mine", SELFTAUGHT_API_KEY="sk-test")
    started.append(one)
    headers = {"Authorization": "Bearer sk-test"}
    with httpx2.Client(timeout=60, headers=headers) as http:
        assert httpx2.get(f"{one.url}/models").status_code == 401
        names = [model["id"] for model in http.get(f"{one.url}/models").json()["data"]]
        assert names == ["mine", "mine:hint", "mine:no-tools"]
        assert http.get(one.url.replace("/v1", "/ready")).status_code == 200
        with http.stream(
            "POST", f"{one.url}/chat/completions", json={**BODY, "model": "mine:hint", "stream": True}
        ) as r:
            pieces = r.iter_bytes()
            text = next(pieces)
            one.process.send_signal(signal.SIGTERM)
            text += b"".join(pieces)
    assert b'"finish_reason":"stop"' in text and text.endswith(b"data: [DONE]\n\n")
    _, said = one.process.communicate(timeout=60)
    assert one.process.returncode == 0 and "Traceback" not in said and QUESTION not in said
    assert "POST /v1/chat/completions 200" in said
    wait_for(lambda: not below(one.process.pid))
    assert len((tmp_path / "run" / "mine-hint" / "trajectories.jsonl").read_text().splitlines()) == 1


def test_no_model_server_sees_the_key_of_the_clients(started: list[Process]) -> None:
    for environment, sent in (({}, None), ({"SELFTAUGHT_MODEL_API_KEY": "sk-models"}, "Bearer sk-models")):
        toy = embedded_folder()
        upstream = Thread(SmallServer(LocalEngine(toy, max_rows=8), str(toy)))
        one = Process("--model", upstream.server.url, SELFTAUGHT_API_KEY="sk-clients", **environment)
        started.append(one)
        assert httpx2.get(f"{one.url}/models").status_code == 401
        body = {"model": "tiny", "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 8}
        headers = {"Authorization": "Bearer sk-clients"}
        answer = httpx2.post(f"{one.url}/chat/completions", json=body, headers=headers, timeout=60)
        assert answer.status_code == 200 and upstream.server.num_requests > 0
        assert upstream.server.keys == {sent}
        assert one.stop()[0] == 0
        upstream.stop()


def test_ctrl_c_while_idle_ends_at_once(started: list[Process]) -> None:
    one = Process()
    started.append(one)
    began = time.monotonic()
    code, said = one.stop(signal.SIGINT)
    assert code == 0 and "Traceback" not in said and time.monotonic() - began < 20


def test_refusals_in_one_line(run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SELFTAUGHT_API_KEY", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cases = [
            (["--port", str(port)], 2, "cannot be listened on"),
            (["--host", "0.0.0.0"], 2, "--unsafe-no-key"),
            (["--hints", "nonsense"], 2, "nonsense"),
            (["--temperature", "-1"], 2, "--temperature"),
        ]
        for options, code, words in cases:
            done = run_cli("serve", "--model", "toy", *options)
            assert done.exit_code == code and words in done.stderr and len(done.stderr.splitlines()) == 1
    done = run_cli("serve", "--model", str(tmp_path / "none"))
    assert done.exit_code in (2, 3) and str(tmp_path / "none") in done.stderr
    taken_file = tmp_path / "file"
    taken_file.write_text("x")
    done = run_cli("serve", "--model", "toy", "--port", "0", "--record", taken_file)
    assert done.exit_code == 2 and "--record" in done.stderr


def test_without_the_extra_the_message_names_it(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = run_cli("serve", "--model", "toy", "--port", "0")
    assert done.exit_code == 3 and "pip install 'selftaught[serve]'" in done.stderr


def test_sampling_values_come_from_the_model() -> None:
    own = {"do_sample": True, "temperature": 0.6, "top_p": 0.95, "top_k": 20}
    sampling = for_serve({}, Manner(), own).sampling
    assert (sampling.temperature, sampling.top_p) == (0.6, 0.95)
    assert for_serve({"temperature": 0.2}, Manner(), own).sampling.temperature == 0.2
    assert for_serve({}, Manner(sampling=Decoding(temperature=0.9)), own).sampling.temperature == 0.9
    assert for_serve({}, Manner(), {"do_sample": False, "temperature": 0.6}).sampling.temperature == 0.0
    assert for_serve({}, Manner(), {}).sampling.temperature == 0.0
    assert for_serve({}, Manner(), {"do_sample": True, "temperature": None, "top_p": 7}).sampling.temperature == 1.0


@pytest.mark.parametrize(
    ("model", "given", "engine", "name"),
    [
        ("toy", None, "toy", "toy"),
        ("/data/secret/Qwen3-4B", None, "/data/secret/Qwen3-4B", "Qwen3-4B"),
        ("runs/x/model/", None, "runs/x/model/", "model"),
        ("/m/qwen.gguf", None, "/m/qwen.gguf", "qwen"),
        ("Qwen/Qwen3-4B", None, "Qwen/Qwen3-4B", "Qwen3-4B"),
        ("http://host:1/v1", None, "/data/secret/Qwen3-4B", "Qwen3-4B"),
        ("/data/secret", "public", "x", "public"),
    ],
)
def test_a_name_is_never_a_path(model: str, given: str | None, engine: str, name: str) -> None:
    assert served_name(model, given, engine) == name


def test_variants() -> None:
    catalog = catalog_of("m", RolloutSettings(), Manner(), 100)
    assert [variant.settings.hints.policy for variant in catalog.variants.values()] == ["none", "auto", "none"]
    named = catalog_of("m", RolloutSettings(hints="careful"), Manner(), 100)
    assert [variant.settings.hints.policy for variant in named.variants.values()] == ["careful", "careful", "none"]
    assert list(catalog_of("m", RolloutSettings(tools=False), Manner(), 100).variants) == ["m"]


def test_many_signals_leave_nothing(started: list[Process]) -> None:
    one = Process()
    started.append(one)
    children = below(one.process.pid)
    assert children  # the sandbox

    def ask() -> None:
        body: dict[str, Any] = {**BODY, "stream": True, "n": 8, "temperature": 1.5}
        try:
            with httpx2.stream("POST", f"{one.url}/chat/completions", json=body, timeout=60) as response:
                for _ in response.iter_bytes():
                    pass
        except httpx2.HTTPError:
            pass

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    for _ in range(3):
        one.process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    one.process.wait(timeout=60)
    for thread in threads:
        thread.join(timeout=60)
    assert one.process.returncode in (0, 130)  # 130 where the last signal came when all requests had ended
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children))


def test_the_listing_is_json_that_a_client_reads(started: list[Process]) -> None:
    one = Process("--no-tools")
    started.append(one)
    answer = httpx2.post(f"{one.url}/chat/completions", json={**BODY, "model": "toy", "max_tokens": 4}, timeout=60)
    assert json.loads(answer.text)["choices"][0]["finish_reason"] == "length"
    assert one.stop()[0] == 0
