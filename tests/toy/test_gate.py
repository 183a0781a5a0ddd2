"""The gate tells a base that may be used from one that may not."""

from __future__ import annotations

import torch

from selftaught.toy import WEIGHTS_DIR
from selftaught.toy.gate import gate
from selftaught.toy.model import load_pretrained


def test_gate_tells_a_base_that_closes_its_thinking_from_one_that_closes_another_tag() -> None:
    model, tokenizer = load_pretrained(WEIGHTS_DIR)
    assert gate(model, tokenizer, num_each=1).closed["after 1 cell"] == (16, 16)
    thinking, other = (tokenizer.token_to_id(tag) for tag in ("</think>", "</work>"))
    with torch.no_grad():
        model.embed.weight[[thinking, other]] = model.embed.weight[[other, thinking]]
    assert gate(model, tokenizer, num_each=1).closed["after 1 cell"] == (0, 16)
