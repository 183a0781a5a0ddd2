"""The network: attention by blocks is attention."""

from __future__ import annotations

import pytest
import torch

from selftaught.toy.model import causal_attention


@pytest.mark.parametrize("length", [1, 127, 128, 300])
def test_attention_in_blocks_equals_the_fused_one(length: int) -> None:
    torch.manual_seed(length)
    inputs = [torch.randn(2, heads, length, 16, requires_grad=True) for heads in (6, 2, 2)]
    grad = torch.randn(2, 6, length, 16)
    results = []
    for attend in (
        causal_attention,
        lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True),
    ):
        out = attend(*inputs)
        results.append([out, *torch.autograd.grad(out, inputs, grad)])
    for ours, fused in zip(*results, strict=True):
        assert torch.allclose(ours, fused, atol=1e-5)
