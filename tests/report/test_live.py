"""The page that follows a run: what it serves, to whom, and when it is made anew."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from selftaught.errors import ConfigError
from selftaught.report.live import LivePage, LiveServer
from selftaught.store import write_records

from .chromium import Chromium
from .synthetic import MadeRun, make_run


def _ask(url: str, host: str | None = None) -> bytes:
    request = urllib.request.Request(url, headers={} if host is None else {"Host": host})
    with urllib.request.urlopen(request, timeout=10) as answer:
        body: bytes = answer.read()
        return body


def _grow(folder: Path, made: MadeRun, count: int) -> None:
    write_records(folder / "problems.jsonl", made.problems)
    write_records(folder / "trajectories.jsonl", made.trajectories["base"][:count])


def test_a_growing_run_is_followed_and_never_written_to(made: MadeRun, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    page = LivePage([folder])
    with LiveServer(page) as server:
        assert b"Nothing to show yet" in _ask(server.url)
        assert json.loads(_ask(server.url + "state"))["version"] == 1
        _grow(folder, made, 10)
        assert page.refresh()
        assert b"not graded yet" in _ask(server.url)
        assert not page.refresh()  # nothing has changed
        with (folder / "trajectories.jsonl").open("a") as file:
            file.write('{"id": "torn')  # the writer is at work
        assert page.refresh()
        write_records(folder / "grades.jsonl", made.grades["base"][:10])
        assert page.refresh()
        assert b"pass@1" in _ask(server.url)
        (folder / "trajectories.jsonl").write_text("broken\n")
        assert not page.refresh()  # the old page stays
        state = json.loads(_ask(server.url + "state"))
        assert state["version"] == 4
        assert "trajectories.jsonl:1" in state["words"]
    names = {path.name for path in folder.rglob("*")}
    assert names == {"problems.jsonl", "trajectories.jsonl", "grades.jsonl"}


def test_only_this_machine_and_two_addresses(made: MadeRun) -> None:
    with LiveServer(LivePage([made.folder])) as server:
        assert server.url.startswith("http://127.0.0.1:")
        for path in ("report.json", "../../etc/passwd", "state/x", "?x"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                _ask(server.url + path)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            _ask(server.url, host=f"evil.example:{server.port}")
        assert _ask(server.url, host=f"localhost:{server.port}")


def test_pages_are_made_only_while_somebody_looks(made: MadeRun) -> None:
    page = LivePage([made.folder])
    page.refresh()
    assert not page.is_due()
    page.asked()
    assert not page.is_due()  # made just now
    page._made_at -= 1000
    assert page.is_due()
    page.build_s = 500.0  # a page that takes long is made seldom
    assert not page.is_due()
    page.close()


def test_a_taken_port_is_one_clear_line(made: MadeRun) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="cannot be used"):
            LiveServer(LivePage([made.folder]), taken.getsockname()[1])


def test_the_browser_loads_itself_again(browser: Chromium, tmp_path: Path) -> None:
    made = make_run(tmp_path / "made", num_problems=12)
    folder = tmp_path / "run"
    _grow(folder, made, 6)
    page = LivePage([folder])
    with LiveServer(page) as server:
        browser.open_url(server.url)
        browser.wait("document.getElementById('live').textContent.startsWith('live ·')")
        _grow(folder, made, 12)
        page.refresh()
        browser.wait("document.querySelector('.notes')?.textContent.includes('all 12 trajectories')")
        browser.run("location.hash = '#/problems'")
        browser.wait("document.documentElement.dataset.ready === 'problems'")
        write_records(folder / "grades.jsonl", made.grades["base"])
        page.refresh()
        browser.wait("!!document.getElementById('reload')")  # a reader is asked first
        assert browser.problems == []
        assert all(url.startswith((server.url, "data:", "blob:")) for url in browser.requests)
