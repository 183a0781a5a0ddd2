"""From how a child ended to what the caller is told: status, which limit, and a line for the model.

What a child says of its own end proves nothing: code finds the nonce in its own process and sends "done" whenever it
likes. So of a program that is graded the kernel's exit status decides. A cell, and a call of a live program, may lie about
their own status; nothing is judged by that.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

from selftaught.records import ExecStatus

from . import output
from .handle import Ending, Killed
from .inside import wire
from .settings import ExecResult, SandboxSettings, Tier

_DONE = {wire.DONE_OK: ExecStatus.OK, wire.DONE_ERROR: ExecStatus.ERROR, wire.DONE_MEMORY: ExecStatus.MEMORY}


@dataclass(frozen=True)
class Verdict:
    """``note`` is one line for the end of the output, empty when the output speaks for itself."""

    status: ExecStatus
    limit: str | None = None
    note: str = ""
    gone: bool = False
    """The child no longer lives, so a session has lost its state."""


def judge(ending: Ending, timeout_s: float, cpu_s: float, number: int = 1) -> Verdict:
    """The verdict on one ending, of the ``number``-th cell of its child."""
    if ending.killed is Killed.OUTPUT:
        return Verdict(ExecStatus.OUTPUT, "output", "[stopped: too much output]", gone=True)
    if ending.done is not None and not ending.awaited_exit:
        status = _DONE[ending.done]
        return Verdict(status, "memory" if status is ExecStatus.MEMORY else None, gone=ending.exit_status is not None)
    if ending.killed is Killed.WALL and not _left_by_itself(ending):
        note = f"[stopped: still running after {timeout_s:g} s]"
        return Verdict(ExecStatus.TIMEOUT, "wall", note, gone=True)
    if ending.exit_status is None:
        return Verdict(ExecStatus.CRASH, None, f"[lost: {ending.lost or 'no report of its end'}]", gone=True)
    if os.WIFSIGNALED(ending.exit_status):
        return _by_signal(os.WTERMSIG(ending.exit_status), ending, cpu_s)
    code = os.WEXITSTATUS(ending.exit_status)
    if code == 0 and number == 1:
        return Verdict(ExecStatus.OK, gone=True)
    # In a later cell of a session a thread of an earlier one may have left before this cell began: then nothing of it
    # has run, and "ok" would be a lie. An exit code is any number that the code likes, so it never means a limit.
    if ending.done == wire.DONE_MEMORY:
        return Verdict(ExecStatus.MEMORY, "memory", gone=True)
    note = "" if ending.done == wire.DONE_ERROR else f"[the process ended with exit code {code}]"
    return Verdict(ExecStatus.ERROR, None, note, gone=True)


def _left_by_itself(ending: Ending) -> bool:
    """Whether a child that was to end after its request had ended when the kill came: it was on its way out in time."""
    return ending.awaited_exit and ending.exit_status is not None and os.WIFEXITED(ending.exit_status)


def exit_code(ending: Ending) -> int | None:
    """The exit code of a program, a signal's number negated as in ``subprocess``; None when we killed it or lost it."""
    if ending.killed is not None and not _left_by_itself(ending):
        return None
    if ending.done is not None and not ending.awaited_exit:
        return ending.exit_code if ending.exit_code is not None else int(ending.done != wire.DONE_OK)
    return None if ending.exit_status is None else os.waitstatus_to_exitcode(ending.exit_status)


def _by_signal(number: int, ending: Ending, cpu_s: float) -> Verdict:
    """A signal alone proves no limit, since code can send any to itself: the zygote's measurements do."""
    if ending.limit == "files":
        return Verdict(ExecStatus.ERROR, "files", "[stopped: too much written to the scratch directory]", gone=True)
    if ending.limit == "threads":
        return Verdict(ExecStatus.ERROR, "threads", "[stopped: too many threads]", gone=True)
    if ending.limit == "memory":
        return Verdict(ExecStatus.MEMORY, "memory", "[stopped: out of memory]", gone=True)
    if ending.limit == "cpu":
        return Verdict(ExecStatus.TIMEOUT, "cpu", f"[stopped: more than {cpu_s:g} s of CPU time used]", gone=True)
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return Verdict(ExecStatus.CRASH, None, f"[the process crashed: {name}]", gone=True)


def cell_result(
    verdict: Verdict,
    collected: output.OutputBuffer,
    ending: Ending,
    tier: Tier,
    settings: SandboxSettings,
    notice: str = "",
) -> ExecResult:
    """Turn what was collected of a cell into a result that is safe to show. ``notice`` goes before the output."""
    text = output.decode(collected.raw())
    if verdict.note:
        text += ("" if not text or text.endswith("\n") else "\n") + verdict.note + "\n"
    if settings.neutralise:
        text = output.neutralise(text)
    text, cut = output.cut_lines(text, settings.max_line_chars)
    return ExecResult(
        status=verdict.status,
        output=f"{notice}\n{text}" if notice else text,
        wall_s=ending.wall_s,
        truncated=cut or collected.truncated,
        tier=tier,
        limit=verdict.limit,
        restarted=bool(notice),
        images=tuple(image for image in ending.images if output.is_png(image)),
    )


def refusal(reason: str, tier: Tier) -> ExecResult:
    """A result for code that was never run."""
    return ExecResult(status=ExecStatus.REFUSED, output=reason + "\n", wall_s=0.0, tier=tier)


def cpu_limit_s(settings: SandboxSettings, timeout_s: float) -> float:
    """CPU allowed to a call of this wall time."""
    if settings.cpu_s is not None and timeout_s <= settings.timeout_s:
        return settings.cpu_s
    return max(settings.cpu_s or 0.0, timeout_s + 1)
