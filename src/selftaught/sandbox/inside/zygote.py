"""The zygote: imports once, then forks a child whenever the parent asks. It never reads a byte that model code wrote.

One thread, one ``poll`` loop, two sources of events: the parent's socket and SIGCHLD. The status of a child is what
``wait4`` says here. When the parent's socket closes, the zygote leaves, and being process 1 of its pid namespace takes
every child with it (at tier 2 the death signal does).

One thread, because a fork copies only the thread that forks: a lock that another one held would stay locked in the child
for good. And nothing here waits for a child, so that no child can delay the news of another.

What the kernel does not bound by itself is *watched* here, once a tick: CPU time of a cell, and at tier 2 scratch space
and threads. A limit counts as struck only when it was measured; a signal can be sent by the code itself.
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

from . import child, inspection, scratch, warmup
from .child import Plan

_TICK_S = 1.0
_FILES_TICK_S = 0.02  # a burst writes about a GiB a second
_MAPS_EVERY = 5  # ticks: reading the mappings costs a third of a millisecond
_CPU_GRACE_S = 1.0
_CPU_MEASURED_SHARE = 0.9  # of the limit, for a signal to count as the limit's: the kernel rounds to ticks
_CLOCK_SCHED = 2  # CPUCLOCK_SCHED: what a process's CPU clock id ends in


@dataclass
class _Child:
    number: int
    pid: int
    cpu_until_s: float
    """CPU time, since its birth, at which it is killed."""
    scratch: str | None = None
    struck: str = ""
    """The limit that it was killed for."""
    seen_cpu_s: float = -1.0
    """CPU time when it was last looked at: who has not run since has written nothing."""


class Zygote:
    """The loop. ``plan`` is common to all children; ``control`` is the parent's socket; ``proc_fd`` an open ``/proc``."""

    def __init__(self, control: socket.socket, plan: Plan, scratch_root: str | None, proc_fd: int) -> None:
        self._control = control
        self._plan = plan
        self._scratch_root = scratch_root
        self._proc_fd = proc_fd
        self._tick_s = _FILES_TICK_S if scratch_root else _TICK_S
        self._num_ticks = 0
        self._num_tasks = inspection.count_tasks(proc_fd) if plan.tier == 2 else 0
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
        next_tick_s = 0.0
        while True:
            # by the clock, not after each event: the work of watching must not grow with what children set off
            wait_s = max(0.0, next_tick_s - time.monotonic()) if self._by_pid else None
            events = dict(poll.poll(None if wait_s is None else math.ceil(wait_s * 1000)))
            if self._wake_read in events:
                os.read(self._wake_read, 4096)
                self._reap()
            if self._control.fileno() in events and not self._serve():
                break
            if self._by_pid and time.monotonic() >= next_tick_s:
                self._watch()
                next_tick_s = time.monotonic() + self._tick_s
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
                self._send({"exited": message["spawn"], "status": 0, "cpu_s": 0.0, "limit": "", "error": str(error)})
            finally:
                for fd in fds:
                    os.close(fd)
        return True

    def _spawn(self, number: int, cpu_s: int, fds: list[int]) -> None:
        place = scratch.make(self._scratch_root) if self._scratch_root else None
        pid = os.fork()
        if pid == 0:
            child.enter(self._plan, cpu_s, fds[0], fds[1], fds[2], place, self._proc_fd)
        each = _Child(number, pid, cpu_s + _CPU_GRACE_S, scratch=place)
        if self._plan.tier == 2:
            self._limit_tasks(each)
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
            cpu_s = usage.ru_utime + usage.ru_stime
            limit = each.struck or ("cpu" if _ended_by_cpu(status, cpu_s, each) else "")
            self._send({"exited": each.number, "status": status, "cpu_s": cpu_s, "limit": limit})
            if each.scratch:
                scratch.remove(each.scratch)  # after the news: the caller need not wait for it

    def _watch(self) -> None:
        """What the kernel does not bound by itself: CPU per cell of a session, CPU of a child that blocks SIGXCPU; below
        tier 1 scratch space, files without a name, and threads."""
        self._num_ticks += 1
        if self._plan.tier == 2 and self._num_ticks % math.ceil(_TICK_S / self._tick_s) == 0:
            self._num_tasks = inspection.count_tasks(self._proc_fd)
            for each in self._by_pid.values():
                self._limit_tasks(each)
        for each in self._by_pid.values():
            struck = self._struck(each)
            if struck:
                each.struck = struck
                os.kill(each.pid, signal.SIGKILL)

    def _struck(self, each: _Child) -> str:
        """The limit that ``each`` is over, or nothing."""
        plan = self._plan
        cpu_s = _cpu_time(each.pid)
        if cpu_s > each.cpu_until_s:
            return "cpu"
        if not each.scratch or cpu_s == each.seen_cpu_s:
            return ""
        each.seen_cpu_s = cpu_s
        num_bytes, num_inodes = scratch.measure(each.scratch, plan.num_scratch_inodes)
        if plan.tier == 2:
            mapped = self._num_ticks % _MAPS_EVERY == 0
            num_bytes += inspection.nameless_bytes(self._proc_fd, each.pid, plan.file_bytes, mapped)
            if inspection.count_threads(self._proc_fd, each.pid) > plan.num_threads:
                return "threads"
        return "files" if num_bytes > plan.scratch_bytes or num_inodes > plan.num_scratch_inodes else ""

    def _limit_tasks(self, each: _Child) -> None:
        """Tier 2: RLIMIT_NPROC counts all that this user runs, so it is set so far above what runs now that it strikes
        none but a burst. What is over the child's own number is killed at the next tick."""
        soft = self._num_tasks + self._plan.num_threads * (len(self._by_pid) + 2)
        with contextlib.suppress(OSError, ValueError):
            hard = resource.prlimit(each.pid, resource.RLIMIT_NPROC)[1]
            soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
            resource.prlimit(each.pid, resource.RLIMIT_NPROC, (soft, hard))

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._control.send(json.dumps(message).encode())
        except OSError:
            pass  # the parent has gone; the next poll sees it


def _ended_by_cpu(status: int, cpu_s: float, each: _Child) -> bool:
    """Whether a signal of the CPU limit came when that much CPU had been used: code can send it to itself as well."""
    signals = (signal.SIGXCPU, signal.SIGKILL)
    limit_s = each.cpu_until_s - _CPU_GRACE_S
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) in signals and cpu_s >= _CPU_MEASURED_SHARE * limit_s


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


def die(control: socket.socket, message: str) -> None:
    """Tell the parent why there will be no zygote, and leave."""
    control.send(json.dumps({"failed": message}).encode())
    sys.exit(3)
