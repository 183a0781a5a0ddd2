"""Who goes first to a server."""

from __future__ import annotations

import asyncio

from selftaught.engines.gate import Gate


async def test_the_oldest_goes_first_and_no_more_than_there_is_room_for() -> None:
    gate, now, most, order = Gate(2), 0, 0, []

    async def one(rank: int) -> None:
        nonlocal now, most
        async with gate.passed(rank):
            now += 1
            most = max(most, now)
            order.append(rank)
            await asyncio.sleep(0.001)
            now -= 1

    await asyncio.gather(*(one(rank) for rank in (7, 6, 5, 1, 4, 2)))
    assert order == [7, 6, 1, 2, 4, 5] and most == 2


async def test_a_place_is_not_lost_to_one_who_no_longer_wants_it() -> None:
    gate = Gate(1)
    holds = gate.passed(0)
    await holds.__aenter__()

    async def wait(rank: int) -> None:
        async with gate.passed(rank):
            pass

    waiting = [asyncio.create_task(wait(rank)) for rank in (1, 2, 3)]
    await asyncio.sleep(0)
    waiting[1].cancel()  # while it waits
    await asyncio.sleep(0)
    await holds.__aexit__(None, None, None)  # the first of them is given the place …
    waiting[0].cancel()  # … and does not take it
    async with asyncio.timeout(2):
        await waiting[2]
        await wait(9)


async def test_a_place_is_kept_for_one_who_goes_on_at_once() -> None:
    gate, order = Gate(1, linger_s=0.2), []

    async def go(rank: int, times: int) -> None:
        for _ in range(times):
            async with gate.passed(rank):
                order.append(rank)
                await asyncio.sleep(0)
        gate.leave(rank)

    async with asyncio.timeout(0.15):  # leaving gives the place away before its time is over
        await asyncio.gather(go(0, 3), go(2, 2), go(1, 2))
    assert order == [0, 0, 0, 1, 1, 2, 2]
    async with gate.passed(7):  # one who does not come back, and does not say so
        pass
    async with asyncio.timeout(2):
        await go(8, 1)
