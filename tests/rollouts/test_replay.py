"""A replayed sequence gives a record again and goes on in the engine at the first difference."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from selftaught.engines import SampleEnd, SampleRequest, ScriptedEngine
from selftaught.engines.base import SamplingParams, SequenceKey
from selftaught.engines.local import LocalEngine
from selftaught.records import HintInfo, HintPosition, Span, SpanSource
from selftaught.rollouts.replay import Did, ReplayedSequence, held_after, steps_of
from selftaught.tokens import Codec


def drawn(ids: list[int]) -> list[tuple[Did, int]]:
    return [(Did.DREW, token_id) for token_id in ids]


def put(ids: list[int]) -> list[tuple[Did, int]]:
    return [(Did.PUT, token_id) for token_id in ids]


def test_steps_hold_what_was_taken_back() -> None:
    info = HintInfo(id="general/en/0", position=HintPosition.BEFORE_LINE, reason="", discarded_ids=[7, 8])
    spans = [
        Span(source=SpanSource.PROMPT, token_ids=[1, 2], text=""),
        Span(source=SpanSource.MODEL, token_ids=[3], text=""),
        Span(source=SpanSource.HINT, token_ids=[9], text="", hint=info),
    ]
    steps = steps_of(spans)
    assert [did.value for did, _ in steps] == ["put", "put", "drew", "drew", "drew", "took_back", "took_back", "put"]
    assert held_after(steps) == [1, 2, 3, 9]


def test_what_was_recorded_is_not_asked_for(codec: Codec) -> None:
    engine = ScriptedEngine.from_turns(codec, ["abc def", " ghi"])
    every = codec.where("every", lambda text: True)

    async def play() -> None:
        first = engine.open(SequenceKey(), SamplingParams())
        first.extend([5, 6])
        request = SampleRequest(3, codec.token_set("nothing", list))
        one = await first.sample(request)
        twin = ReplayedSequence(first.fork(), [*put([5, 6]), *drawn(one.token_ids)])
        twin.extend([5, 6])
        again = await twin.sample(SampleRequest(2, request.watch))
        assert again.token_ids == one.token_ids[:2] and again.end is SampleEnd.LENGTH
        assert (await twin.sample(SampleRequest(9, every))).end is SampleEnd.WATCH
        assert engine.stats.decode_tokens == 3 and twin.num_shared == 3
        more = await twin.sample(SampleRequest(1, request.watch))
        assert engine.stats.decode_tokens == 4 and len(more.token_ids) == 1 and twin.num_shared == 3

    asyncio.run(play())


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_after_a_difference_it_is_a_sequence_of_its_own(model_folder: Path, temperature: float) -> None:
    """Another insertion after half of the record: the same draws as a sequence that never had the rest."""
    engine = LocalEngine(model_folder, max_rows=4, dtype="float32")
    nothing = engine.codec.token_set("nothing", list)
    key, params = SequenceKey(3, "p", 1), SamplingParams(temperature)
    prompt, other = [5, 6, 7], [11, 12]

    async def play() -> None:
        first = engine.open(key, params)
        first.extend(prompt)
        ids = (await first.sample(SampleRequest(20, nothing))).token_ids
        apart = engine.open(key, params)
        apart.extend(prompt)
        assert (await apart.sample(SampleRequest(8, nothing))).token_ids == ids[:8]
        apart.extend(other)
        expected = (await apart.sample(SampleRequest(10, nothing))).token_ids
        twin = ReplayedSequence(first.fork(), [*put(prompt), *drawn(ids)])
        twin.extend(prompt)
        assert (await twin.sample(SampleRequest(8, nothing))).token_ids == ids[:8]
        twin.extend(other)
        assert (await twin.sample(SampleRequest(10, nothing))).token_ids == expected
        assert twin.num_shared == 8
        branch = ReplayedSequence(first, [*put(prompt), *drawn(ids)]).fork()
        branch.extend(prompt)
        banned = engine.codec.token_set("banned", lambda: [ids[4]])
        found = (await branch.sample(SampleRequest(20, nothing, banned))).token_ids
        assert found[:4] == ids[:4] and ids[4] not in found and len(found) == 20
        await engine.aclose()

    asyncio.run(play())
