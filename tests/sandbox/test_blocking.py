"""The sandbox without ``await``: in a script, in several threads, and where an event loop runs already."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from selftaught.errors import SandboxError
from selftaught.records import ExecStatus
from selftaught.sandbox import FunctionCall, Sandbox, SandboxSettings, Tier

from .processes import sandbox_processes

Settings = Callable[..., SandboxSettings]


def test_one_class_serves_both_forms(settings: Settings) -> None:
    with Sandbox(settings()) as box:
        assert box.run("1+1").output == "2\n"
        assert box.tier in (Tier.FULL, Tier.REDUCED)

    async def main() -> str:
        async with Sandbox(settings()) as box:
            return (await box.run("1+1")).output

    assert asyncio.run(main()) == "2\n"


async def test_it_works_inside_a_running_loop(settings: Settings) -> None:
    with Sandbox(settings()) as box:  # a notebook's cell: its loop runs, and cannot be entered again
        assert box.run("6 * 7").output == "42\n"


def test_sessions_and_programs(settings: Settings) -> None:
    with Sandbox(settings()) as box:
        with box.session() as session:
            session.run("x = 41")
            assert session.run("x + 1").output == "42\n"
        result = box.run_program("def f(x): return x + 1", call=FunctionCall(name="f", arguments=["1"]))
        assert result.returned() == 2
        assert box.run("while True: pass", timeout_s=0.3).status is ExecStatus.TIMEOUT


def test_many_threads_share_it(settings: Settings) -> None:
    with Sandbox(settings(workers=3)) as box, ThreadPoolExecutor(6) as threads:
        results = list(threads.map(lambda n: box.run(f"{n} * 2").output, range(24)))
    assert results == [f"{n * 2}\n" for n in range(24)]


def test_nothing_is_left_behind(settings: Settings) -> None:
    before = sandbox_processes(os.getpid())
    fds = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        with Sandbox(settings()) as box:
            box.run("1")
    assert sandbox_processes(os.getpid(), before) == []
    assert len(os.listdir("/proc/self/fd")) == fds
    assert not any(thread.name == "selftaught-sandbox" for thread in threading.enumerate())


def test_a_closed_one_says_so(settings: Settings) -> None:
    with Sandbox(settings()) as box:
        pass
    with pytest.raises(SandboxError, match="closed"):
        box.run("1")


def test_a_start_that_fails_leaves_no_thread(settings: Settings) -> None:
    with pytest.raises(SandboxError, match="unsafe"):
        Sandbox(settings(tier=Tier.UNSAFE)).__enter__()
    assert not any(thread.name == "selftaught-sandbox" for thread in threading.enumerate())


def test_a_sandbox_can_be_opened_again(settings: Settings) -> None:
    sandbox = Sandbox(settings())
    for _ in range(2):
        with sandbox as box:
            assert box.run("1").output == "1\n"
