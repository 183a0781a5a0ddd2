"""The zygote: imports once, then forks a child whenever the parent asks. It never reads a byte that model code wrote.

One thread, one ``poll`` loop, two sources of events: the parent's socket and SIGCHLD. The status of a child is what
``wait4`` says here. When the parent's socket closes, the zygote leaves, and being process 1 of its pid namespace takes
every child with it (at tier 2 the death signal does).
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import math
import os
import resource
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

from . import child, scratch, warmup
from .child import Plan

_TICK_MS = 1000
_SCRATCH_TICK_MS = 100
_CPU_GRACE_S = 1.0
_CLOCK_SCHED = 2  # CPUCLOCK_SCHED: what a process's CPU clock id ends in


@dataclass
class _Child:
    number: int
    pid: int
    cpu_until_s: float
    """CPU time, since its birth, at which it is killed."""
    scratch: str | None = None
    over_quota: bool = False
    over_cpu: bool = False


class Zygote:
    """The loop. ``plan`` is common to all children; ``control`` is the parent's socket."""

    def __init__(self, control: socket.socket, plan: Plan, scratch_root: str | None) -> None:
        self._control = control
        self._plan = plan
        self._scratch_root = scratch_root
        self._by_number: dict[int, _Child] = {}
        self._by_pid: dict[int, _Child] = {}
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    def run(self) -> None:
        """Serve until the parent hangs up."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        tick_ms = _SCRATCH_TICK_MS if self._scratch_root else _TICK_MS
        while True:
            watched = bool(self._by_pid)
            events = dict(poll.poll(tick_ms if watched else None))
            if self._wake_read in events:
                os.read(self._wake_read, 4096)
                self._reap()
            if self._control.fileno() in events and not self._serve():
                break
            if watched:
                self._watch()
        for each in self._by_pid.values():
            os.kill(each.pid, signal.SIGKILL)
        while self._by_pid:
            self._reap(block=True)

    def _serve(self) -> bool:
        """Handle one message; False when the parent has gone."""
        packet, fds, _, _ = socket.recv_fds(self._control, 65536, 4)
        if not packet:
            return False
        message = json.loads(packet)
        if "end" in message:
            self._kill(message["end"])
        if "cpu" in message:
            self._allow_cpu(message["cpu"], message["cpu_s"], message["session"])
        if "spawn" in message:
            try:
                self._spawn(message["spawn"], message["cpu_s"], fds)
            except OSError as error:
                self._send({"exited": message["spawn"], "status": 0, "cpu_s": 0.0, "error": str(error)})
            finally:
                for fd in fds:
                    os.close(fd)
        return True

    def _spawn(self, number: int, cpu_s: int, fds: list[int]) -> None:
        place = scratch.make(self._scratch_root) if self._scratch_root else None
        pid = os.fork()
        if pid == 0:
            child.enter(self._plan, cpu_s, fds[0], fds[1], fds[2], place)
        each = _Child(number, pid, cpu_s + _CPU_GRACE_S, scratch=place)
        self._by_number[number] = self._by_pid[pid] = each

    def _kill(self, number: int) -> None:
        each = self._by_number.get(number)
        if each is not None:
            os.kill(each.pid, signal.SIGKILL)

    def _allow_cpu(self, number: int, cpu_s: float, session: bool) -> None:
        """Count ``cpu_s`` from now. A session's kernel limit is its whole life's, the cell's is watched here."""
        each = self._by_number.get(number)
        if each is None:
            return
        each.cpu_until_s = _cpu_time(each.pid) + cpu_s + _CPU_GRACE_S
        hard = self._plan.session_cpu_s
        soft = hard if session else min(hard, math.ceil(cpu_s))
        with contextlib.suppress(OSError, ValueError):
            resource.prlimit(each.pid, resource.RLIMIT_CPU, (soft, hard))

    def _reap(self, block: bool = False) -> None:
        while self._by_pid:
            try:
                pid, status, usage = os.wait4(-1, 0 if block else os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            block = False
            each = self._by_pid.pop(pid, None)
            if each is None:
                continue
            del self._by_number[each.number]
            if each.scratch:
                scratch.remove(each.scratch)
            limit = "files" if each.over_quota else "cpu" if each.over_cpu else ""
            self._send(
                {"exited": each.number, "status": status, "cpu_s": usage.ru_utime + usage.ru_stime, "limit": limit}
            )

    def _watch(self) -> None:
        """What the kernel does not bound by itself: CPU per cell of a session, CPU of a child that blocks SIGXCPU, and
        scratch space below tier 1."""
        for each in self._by_pid.values():
            if _cpu_time(each.pid) > each.cpu_until_s:
                each.over_cpu = True
                os.kill(each.pid, signal.SIGKILL)
            if each.scratch and scratch.exceeds(each.scratch, self._plan.scratch_bytes, self._plan.num_scratch_inodes):
                each.over_quota = True
                os.kill(each.pid, signal.SIGKILL)

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._control.send(json.dumps(message).encode())
        except OSError:
            pass  # the parent has gone; the next poll sees it


def _cpu_time(pid: int) -> float:
    """CPU seconds of a process, all threads; 0 when it has gone."""
    try:
        return time.clock_gettime((~pid << 3) | _CLOCK_SCHED)
    except OSError:
        return 0.0


def preload(modules: list[str]) -> tuple[list[str], list[str]]:
    """Import and warm ``modules``; return those that are there and those that are not."""
    there, missing = [], []
    for name in [*warmup.STANDARD, *modules]:
        try:
            importlib.import_module(name)
            exec(warmup.WARM_UP.get(name, ""), {})
        except Exception:
            missing.append(name)
            continue
        if name in modules:
            there.append(name)
    atexit._clear()  # what the libraries want at exit is no child's business
    gc.collect()
    gc.disable()
    gc.freeze()
    return there, missing


def raise_descriptor_limit() -> None:
    """Let the zygote hold as many descriptors as it may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def address_space_bytes(proc_fd: int) -> int:
    """Address space of this process now."""
    fd = os.open("self/statm", os.O_RDONLY, dir_fd=proc_fd)
    try:
        return int(os.read(fd, 200).split()[0]) * os.sysconf("SC_PAGE_SIZE")
    finally:
        os.close(fd)


def count_threads(proc_fd: int) -> int:
    """Threads of this process, native ones included."""
    fd = os.open("self/task", os.O_RDONLY | os.O_DIRECTORY, dir_fd=proc_fd)
    try:
        return len(os.listdir(fd))
    finally:
        os.close(fd)


def die(control: socket.socket, message: str) -> None:
    """Tell the parent why there will be no zygote, and leave."""
    control.send(json.dumps({"failed": message}).encode())
    sys.exit(3)
