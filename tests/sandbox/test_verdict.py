"""From an ending to what the caller is told: a limit counts as struck only when it was measured."""

from __future__ import annotations

import signal

import pytest

from selftaught.records import ExecStatus
from selftaught.sandbox import SandboxSettings
from selftaught.sandbox.handle import Ending, Killed
from selftaught.sandbox.inside import wire
from selftaught.sandbox.verdict import cpu_limit_s, exit_code, judge


@pytest.mark.parametrize(
    "ending, status, limit",
    [
        (Ending(1, done=wire.DONE_OK), "ok", None),
        (Ending(1, done=wire.DONE_MEMORY), "memory", "memory"),
        (Ending(1, killed=Killed.WALL), "timeout", "wall"),
        (Ending(1, killed=Killed.WALL, done=wire.DONE_OK), "ok", None),  # what was done in time is done
        (Ending(1, killed=Killed.OUTPUT, done=wire.DONE_OK), "output", "output"),
        (Ending(1, exit_status=9, limit="cpu"), "timeout", "cpu"),
        (Ending(1, exit_status=9, limit="files"), "error", "files"),
        (Ending(1, exit_status=9, limit="threads"), "error", "threads"),
        (Ending(1, exit_status=9, limit="memory"), "memory", "memory"),
        (Ending(1, exit_status=int(signal.SIGXCPU), cpu_s=0.1), "crash", None),
        (Ending(1, exit_status=int(signal.SIGXFSZ)), "crash", None),
        (Ending(1, exit_status=9), "crash", None),
        (Ending(1, lost="gone"), "crash", None),
    ],
)
def test_endings(ending: Ending, status: str, limit: str | None) -> None:
    verdict = judge(ending, 5.0, 6.0)
    assert (verdict.status, verdict.limit) == (status, limit)


@pytest.mark.parametrize("code", range(0, 256, 7))
def test_an_exit_code_is_never_a_limit(code: int) -> None:
    verdict = judge(Ending(1, exit_status=code << 8), 5.0, 6.0)
    assert verdict.status is (ExecStatus.OK if code == 0 else ExecStatus.ERROR)
    assert verdict.limit is None


def test_a_later_cell_that_said_nothing_is_not_ok() -> None:
    assert judge(Ending(1, exit_status=0), 5.0, 6.0, number=1).status is ExecStatus.OK
    assert judge(Ending(1, exit_status=0), 5.0, 6.0, number=2).status is ExecStatus.ERROR


def test_exit_codes() -> None:
    assert exit_code(Ending(1, done=wire.DONE_ERROR, exit_code=3)) == 3
    assert exit_code(Ending(1, done=wire.DONE_OK)) == 0
    assert exit_code(Ending(1, exit_status=5 << 8)) == 5
    assert exit_code(Ending(1, exit_status=9)) == -9
    assert exit_code(Ending(1, exit_status=9, killed=Killed.WALL)) is None
    assert exit_code(Ending(1, lost="gone")) is None


def test_a_longer_call_may_use_more_cpu() -> None:
    settings = SandboxSettings(timeout_s=5, cpu_s=2)
    assert [cpu_limit_s(settings, timeout_s) for timeout_s in (1, 5, 60)] == [2, 2, 61]
