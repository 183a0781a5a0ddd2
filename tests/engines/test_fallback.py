from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import torch

from selftaught.engines import SampleRequest, SamplingParams, SequenceKey, load_engine
from selftaught.engines.fallback import TransformersEngine
from selftaught.engines.tiny import write_tokenizer

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpt2")
    vocab = write_tokenizer(folder)
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=vocab, n_positions=128, n_embd=32, n_layer=2, n_head=2, initializer_range=0.3
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def test_another_architecture_runs_through_transformers(gpt2: Path) -> None:
    async def run() -> None:
        engine = load_engine(str(gpt2))
        assert isinstance(engine, TransformersEngine)
        none = engine.codec.token_set("none", lambda: ())
        sequence = engine.open(SequenceKey(), SamplingParams())
        prompt = engine.codec.encode_chat("What is 1 + 2?")
        sequence.extend(prompt)
        ids = (await sequence.sample(SampleRequest(12, none))).token_ids
        want = engine._model.generate(
            torch.tensor([prompt]), max_new_tokens=12, do_sample=False, eos_token_id=None, pad_token_id=0
        )
        assert want[0, len(prompt) :].tolist() == ids
        twin = sequence.fork()
        sequence.discard(2)
        sequence.extend([5])
        a = (await sequence.sample(SampleRequest(4, none))).token_ids
        fresh = engine.open(SequenceKey(), SamplingParams())
        fresh.extend([*prompt, *ids[:-2], 5])
        assert (await fresh.sample(SampleRequest(4, none))).token_ids == a
        again = engine.open(SequenceKey(), SamplingParams())
        again.extend([*prompt, *ids])
        assert (await twin.sample(SampleRequest(4, none))).token_ids == (
            await again.sample(SampleRequest(4, none))
        ).token_ids

    asyncio.run(run())
