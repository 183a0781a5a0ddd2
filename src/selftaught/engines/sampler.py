"""Drawing tokens so that a row's draws depend on its key alone.

Each row owns a counter-based stream of uniforms (Philox keyed by seed, problem and sample). The n-th sampled token of a
row uses the n-th uniform, whoever else is in the batch and however often the run was interrupted. A draw inverts the
cumulative distribution of the tokens sorted by probability, so one uniform is one token.

Shapes: B rows, V vocabulary, K candidates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from selftaught.engines.base import SequenceKey

if TYPE_CHECKING:
    import torch

_BLOCK = 256
_TOP = 24
"""Candidates looked at first; the whole vocabulary is sorted only where they hold less than top_p."""


class UniformStream:
    """The uniforms of one key, made in blocks, read by position: any fork reads the same ones."""

    __slots__ = ("_blocks", "_key")

    def __init__(self, key: SequenceKey) -> None:
        self._key = key.digest()
        self._blocks: list[np.ndarray] = []

    def __getitem__(self, position: int) -> float:
        while position >= _BLOCK * len(self._blocks):
            philox = np.random.Philox(key=self._key, counter=[len(self._blocks), 0, 0, 0])
            self._blocks.append(np.random.Generator(philox.jumped(1)).random(_BLOCK))
        return float(self._blocks[position // _BLOCK][position % _BLOCK])


def draw(logits_BV: torch.Tensor, temperature_B: torch.Tensor, top_p_B: torch.Tensor, uniform_B: torch.Tensor) -> torch.Tensor:
    """One token a row. All temperatures are above 0; logits are float32. Returns ids_B."""
    import torch

    scaled_BV = logits_BV / temperature_B[:, None]
    vocab = scaled_BV.shape[1]
    top_BK, ids_BK = scaled_BV.topk(min(_TOP, vocab), dim=-1)
    norm_B = scaled_BV.logsumexp(-1, keepdim=True)
    prob_BK = (top_BK - norm_B).exp_()
    if _TOP < vocab and bool((prob_BK.sum(-1) < top_p_B).any()):
        top_BK, ids_BK = scaled_BV.sort(dim=-1, descending=True)
        prob_BK = (top_BK - norm_B).exp_()
    before_BK = prob_BK.cumsum(-1) - prob_BK
    prob_BK = prob_BK.masked_fill(before_BK >= top_p_B[:, None], 0.0)
    cumulative_BK = prob_BK.cumsum(-1)
    point_B1 = uniform_B[:, None] * cumulative_BK[:, -1:]
    chosen_B1 = (cumulative_BK <= point_B1).sum(-1, keepdim=True)
    last_B1 = (prob_BK > 0).sum(-1, keepdim=True) - 1
    return ids_BK.gather(1, torch.minimum(chosen_B1, last_B1)).squeeze(1)
