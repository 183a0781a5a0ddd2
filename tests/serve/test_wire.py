"""A stream that nobody reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from typing import Any

import pytest

from selftaught.serve.wire import EventStream


@pytest.mark.parametrize("begins", [False, True])
async def test_a_client_that_left_before_the_first_frame_gives_its_place_back(begins: bool) -> None:
    ended: list[str] = []
    begun = asyncio.Event()

    async def frames() -> AsyncGenerator[bytes, None]:
        try:
            yield b"data: 1\n\n"
        finally:
            ended.append("frames")

    async def receive() -> MutableMapping[str, Any]:
        if begins:
            await begun.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if not begins or message["type"] == "http.response.body":
            begun.set()
            await asyncio.Event().wait()  # a client that reads nothing

    stream = EventStream(frames(), on_gone=lambda: ended.append("gone"), on_end=lambda: ended.append("place"))
    await asyncio.wait_for(stream({}, receive, send), 10)
    assert ended == (["gone", "frames", "place"] if begins else ["gone", "place"])
