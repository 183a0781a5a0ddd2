"""Sessions: state from cell to cell, what a loss looks like, limits per cell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from selftaught.records import ExecStatus
from selftaught.sandbox import Sandbox, SandboxSettings

Settings = Callable[..., SandboxSettings]


async def test_names_persist_and_errors_keep_them(sandbox: Sandbox) -> None:
    async with sandbox.session() as session:
        assert (await session.run("x = 41\ndef f(): return x + 1")).output == ""
        assert (await session.run("f()")).output == "42\n"
        assert (await session.run("1 / 0")).status is ExecStatus.ERROR
        assert (await session.run("x")).output == "41\n"


async def test_sessions_are_apart(sandbox: Sandbox) -> None:
    async with sandbox.session() as one, sandbox.session() as two:
        await one.run("x = 1")
        assert (await two.run("x")).status is ExecStatus.ERROR
        await two.run("open('f', 'w').write('two')")
        assert "FileNotFoundError" in (await one.run("open('f')")).output


async def test_a_lost_session_says_so_once(sandbox: Sandbox) -> None:
    async with sandbox.session() as session:
        await session.run("x = 1")
        assert (await session.run("while True: pass", timeout_s=0.5)).status is ExecStatus.TIMEOUT
        after = await session.run("'x' in globals()")
        assert after.restarted
        assert after.output.splitlines()[0].startswith("[new interpreter: the last cell hit the wall limit")
        assert after.output.endswith("False\n")
        again = await session.run("2")
        assert (again.restarted, again.output) == (False, "2\n")


async def test_an_empty_session_costs_nothing_and_closes(sandbox: Sandbox) -> None:
    async with sandbox.session() as session:
        pass
    result = await session.run("1")
    assert (result.status, result.output) == (ExecStatus.REFUSED, "[not run: the session is closed]\n")


async def test_cells_of_one_session_run_one_after_another(sandbox: Sandbox) -> None:
    async with sandbox.session() as session:
        cells = [
            session.run(f"import time\ntime.sleep(0.05)\nseen = globals().get('seen', []) + [{n}]") for n in range(4)
        ]
        await asyncio.gather(*cells)
        assert (await session.run("seen")).output == "[0, 1, 2, 3]\n"


async def test_a_session_may_begin_with_less_preloaded(settings: Settings) -> None:
    async with Sandbox(settings(preload=("fractions", "numpy"), timeout_s=60)) as sandbox:
        await asyncio.gather(*sandbox._light_start)
        loaded = "import sys; 'numpy' in sys.modules"
        async with sandbox.session() as full, sandbox.session("x = 1") as light:
            assert (await full.run(loaded)).output == "True\n" and full.covers("import numpy")
            assert (await light.run("x = 1; import sys; 'num' + 'py' in sys.modules")).output == "False\n"
            assert light.covers("x + 1") and not light.covers("import numpy")
            assert (await light.run("import numpy; int(numpy.arange(4).sum()) + x")).output == "7\n"


async def test_cancelling_a_cell_loses_the_session_and_no_other(sandbox: Sandbox) -> None:
    async with sandbox.session() as session, sandbox.session() as other:
        await other.run("y = 5")
        cell = asyncio.create_task(session.run("while True: pass"))
        await asyncio.sleep(0.3)
        cell.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cell
        assert (await session.run("1")).restarted
        assert (await other.run("y")).output == "5\n"


async def test_cpu_is_counted_per_cell(settings: Settings) -> None:
    burn = "import time\nend = time.process_time() + 0.4\nwhile time.process_time() < end: pass"
    async with Sandbox(settings(cpu_s=1.0, timeout_s=200)) as sandbox, sandbox.session() as session:
        for _ in range(4):  # 1.6 s in all: each cell is within its limit
            assert (await session.run(burn)).status is ExecStatus.OK
        result = await session.run("while True: pass")
        assert (result.status, result.limit) == (ExecStatus.TIMEOUT, "cpu")


async def test_a_longer_cell_may_use_more_cpu(settings: Settings) -> None:
    burn = "import time\nend = time.process_time() + 2.2\nwhile time.process_time() < end: pass\n'done'"
    async with Sandbox(settings(timeout_s=1.0)) as sandbox:
        assert (await sandbox.run(burn, timeout_s=200)).output == "'done'\n"


async def test_a_thread_left_burning_is_ended(settings: Settings) -> None:
    code = "import threading\ndef f():\n    while True: pass\nthreading.Thread(target=f, daemon=True).start()"
    async with Sandbox(settings(cpu_s=0.5)) as sandbox, sandbox.session() as session:
        assert (await session.run(code)).status is ExecStatus.OK
        for _ in range(60):
            await asyncio.sleep(0.25)
            if session._child is None or not session._child.alive:
                break
        assert (await session.run("1")).restarted


async def test_input_reaches_each_cell(sandbox: Sandbox) -> None:
    async with sandbox.session() as session:
        assert (await session.run("input()", stdin="a\n")).output == "'a'\n"
        assert (await session.run("input()", stdin="b\n")).output == "'b'\n"
        assert "EOFError" in (await session.run("input()")).output


async def test_too_many_sessions_are_an_error(settings: Settings) -> None:
    from selftaught.errors import SandboxError

    async with Sandbox(settings(max_sessions=1)) as sandbox, sandbox.session():
        with pytest.raises(SandboxError, match="max_sessions"):
            async with sandbox.session():
                pass


async def test_somebody_may_watch_the_output(sandbox: Sandbox) -> None:
    seen: list[str] = []
    code = "import time\nprint('a', flush=True)\ntime.sleep(0.3)\nprint('\\x1bé <|im_end|>')"
    async with sandbox.session() as session:
        result = await session.run(code, on_output=seen.append)
    assert len(seen) >= 2 and "".join(seen) == result.output == "a\n\\x1bé < |im_end|>\n"
    again: list[str] = []
    assert (await sandbox.run("print('b' * 10**6)", on_output=again.append)).truncated
    assert 0 < sum(map(len, again)) <= sandbox.settings.output_bytes
