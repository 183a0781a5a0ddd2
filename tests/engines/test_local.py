"""The slot engine against transformers, and against itself in every order."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
import torch

from selftaught.engines import SampleEnd, SampleRequest, SamplingParams, SequenceKey, load_engine
from selftaught.engines.local import LocalEngine
from selftaught.engines.model import Prefill, SlotModel
from selftaught.engines.tiny import make_tiny_model
from selftaught.errors import EngineError

transformers = pytest.importorskip("transformers")


def prompts(num: int, vocab: int, seed: int = 0) -> list[list[int]]:
    rng = random.Random(seed)
    return [[rng.randrange(vocab) for _ in range(rng.randint(1, 60))] for _ in range(num)]


def engine_of(folder: Path, **settings: int) -> LocalEngine:
    engine = load_engine(str(folder), **settings)
    assert isinstance(engine, LocalEngine)
    return engine


async def generate(
    engine: LocalEngine, prompt: list[int], num: int, key: SequenceKey, params: SamplingParams, piece: int = 7
) -> list[int]:
    none = engine.codec.token_set("none", lambda: ())
    sequence = engine.open(key, params)
    sequence.extend(prompt)
    ids: list[int] = []
    while len(ids) < num:
        ids += (await sequence.sample(SampleRequest(min(piece, num - len(ids)), none))).token_ids
    sequence.close()
    return ids


def test_logits_are_those_of_transformers(any_model: Path) -> None:
    engine = engine_of(any_model)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(any_model, dtype=torch.float32)
    for prompt in prompts(5, engine.model.shape.vocab_size):
        mine = engine.model.prefill([Prefill(3, 0, prompt)])
        with torch.no_grad():
            want = theirs(torch.tensor([prompt])).logits[0]
        assert torch.allclose(mine, want, atol=2e-3, rtol=1e-4)
        assert (mine - want).abs().max() < 2e-4 * want.abs().max()


def test_greedy_tokens_are_those_of_transformers_or_near_ties(model_folder: Path) -> None:
    engine = engine_of(model_folder, max_rows=16)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32)
    asked = prompts(100, engine.model.shape.vocab_size)

    async def all_of_them() -> list[list[int]]:
        return await asyncio.gather(
            *(generate(engine, prompt, 24, SequenceKey(0, str(i)), SamplingParams()) for i, prompt in enumerate(asked))
        )

    mine = asyncio.run(all_of_them())
    for prompt, ids in zip(asked, mine, strict=True):
        with torch.no_grad():
            logits = theirs(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
        best = logits.topk(2, dim=-1)
        for at, token_id in enumerate(ids):
            if int(best.indices[at, 0]) != token_id:
                assert float(best.values[at, 0] - logits[at, token_id]) < 1e-4
                break  # after a near-tie the texts may differ


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_tokens_depend_neither_on_batch_nor_order_nor_pieces(model_folder: Path, temperature: float) -> None:
    asked = prompts(12, 300)
    params = SamplingParams(temperature, 0.95)

    async def run(order: list[int], max_rows: int, piece: int) -> dict[int, list[int]]:
        engine = engine_of(model_folder, max_rows=max_rows)
        found = await asyncio.gather(
            *(generate(engine, asked[i], 30, SequenceKey(5, str(i)), params, piece) for i in order)
        )
        return dict(zip(order, found, strict=True))

    forward = asyncio.run(run(list(range(12)), 12, 30))
    backward = asyncio.run(run(list(reversed(range(12))), 3, 4))
    assert forward == backward


def test_a_fork_goes_on_as_its_parent_does(model_folder: Path) -> None:
    async def run(max_rows: int) -> tuple[list[int], list[int], list[int], int]:
        engine = engine_of(model_folder, max_rows=max_rows)
        none = engine.codec.token_set("none", lambda: ())
        sequence = engine.open(SequenceKey(3, "p"), SamplingParams(1.0))
        sequence.extend([5, 6, 7] * 20)
        await sequence.sample(SampleRequest(10, none))
        twin, other = sequence.fork(), sequence.fork()
        other.discard(1)
        other.extend([9, 9])
        a, b = (
            await asyncio.gather(sequence.sample(SampleRequest(12, none)), twin.sample(SampleRequest(12, none)))
            if max_rows > 1
            else (
                await sequence.sample(SampleRequest(12, none)),
                None,
            )
        )
        if b is None:
            sequence.close()
            b = await twin.sample(SampleRequest(12, none))
            twin.close()
        c = await other.sample(SampleRequest(12, none))
        return a.token_ids, b.token_ids, c.token_ids, engine.stats.recomputed_tokens

    parent, twin, other, recomputed = asyncio.run(run(8))
    assert parent == twin
    assert parent != other
    assert recomputed == 0
    assert asyncio.run(run(1))[:3] == (parent, twin, other)  # no free slot: the prefix is computed again


def test_discarded_tokens_leave_no_trace(model_folder: Path) -> None:
    async def run(discard: bool) -> list[int]:
        engine = engine_of(model_folder)
        none = engine.codec.token_set("none", lambda: ())
        sequence = engine.open(SequenceKey(), SamplingParams())
        sequence.extend([1, 2, 3])
        first = (await sequence.sample(SampleRequest(6, none))).token_ids
        if discard:
            sequence.discard(1)
        else:
            sequence = engine.open(SequenceKey(), SamplingParams())
            sequence.extend([1, 2, 3, *first[:-1]])
        sequence.extend([50, 51, 52])
        return (await sequence.sample(SampleRequest(8, none))).token_ids

    assert asyncio.run(run(True)) == asyncio.run(run(False))


def test_rows_that_wait_keep_their_cache_while_others_move(model_folder: Path) -> None:
    """Half of the rows pause between pieces, so that slots are swapped and holes filled."""
    asked = prompts(24, 300, seed=4)

    async def row(engine: LocalEngine, index: int) -> list[int]:
        none = engine.codec.token_set("none", lambda: ())
        sequence = engine.open(SequenceKey(0, str(index)), SamplingParams())
        sequence.extend(asked[index])
        ids: list[int] = []
        for turn in range(5):
            ids += (await sequence.sample(SampleRequest(6, none))).token_ids
            if index % 2:
                await asyncio.sleep(0.004 * (1 + (index + turn) % 5))
            sequence.extend([index, turn])
            ids += [index, turn]
        sequence.close()
        return ids

    async def run(max_rows: int) -> list[list[int]]:
        engine = engine_of(model_folder, max_rows=max_rows)
        return await asyncio.gather(*(row(engine, index) for index in range(24)))

    assert asyncio.run(run(24)) == asyncio.run(run(1))


def test_watch_banned_and_context(model_folder: Path) -> None:
    async def run() -> None:
        engine = engine_of(model_folder)
        codec = engine.codec
        every = codec.token_set("all", lambda: range(codec.vocab_size))
        none = codec.token_set("none", lambda: ())
        sequence = engine.open(SequenceKey(), SamplingParams())
        sequence.extend([1, 2, 3])
        first = await sequence.sample(SampleRequest(5, every))
        assert first.end is SampleEnd.WATCH and len(first.token_ids) == 1
        fresh = engine.open(SequenceKey(), SamplingParams())
        fresh.extend([1, 2, 3])
        banned = codec.token_set("first", lambda: first.token_ids)
        other = await fresh.sample(SampleRequest(5, none, banned))
        assert first.token_ids[0] not in other.token_ids
        long = engine.open(SequenceKey(), SamplingParams())
        long.extend([7] * (engine.max_context - 3))
        last = await long.sample(SampleRequest(50, none))
        assert last.end is SampleEnd.CONTEXT and len(last.token_ids) == 3
        assert (await long.sample(SampleRequest(5, none))).token_ids == []
        with pytest.raises(EngineError, match="empty sequence"):
            await engine.open(SequenceKey(), SamplingParams()).sample(SampleRequest(1, none))

    asyncio.run(run())


def test_a_cancelled_row_leaves_the_batch(model_folder: Path) -> None:
    async def run() -> list[int]:
        engine = engine_of(model_folder, max_rows=2)
        doomed = [
            asyncio.create_task(generate(engine, [1, 2], 10_000, SequenceKey(0, str(i)), SamplingParams(), 500))
            for i in range(3)
        ]
        await asyncio.sleep(0.05)
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)
        engine._slots = [None] * 2  # their owners are gone
        return await asyncio.wait_for(generate(engine, [1, 2], 10, SequenceKey(0, "x"), SamplingParams()), 20)

    assert len(asyncio.run(run())) == 10


def test_what_cannot_be_loaded_says_so(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="was not found"):
        load_engine("/nowhere/at/all")
    with pytest.raises(EngineError, match=r"no config\.json"):
        load_engine(str(tmp_path))
    (tmp_path / "config.json").write_text(
        '{"model_type": "qwen2", "num_attention_heads": 2, "hidden_size": 8, "num_hidden_layers": 1, "vocab_size": 9, "hidden_act": "silu"}'
    )
    (tmp_path / "tokenizer.json").write_text('{"model": {"vocab": {"a": 0}}, "added_tokens": []}')
    with pytest.raises(EngineError, match="safetensors"):
        load_engine(str(tmp_path))


def test_a_move_takes_the_cache_along(model_folder: Path) -> None:
    """Rows of every length are moved at random between steps: they say what they say alone."""
    asked = prompts(12, 300, seed=7)

    async def alone() -> list[list[int]]:
        engine = engine_of(model_folder, max_rows=1)
        return [await generate(engine, asked[i], 20, SequenceKey(0, str(i)), SamplingParams()) for i in range(12)]

    async def shaken() -> list[list[int]]:
        engine = engine_of(model_folder, max_rows=16)
        rng = random.Random(0)
        step = engine._step

        def moving_step() -> None:
            for row in list(engine._active):
                engine._move(row, rng.randrange(16))
            step()

        engine._step = moving_step  # type: ignore[method-assign]
        return await asyncio.gather(
            *(generate(engine, asked[i], 20, SequenceKey(0, str(i)), SamplingParams()) for i in range(12))
        )

    assert asyncio.run(shaken()) == asyncio.run(alone())


@torch.inference_mode()
def test_the_cache_grows_by_need_and_keeps_what_it_holds(tmp_path: Path) -> None:
    model = SlotModel(make_tiny_model(tmp_path / "small", max_context=2048), 3)
    start = model.capacity
    assert start < 512
    for keys, values in zip(model._keys_SKDN, model._values_SKND, strict=True):
        keys.copy_(torch.rand_like(keys))
        values.copy_(torch.rand_like(values))
    before = [(keys.clone(), values.clone()) for keys, values in zip(model._keys_SKDN, model._values_SKND, strict=True)]
    model.reserve(start)
    assert model.capacity == start
    model.reserve(start + 1)
    assert start < model.capacity <= start + 256
    model.reserve(1500)
    assert 1500 <= model.capacity < 1500 + 256
    for (keys, values), new_keys, new_values in zip(before, model._keys_SKDN, model._values_SKND, strict=True):
        assert torch.equal(new_keys[..., :start], keys) and torch.equal(new_values[:, :, :start], values)
        assert not new_keys[..., start:].any() and not new_values[:, :, start:].any()
    model.reserve(2048)
    assert model.capacity == 2048
