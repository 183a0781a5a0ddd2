"""The parent's handle of one zygote process: start it at a tier, ask it for children, hear of their ends."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import site
import socket
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from selftaught.errors import SandboxError

from .cgroup import ControlGroup
from .handle import ChildHandle
from .inside import namespaces
from .settings import SandboxSettings, Tier

_MAIN = Path(__file__).parent / "inside" / "__main__.py"
_SYSTEM_LIBRARIES = (
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib32",
    "/lib",
    "/lib64",
    "/usr/share/zoneinfo",
)
_STOP_GRACE_S = 15.0  # a busy machine, or a deep scratch tree to take apart


class TierUnavailable(Exception):
    """The zygote could not put up the walls of the tier asked for. The text is the step that failed."""


def python_paths() -> list[str]:
    """Host paths that this interpreter needs to run and import: nothing else is visible inside."""
    wanted = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    wanted |= {sysconfig.get_path(name, vars=base) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    wanted |= set(site.getsitepackages())
    library = sysconfig.get_config_var("LIBDIR")
    if sysconfig.get_config_var("Py_ENABLE_SHARED") and library:
        wanted.add(library)
    paths = [path for path in wanted if path and os.path.isdir(path)]
    real = [os.path.realpath(path) for path in paths]
    return _without_children({*paths, *real, *(path for path in _SYSTEM_LIBRARIES if os.path.lexists(path))})


def _without_children(paths: set[str]) -> list[str]:
    kept: list[str] = []
    for path in sorted(paths, key=lambda each: (not os.path.islink(each), len(Path(each).parts), each)):
        if not any(not os.path.islink(other) and Path(path).is_relative_to(other) for other in kept):
            kept.append(path)
    return kept


class Zygote:
    """One zygote. Made by ``start``; ``spawn`` gives a child at once, which becomes ready a few milliseconds later."""

    def __init__(self, settings: SandboxSettings, tier: Tier, group: ControlGroup | None = None) -> None:
        self.settings = settings
        self.tier = tier
        self._group = group
        self.num_spawned = 0
        self.alive = False
        self.info: dict[str, Any] = {}
        self.children: dict[int, ChildHandle] = {}
        self._loop = asyncio.get_running_loop()
        self._next_number = 1
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._started: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._outbox: list[tuple[bytes, list[int]]] = []

    @classmethod
    async def start(cls, settings: SandboxSettings, tier: Tier, group: ControlGroup | None = None) -> Zygote:
        """Start a zygote and wait until its imports are done. Raises TierUnavailable or SandboxError."""
        self = cls(settings, tier, group)
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def _start(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        environment = self._environment()
        with theirs:
            self._process = subprocess.Popen(  # noqa: ASYNC220  (a vfork and an exec: a millisecond)
                [sys.executable, "-s", "-P", str(_MAIN), str(theirs.fileno())],
                env=environment, pass_fds=(theirs.fileno(),), cwd="/", start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=None if os.environ.get("SELFTAUGHT_SANDBOX_DEBUG") else subprocess.DEVNULL,
            )  # fmt: skip
        if self._group is not None:  # before its settings: until they come it starts nothing
            self._group.add(self._process.pid)
        self._loop.add_reader(self._socket, self._on_socket)
        settings = self.settings
        message = {
            "tier": int(self.tier),
            "read_paths": [*python_paths(), *settings.extra_read_paths],
            "scratch_root": tempfile.gettempdir(),
            "preload": list(settings.preload),
            "environment": {key: value for key, value in environment.items() if not key.startswith("PYTHON")},
            **settings.model_dump(
                include={
                    "memory_bytes", "file_bytes", "scratch_bytes", "num_scratch_inodes", "num_files", "num_threads",
                    "seed", "int_max_str_digits", "session_cpu_s", "max_images", "max_image_bytes",
                }
            ),
        }  # fmt: skip
        self._send(message)
        try:
            self.info = await asyncio.wait_for(asyncio.shield(self._started), settings.start_timeout_s)
        except TimeoutError:
            raise SandboxError(
                f"the sandbox's zygote was not ready within sandbox.start_timeout_s = {settings.start_timeout_s:g} s; "
                "raise it or shorten sandbox.preload."
            ) from None
        self.alive = True

    @staticmethod
    def _environment() -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": namespaces.SCRATCH,
            "TMPDIR": namespaces.SCRATCH,
            "MPLCONFIGDIR": namespaces.SCRATCH,
            "USER": "nobody",
            "LOGNAME": "nobody",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHASHSEED": "0",
            "PYTHONUTF8": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "2",
        }

    def spawn(self) -> ChildHandle:
        """Ask for a child."""
        child = ChildHandle(self._next_number, self)
        self._next_number += 1
        self.num_spawned += 1
        self.children[child.number] = child
        if not self.alive:
            child.on_lost("the zygote has gone")
            child.after_spawn()
            return child
        cpu_s = self.settings.cpu_s or self.settings.timeout_s + 1
        self._send({"spawn": child.number, "cpu_s": math.ceil(cpu_s)}, child.passed_fds)
        child.after_spawn()
        return child

    def allow_cpu(self, number: int, cpu_s: float, session: bool) -> None:
        """Give a child's next cell ``cpu_s`` seconds of CPU, counted from now."""
        self._send({"cpu": number, "cpu_s": cpu_s, "session": session})

    def end_child(self, number: int) -> None:
        """Have the zygote kill a child, if it still lives."""
        self._send({"end": number})

    def forget(self, number: int) -> None:
        """Drop a child's handle: its exit report will find nobody."""
        self.children.pop(number, None)

    async def stop(self) -> None:
        """End the zygote and all its children; wait until the process is gone."""
        self._lose("the sandbox was closed")
        process = self._process
        if process is None:
            return
        deadline = self._loop.time() + _STOP_GRACE_S
        while process.poll() is None:
            if self._loop.time() > deadline:
                process.kill()
            await asyncio.sleep(0.005)
        self._process = None

    # ------------------------------------------------------------------------------------------------------ the wire

    def _send(self, message: dict[str, Any], fds: list[int] | None = None) -> None:
        data = json.dumps(message).encode()
        if self._socket is None:
            return
        if self._outbox:
            self._outbox.append((data, [os.dup(fd) for fd in fds or []]))
            return
        try:
            self._send_now(data, fds or [])
        except BlockingIOError:
            self._outbox.append((data, [os.dup(fd) for fd in fds or []]))
            self._loop.add_writer(self._socket, self._flush)
        except OSError:
            pass  # it died: the reader sees the end of file

    def _send_now(self, data: bytes, fds: list[int]) -> None:
        assert self._socket is not None, "a stopped zygote has no socket"
        if fds:
            socket.send_fds(self._socket, [data], fds)
        else:
            self._socket.send(data)

    def _flush(self) -> None:
        while self._outbox and self._socket is not None:
            data, fds = self._outbox[0]
            try:
                self._send_now(data, fds)
            except BlockingIOError:
                return
            except OSError:
                pass
            self._outbox.pop(0)
            for fd in fds:
                os.close(fd)
        if self._socket is not None:
            self._loop.remove_writer(self._socket)

    def _on_socket(self) -> None:
        while self._socket is not None:
            try:
                packet = self._socket.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._lose("the sandbox's zygote died")
                return
            message = json.loads(packet)
            if "exited" in message:
                child = self.children.get(message["exited"])
                if message["status"] == signal.SIGKILL and not message["limit"] and self._killed_for_memory():
                    message["limit"] = "memory"
                if child is not None:
                    child.on_exit(message)
            elif not self._started.done():
                if message.get("ready"):
                    self._started.set_result(message)
                else:
                    self._started.set_exception(TierUnavailable(message["failed"]))

    def _killed_for_memory(self) -> bool:
        return self._group is not None and self._group.killed_one()

    def _lose(self, reason: str) -> None:
        self.alive = False
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()
            self._socket = None
        for _, fds in self._outbox:
            for fd in fds:
                os.close(fd)
        self._outbox.clear()
        if not self._started.done():
            self._started.set_exception(TierUnavailable("the zygote ended during its set-up"))
            self._started.exception()
        for child in list(self.children.values()):
            child.on_lost(reason)
