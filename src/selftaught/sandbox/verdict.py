"""From how a child ended to what the caller is told: status, which limit, and a line for the model."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

from selftaught.records import ExecStatus

from .handle import Ending, Killed
from .inside import wire

_DONE = {wire.DONE_OK: ExecStatus.OK, wire.DONE_ERROR: ExecStatus.ERROR, wire.DONE_MEMORY: ExecStatus.MEMORY}


@dataclass(frozen=True)
class Verdict:
    """``note`` is one line for the end of the output, empty when the output speaks for itself."""

    status: ExecStatus
    limit: str | None = None
    note: str = ""
    gone: bool = False
    """The child no longer lives, so a session has lost its state."""


def judge(ending: Ending, timeout_s: float, cpu_s: float) -> Verdict:
    """The verdict on one ending."""
    if ending.killed is Killed.OUTPUT:
        return Verdict(ExecStatus.OUTPUT, "output", "[stopped: too much output]", gone=True)
    if ending.done is not None:
        status = _DONE[ending.done]
        return Verdict(status, "memory" if status is ExecStatus.MEMORY else None, gone=ending.exit_status is not None)
    if ending.killed is Killed.WALL:
        note = f"[stopped: still running after {timeout_s:g} s]"
        return Verdict(ExecStatus.TIMEOUT, "wall", note, gone=True)
    if ending.exit_status is None:
        return Verdict(ExecStatus.CRASH, None, f"[lost: {ending.lost or 'no report of its end'}]", gone=True)
    if os.WIFSIGNALED(ending.exit_status):
        return _by_signal(os.WTERMSIG(ending.exit_status), ending, cpu_s)
    code = os.WEXITSTATUS(ending.exit_status)
    if code == wire.EXIT_MEMORY:
        return Verdict(ExecStatus.MEMORY, "memory", "MemoryError", gone=True)
    if code == 0:
        return Verdict(ExecStatus.OK, gone=True)
    return Verdict(ExecStatus.ERROR, None, f"[the process ended with exit code {code}]", gone=True)


def _by_signal(number: int, ending: Ending, cpu_s: float) -> Verdict:
    if ending.limit == "files":
        return Verdict(ExecStatus.ERROR, "files", "[stopped: too much written to the scratch directory]", gone=True)
    if number == signal.SIGXCPU or ending.limit == "cpu" or (number == signal.SIGKILL and ending.cpu_s >= cpu_s):
        return Verdict(ExecStatus.TIMEOUT, "cpu", f"[stopped: more than {cpu_s:g} s of CPU time used]", gone=True)
    if number == signal.SIGXFSZ:
        return Verdict(ExecStatus.ERROR, "files", "[stopped: a file grew too large]", gone=True)
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return Verdict(ExecStatus.CRASH, None, f"[the process crashed: {name}]", gone=True)
