"""Servers of a rollout stage: started with their own port, awaited, stopped; a broken one is said."""

from __future__ import annotations

import json
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from selftaught.errors import EngineError
from selftaught.pipeline.recipe import Serving
from selftaught.pipeline.serving import served

SERVER = """
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"model": sys.argv[1], "replica": os.environ["REPLICA"]}).encode()
        self.send_response(200); self.end_headers(); self.wfile.write(body)
    def log_message(self, *a): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_replicas_answer_and_go(tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    serving = Serving(
        command=f"{sys.executable} {script} {{model}} {{port}}",
        replicas=2, first_port=free_port(), environment={"REPLICA": "{replica}"}, ready_timeout_s=30,
    )  # fmt: skip
    with served("some/model", serving, tmp_path / "logs") as urls:
        answers = [json.load(urllib.request.urlopen(f"{base}/models")) for base in urls.split(",")]
    assert answers == [{"model": "some/model", "replica": "0"}, {"model": "some/model", "replica": "1"}]
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{urls.split(',')[0]}/models", timeout=2)


def test_a_server_that_ends_is_said(tmp_path: Path) -> None:
    serving = Serving(command=f"{sys.executable} -c 'import sys; sys.exit(7)'", first_port=free_port())
    with pytest.raises(EngineError, match="exit code 7"), served("m", serving, tmp_path):
        pass
    with (
        pytest.raises(EngineError, match="cannot be started"),
        served("m", Serving(command="no-such-server {model}"), tmp_path),
    ):
        pass
