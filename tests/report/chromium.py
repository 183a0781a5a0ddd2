"""A headless Chromium over its debugging pipe: enough to open a page, press keys, read it back and take pictures.

No driver and no socket: Chromium reads commands from file descriptor 3 and writes replies and events to 4, each a JSON
text ended by a NUL byte.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "headless_shell")


def find_browser() -> str | None:
    """Path of a Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Chromium:
    """One page in one browser. ``problems`` collects console errors, page errors and policy violations; ``requests`` the rest."""

    def __init__(self, binary: str, width: int = 1280, height: int = 900, extra: Sequence[str] = ()) -> None:
        self._profile = tempfile.mkdtemp(prefix="chromium-")
        to_read, to_write = os.pipe()
        from_read, from_write = os.pipe()
        arguments = [
            binary, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars", f"--user-data-dir={self._profile}",
            f"--window-size={width},{height}", "--remote-debugging-pipe", *extra, "about:blank",
        ]  # fmt: skip
        # The child needs the pipe at 3 and 4; a shell moves it there, which is safe with threads (unlike preexec_fn).
        shell = 'eval "exec 8<&$1 9>&$2"; shift 2; exec 3<&8 4>&9 8<&- 9>&-; exec "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "bash", str(to_read), str(from_write), *arguments],
            pass_fds=(to_read, from_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read)
        os.close(from_write)
        self._out, self._in = to_write, from_read
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._loaded = False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and remove its profile."""
        os.close(self._out)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        shutil.rmtree(self._profile, ignore_errors=True)

    def _receive(self, timeout_s: float) -> dict[str, Any] | None:
        end = time.monotonic() + timeout_s
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                return None
            data = os.read(self._in, 1 << 16)
            if not data:
                raise RuntimeError("the browser has gone")
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        parsed: dict[str, Any] = json.loads(message)
        self._note(parsed)
        return parsed

    def _note(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.problems.append(str(details.get("exception", {}).get("description", details.get("text"))))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.problems.append(f"console.{params['type']}: {params['args']}")
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(f"log: {params['entry']['text']}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Page.javascriptDialogOpening":
            self.problems.append(f"dialog: {params['message']}")

    def call(self, method: str, timeout_s: float = 60, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its reply."""
        self._number += 1
        command: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._out, json.dumps(command).encode() + b"\0")
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            message = self._receive(end - time.monotonic())
            if message is not None and message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
        raise TimeoutError(method)

    def open(self, path: Path, fragment: str = "", timeout_s: float = 60) -> float:
        """Load a file afresh; seconds until its load event."""
        return self.open_url(path.resolve().as_uri() + fragment, timeout_s)

    def open_url(self, url: str, timeout_s: float = 60) -> float:
        """Load an address afresh; seconds until its load event."""
        self._loaded = False
        start = time.monotonic()
        self.call("Page.navigate", url="about:blank")
        while not self._loaded:
            self._receive(1)
        self._loaded = False
        self.requests.clear()
        start = time.monotonic()
        self.call("Page.navigate", url=url)
        while not self._loaded and time.monotonic() < start + timeout_s:
            self._receive(1)
        return time.monotonic() - start

    def run(self, expression: str) -> Any:
        """Value of a JavaScript expression, awaited if it is a promise."""
        reply = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in reply:
            raise RuntimeError(str(reply["exceptionDetails"].get("exception", {}).get("description")))
        return reply["result"].get("value")

    def wait(self, expression: str, timeout_s: float = 20) -> Any:
        """Poll until an expression is true, and return its value."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            value = self.run(expression)
            if value:
                return value
            self._receive(0.02)
        raise TimeoutError(expression)

    def press(self, key: str) -> None:
        """Press and release a character key."""
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def picture(self, path: Path, whole: bool = False) -> None:
        """Save a PNG of the window, or of the whole page."""
        reply = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(reply["data"]))
