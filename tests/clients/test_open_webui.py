"""Open WebUI with nothing set but our URL, in headless Chromium: models, folded thinking with code, a second turn.

``SELFTAUGHT_PICTURES`` names a folder that keeps the screenshots, for somebody to look at.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import ANSWER, QUESTION, program, run_script

pytestmark = pytest.mark.clients
START_S = 600
SECOND = "In how many ways can 10 of 25 people be chosen? Give the remainder by 46."


@pytest.fixture
def page(url: str, tmp_path: Path) -> Iterator[str]:
    """The URL of Open WebUI. Offline is no setting of its own: it keeps it from fetching models from the hub."""
    command = program("openwebui", "bin/open-webui")
    if not Path("/usr/bin/chromium").exists() or not Path("/usr/bin/chromedriver").exists():
        pytest.skip("no /usr/bin/chromium with /usr/bin/chromedriver (Debian: apt install chromium chromium-driver)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "DATA_DIR": str(tmp_path)}
    with subprocess.Popen(
        [command, "serve", "--host", "127.0.0.1", "--port", str(port)], cwd=tmp_path,
        env={**environment, "OPENAI_API_BASE_URL": url}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_S
        while True:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, "Open WebUI did not start"
                time.sleep(1)
        yield address
        process.kill()


def test_two_turns(page: str, tmp_path: Path) -> None:
    pictures = Path(os.environ.get("SELFTAUGHT_PICTURES", tmp_path))
    pictures.mkdir(parents=True, exist_ok=True)
    got = run_script("openwebui", "open_webui_page.py", page, str(pictures), QUESTION, SECOND)
    assert got["models"] == ["toy", "toy:hint", "toy:no-tools"]
    first, second = got["turns"]
    value = ANSWER.removeprefix("The answer is ")
    assert value in first["folded"] and "Thought for" in first["folded"] and "print" not in first["folded"]
    assert all(text in first["opened"] for text in ("python", "print(", "output", "18", value))
    assert "Thought for" in second["folded"] and "\\boxed{" in second["folded"]
