"""A report that follows a run while it grows, served to this machine only.

The page is made in memory; nothing is written into the run, whose writer may be at work. A watcher looks at sizes and
times of the run's files. When they have changed, and somebody has the page open, it makes a new page: at most once
every `MIN_PAUSE_S`, and at most a tenth of the time. The page asks ``/state`` and loads itself again.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from selftaught.errors import ConfigError, SelftaughtError
from selftaught.evals.records import ReportData
from selftaught.report.folder import report_data
from selftaught.report.several import join_runs
from selftaught.report.write import Rendered, render_report
from selftaught.runs.names import FILES

HOST = "127.0.0.1"
MIN_PAUSE_S = 3.0
BUSY_SHARE = 0.1
"""Most of the time that is spent on making pages."""
ASKED_WITHIN_S = 20.0
"""The page asks every three seconds; after as long a silence nobody is looking."""


class LivePage:
    """The newest page of one run, or of several. ``version`` counts pages; the first is made by `refresh`."""

    def __init__(self, runs: Sequence[Path], *, gated_text: bool = False) -> None:
        self.runs = list(runs)
        self.page = b""
        self.version = 0
        self.words = ""
        self.build_s = 0.0
        self._gated_text = gated_text
        self._seen: tuple[tuple[str, int, int], ...] | None = None
        self._made_at = 0.0
        self._asked_at = 0.0
        self._scratch = tempfile.TemporaryDirectory(prefix="selftaught-view-")

    def close(self) -> None:
        """Remove what was put aside."""
        self._scratch.cleanup()

    def asked(self) -> dict[str, object]:
        """What the page's question is answered with; it also says that somebody is looking."""
        self._asked_at = time.monotonic()
        return {"version": self.version, "words": self.words}

    def is_due(self) -> bool:
        """Whether somebody is looking and the pause since the last page is over."""
        now = time.monotonic()
        pause = max(MIN_PAUSE_S, self.build_s / BUSY_SHARE)
        return now - self._asked_at < ASKED_WITHIN_S and now - self._made_at >= pause

    def refresh(self) -> bool:
        """Make a new page if a file has changed; return whether it did.

        A run that cannot be read leaves the old page.
        """
        seen = self._state()
        if seen == self._seen:
            return False
        start = time.monotonic()
        try:
            made = self._render()
        except (SelftaughtError, OSError) as error:
            self.words = str(error)
            if self.page:
                self._made_at = time.monotonic()
                return False
            made = self._waiting(str(error))
        self.page, self._seen = made.page.encode("utf-8", "replace"), seen
        self._made_at = time.monotonic()
        self.build_s = self._made_at - start
        self.version += 1
        self.words = f"live · {made.num_total:,} trajectories · {time.strftime('%H:%M:%S')}"
        return True

    def _render(self) -> Rendered:
        if len(self.runs) > 1:
            scratch = Path(self._scratch.name)
            data = join_runs(self.runs, scratch)
            return render_report(scratch, data, gated_text=self._gated_text, live=True, records=False)
        run = self.runs[0]
        return render_report(run, report_data(run), gated_text=self._gated_text, live=True)

    def _waiting(self, why: str) -> Rendered:
        """The page of a run that has nothing to show yet."""
        names = " · ".join(run.resolve().name for run in self.runs)
        data = ReportData(title=names, notes=[f"Nothing to show yet. {why}"])
        return render_report(Path(self._scratch.name), data, live=True, records=False)

    def _state(self) -> tuple[tuple[str, int, int], ...]:
        """Path, size and time of every file that the page depends on."""
        found = []
        watched = (FILES.trajectories, FILES.grades, FILES.metrics, FILES.record, FILES.report_json)
        for run in self.runs:
            for path in sorted(run.rglob("*.json*")):
                if path.name in watched or path.parent.name == FILES.markers:
                    try:
                        stat = path.stat()
                    except OSError:
                        continue  # replaced just now
                    found.append((str(path), stat.st_size, stat.st_mtime_ns))
        return tuple(found)


class LiveServer:
    """Serves a `LivePage` on this machine, and keeps it fresh in a thread of its own. Port 0 takes any free one."""

    def __init__(self, page: LivePage, port: int = 0) -> None:
        self.page = page
        try:
            self._server = _Server((HOST, port), page)
        except OSError as error:
            raise ConfigError(
                f"--port {port} cannot be used ({error.strerror}); name another, or 0 for any free one."
            ) from None
        self.port: int = self._server.server_address[1]
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True),
            threading.Thread(target=self._watch, daemon=True),
        ]

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.port}/"

    def __enter__(self) -> LiveServer:
        self.page.refresh()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join(10)
        self.page.close()

    def wait(self) -> None:
        """Until the process is interrupted."""
        while not self._stop.wait(3600):
            pass

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            if self.page.is_due():
                self.page.refresh()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], page: LivePage) -> None:
        self.page = page
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    """Two addresses: the page, and its state. Only names of this machine are answered (DNS rebinding)."""

    server: _Server

    def do_GET(self) -> None:
        """Answer one request."""
        name = (self.headers.get("Host") or "").rpartition(":")[0]
        if name not in (HOST, "localhost"):
            self.send_error(403, "this server answers to 127.0.0.1 and localhost only")
        elif self.path == "/":
            self.server.page.asked()
            self._send("text/html; charset=utf-8", self.server.page.page)
        elif self.path == "/state":
            self._send("application/json", json.dumps(self.server.page.asked()).encode())
        else:
            self.send_error(404)

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        for header, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Security-Policy", "frame-ancestors 'none'"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ):
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the page asks every few seconds."""
