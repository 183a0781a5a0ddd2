"""Cross-entropy of a large vocabulary without all its logits at once.

The logits of 16,384 tokens and 152 K words take 10 GB in float32, and cross-entropy and its gradient as much again, two to
three times. So the output layer is multiplied by some hundred tokens at a time. Each piece's loss and its gradients are
computed at once and the piece is dropped; nothing is computed twice. Only tokens with a loss weight count.

Shapes: N tokens with loss, C hidden size, V vocabulary; B rows, T tokens.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from selftaught.training.settings import LOGIT_CHUNK_BYTES

FAMILIES = ("llama", "mistral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe")
"""Architectures whose logits are the plain output layer: others scale or cap them afterwards."""


class _ChunkedLoss(torch.autograd.Function):
    """Hidden states [N, C], output matrix [V, C], targets [N] → sum of the cross-entropies, float32."""

    @staticmethod
    def forward(
        ctx: Any, hidden_NC: torch.Tensor, weight_VC: torch.Tensor, targets_N: torch.Tensor, kind: torch.dtype
    ) -> torch.Tensor:
        """``kind`` is the number type of the products; losses are summed in float32."""
        x, weight = hidden_NC.to(kind), weight_VC.to(kind)
        wants_x, wants_weight = ctx.needs_input_grad[:2]
        grad_x = torch.empty_like(hidden_NC) if wants_x else None
        grad_weight = torch.zeros_like(weight_VC) if wants_weight else None
        total = torch.zeros((), dtype=torch.float32, device=x.device)
        num_tokens = max(1, LOGIT_CHUNK_BYTES // (4 * len(weight)))
        for low in range(0, len(x), num_tokens):
            piece, targets = x[low : low + num_tokens], targets_N[low : low + num_tokens, None]
            logits = (piece @ weight.t()).float()
            log_sum = logits.logsumexp(-1, keepdim=True)
            total += (log_sum - logits.gather(1, targets)).sum()
            grad = logits.sub_(log_sum).exp_()  # the softmax, in the same memory
            grad.scatter_add_(1, targets, grad.new_full((1, 1), -1.0).expand_as(targets))
            grad = grad.to(kind)
            if grad_x is not None:
                grad_x[low : low + num_tokens] = grad @ weight
            if grad_weight is not None and grad_weight.dtype == kind:
                grad_weight.addmm_(grad.t(), piece)
            elif grad_weight is not None:
                grad_weight += grad.t() @ piece
        ctx.grads = (grad_x, grad_weight)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None, None]:
        """The gradients of the sum, times the one of what was made of it."""
        grad_x, grad_weight = (made.mul_(grads[0]) if made is not None else None for made in ctx.grads)
        ctx.grads = ()
        return grad_x, grad_weight, None, None


def chunked_loss(hidden_NC: torch.Tensor, weight_VC: torch.Tensor, targets_N: torch.Tensor) -> torch.Tensor:
    """Sum of the cross-entropies of ``hidden_NC @ weight_VC.T`` in the number type that autocast asks for."""
    device = hidden_NC.device.type
    kind = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight_VC.dtype
    with torch.autocast(device, enabled=False):
        loss: torch.Tensor = _ChunkedLoss.apply(hidden_NC, weight_VC, targets_N, kind)
    return loss


def output_layer(model: Any) -> torch.nn.Linear | None:
    """The layer that makes logits, if all that happens to them is known: a plain one of a known architecture."""
    if getattr(getattr(model, "config", None), "model_type", None) not in FAMILIES:
        return None
    layer = model.get_output_embeddings()
    return layer if type(layer) is torch.nn.Linear and layer.bias is None else None


def is_large(layer: torch.nn.Linear, num_tokens: int) -> bool:
    """Whether the logits of so many tokens are worth being cut."""
    return 4 * layer.out_features * num_tokens > LOGIT_CHUNK_BYTES


@contextlib.contextmanager
def loss_as_logits(layer: torch.nn.Linear, targets_BT: torch.Tensor, ignored: int) -> Iterator[None]:
    """Inside, ``layer`` gives the summed loss of its input [B, T, C] instead of logits.

    So the whole model's own forward pass is called, and what wraps it (several processes, mixed precision) has its part.
    """
    wanted_BT = targets_BT != ignored

    def forward(hidden_BTC: torch.Tensor) -> torch.Tensor:
        return chunked_loss(hidden_BTC[wanted_BT], layer.weight, targets_BT[wanted_BT])

    layer.forward = forward  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        del layer.forward
