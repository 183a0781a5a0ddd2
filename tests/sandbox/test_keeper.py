"""Sessions kept by a key: state, bounds, idle expiry, endings while a cell runs."""

from __future__ import annotations

import asyncio
import time

from selftaught.sandbox import Sandbox
from selftaught.sandbox.keeper import SessionKeeper


async def test_a_key_keeps_its_variables_and_no_other_sees_them(sandbox: Sandbox) -> None:
    async with SessionKeeper(sandbox) as keeper:
        await keeper.run("a", "x = 41")
        assert (await keeper.run("a", "x + 1")).output == "42\n"
        assert "NameError" in (await keeper.run("b", "x")).output
        assert len(keeper) == 2 and keeper.num_running == 0


async def test_reset_gives_a_fresh_interpreter_without_a_notice(sandbox: Sandbox) -> None:
    async with SessionKeeper(sandbox) as keeper:
        await keeper.run("a", "x = 41")
        assert await keeper.reset("a") and not await keeper.reset("a")
        result = await keeper.run("a", "'x' in globals()")
        assert (result.output, result.restarted) == ("False\n", False)


async def test_a_session_that_made_room_says_so(sandbox: Sandbox) -> None:
    async with SessionKeeper(sandbox, max_sessions=2) as keeper:
        for key in "abc":
            await keeper.run(key, "x = 1")
        assert "a" not in keeper and len(keeper) == 2
        again = await keeper.run("a", "'x' in globals()")
        assert again.restarted and again.output.startswith("[new interpreter: it was closed to make room")
        assert again.output.endswith("False\n")
        assert not (await keeper.run("a", "1")).restarted, "the notice comes once"


async def test_when_all_are_busy_a_new_one_is_refused(sandbox: Sandbox) -> None:
    async with SessionKeeper(sandbox, max_sessions=1) as keeper:
        running = asyncio.create_task(keeper.run("a", "import time; time.sleep(0.5); 7"))
        while not keeper.num_running:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        refused = await keeper.run("b", "1")
        assert refused.status == "refused" and "all 1 sessions are busy" in refused.output
        assert (await running).output == "7\n"


async def test_an_idle_session_is_closed_and_says_so(sandbox: Sandbox) -> None:
    async with SessionKeeper(sandbox, idle_s=0.2) as keeper:
        await keeper.run("a", "x = 1")
        for _ in range(200):
            if "a" not in keeper:
                break
            await asyncio.sleep(0.02)
        result = await keeper.run("a", "'x' in globals()")
        assert result.output == (
            "[new interpreter: nobody used the last one for 0.2 s; the variables of earlier cells are gone]\nFalse\n"
        )


async def test_reset_ends_what_runs(sandbox: Sandbox) -> None:
    async with SessionKeeper(sandbox) as keeper:
        running = asyncio.create_task(keeper.run("a", "while True: pass"))
        await asyncio.sleep(0.2)
        started = time.monotonic()
        assert await keeper.reset("a")
        result = await running
        assert result.status == "refused" and "was ended while this ran" in result.output
        assert time.monotonic() - started < 5


async def test_a_caller_that_gives_up_kills_the_cell(sandbox: Sandbox) -> None:
    async with SessionKeeper(sandbox) as keeper:
        await keeper.run("a", "x = 1")
        running = asyncio.create_task(keeper.run("a", "while True: pass"))
        await asyncio.sleep(0.2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert running.cancelled() and keeper.num_running == 0
        assert "the last cell was cancelled" in (await keeper.run("a", "x")).output
