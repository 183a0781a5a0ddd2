"""Tokenizer, packing, network and a whole miniature pretraining run that survives being stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from selftaught.toy import data
from selftaught.toy.corpus import documents
from selftaught.toy.gate import gate
from selftaught.toy.model import ModelConfig, TinyQwen2, load_pretrained
from selftaught.toy.pretrain import PretrainSettings, pretrain, rate_at
from selftaught.toy.tokenizer import SPECIAL_TOKENS, train_tokenizer

TINY = ModelConfig(hidden_size=48, num_layers=2, num_heads=4, num_kv_heads=2, mlp_size=96)
SETTINGS = PretrainSettings(
    tokenizer_documents=300,
    num_tokens=24_000,
    warmup_documents=40,
    plain_documents=100,
    tokens_per_batch=1024,
    gate_every_steps=1000,
    final_gate_each=1,
    model=TINY,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return pretrain(tmp_path_factory.mktemp("pretrain"), SETTINGS, device="cpu", report=lambda line: None)


def test_numbers_are_pairs_of_digits_and_text_comes_back() -> None:
    tokenizer = train_tokenizer(documents(0, 0, 500))
    assert tokenizer.encode("2023").tokens == ["20", "23"]
    assert tokenizer.encode("x = 100").tokens[-2:] == ["10", "0"]
    for text in ["Wait, é 你好 \u202e\x00 done", *documents(1, 0, 30)]:
        assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text
    ids = [tokenizer.token_to_id(name) for name in SPECIAL_TOKENS]
    assert len(set(ids)) == len(SPECIAL_TOKENS)


def test_the_fast_and_the_library_tokenizer_agree(finished: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = Tokenizer.from_file(str(finished / "tokenizer.json"))
    library = AutoTokenizer.from_pretrained(finished)  # beside config.json, whose model type has rules of its own
    assert library.tokenize("7^2023") == ["7", "^", "20", "23"]
    for text in documents(1, 0, 30):
        assert library.encode(text, add_special_tokens=False) == tokenizer.encode(text).ids
    prompt = library.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True
    )
    assert prompt == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n"


def test_packing_keeps_documents_whole() -> None:
    texts = [
        [index % 1000 + 1] * length for index, length in enumerate(np.random.default_rng(0).integers(5, 1100, 300))
    ]
    packed = data.pack(iter(texts))
    assert packed.num_documents + packed.num_left_out == 300
    assert packed.num_tokens == sum(len(text) for text in texts if len(text) <= data.LONG_ROW)
    assert packed.num_tokens == int(packed.short.lengths.sum() + packed.long.lengths.sum())
    some = data.pack(iter(texts), num_tokens=5000)
    assert 5000 <= some.num_tokens < 5000 + data.LONG_ROW
    plan = data.batches(packed, 2048, seed=0)
    seen = [(is_long, row) for is_long, rows in plan for row in rows]
    assert len(seen) == len(set(seen)) == len(packed.short.ids) + len(packed.long.ids)
    ids, labels = data.take(packed, plan[0])
    assert ((labels == ids) | (labels == data.PAD_LABEL)).all()


def test_logits_equal_the_librarys(finished: Path) -> None:
    from transformers import AutoModelForCausalLM

    ours, tokenizer = load_pretrained(finished)
    library = AutoModelForCausalLM.from_pretrained(finished, dtype=torch.float32).eval()
    ids = torch.tensor([tokenizer.encode(next(iter(documents(3, 0, 1)))).ids[:120]])
    with torch.no_grad():
        difference = (ours.logits(ids) - library(ids).logits).abs().max()
    assert difference < 1e-4


def test_a_stopped_run_ends_in_the_same_weights(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    original = TinyQwen2.loss

    def failing(self: TinyQwen2, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 10:
            raise KeyboardInterrupt
        return original(self, ids, labels)

    often = PretrainSettings(**{**SETTINGS.__dict__, "checkpoint_every_s": 0.0})
    with monkeypatch.context() as patch:
        patch.setattr(TinyQwen2, "loss", failing)
        with pytest.raises(KeyboardInterrupt):
            pretrain(tmp_path, often, device="cpu", report=lambda line: None)
    resumed = load_pretrained(pretrain(tmp_path, often, device="cpu", report=lambda line: None))[0]
    unbroken = load_pretrained(finished)[0]
    for name, parameter in unbroken.named_parameters():
        assert torch.equal(parameter, dict(resumed.named_parameters())[name]), name


def test_rate_rises_stays_and_falls() -> None:
    rates = [rate_at(step, 2000, SETTINGS) for step in range(2000)]
    assert rates[0] < 0.05
    assert rates[200] == 1.0
    assert all(a >= b for a, b in zip(rates[300:], rates[301:], strict=False))
    assert rates[-1] <= 0.02


def test_gate_counts_every_class(finished: Path) -> None:
    rates = gate(*load_pretrained(finished), num_each=2).rates()
    assert {"copy 1 digit", "copy 2 digits", "copy pair", "easy", "returned"} <= set(rates)
    assert {"closed after 1 cell", "closed after 3 cells", "closed far back"} <= set(rates)
    assert all(0 <= rate <= 1 for rate in rates.values())
