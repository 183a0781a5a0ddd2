"""Drawing tokens so that a row's draws depend on its key alone.

Each row owns a counter-based stream of uniforms (Philox keyed by seed, problem and sample). The n-th sampled token of a
row uses the n-th uniform, whoever else is in the batch and however often the run was interrupted. A draw inverts the
cumulative distribution of the tokens sorted by probability, so one uniform is one token.

Shapes: B rows, V vocabulary, K candidates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from selftaught.engines.base import Score, SequenceKey

if TYPE_CHECKING:
    import torch

_BLOCK = 256
_TIERS = (16, 192)
"""Candidates looked at; the whole vocabulary is sorted only for rows where these hold less than top_p."""


class UniformStream:
    """The uniforms of one key, made in blocks, read by position: any fork reads the same ones."""

    __slots__ = ("_blocks", "_key")

    def __init__(self, key: SequenceKey) -> None:
        self._key = key.digest()
        self._blocks: list[np.ndarray] = []

    def __getitem__(self, position: int) -> float:
        while position >= _BLOCK * len(self._blocks):
            # The block's number goes into the counter's second word: in the first, blocks would overlap.
            philox = np.random.Philox(key=self._key, counter=[0, len(self._blocks), 0, 0])
            self._blocks.append(np.random.Generator(philox).random(_BLOCK))
        return float(self._blocks[position // _BLOCK][position % _BLOCK])


def greedy(logits_BV: torch.Tensor) -> torch.Tensor:
    """The first of the likeliest tokens of each row. Returns ids_B."""
    import torch

    if logits_BV.device.type != "cpu":
        return logits_BV.argmax(-1)
    return torch.from_numpy(logits_BV.numpy().argmax(-1))  # a quarter of the time on a large vocabulary


def draw(
    logits_BV: torch.Tensor, temperature_B: torch.Tensor, top_p_B: torch.Tensor, uniform_B: torch.Tensor
) -> torch.Tensor:
    """One token a row. All temperatures are above 0; logits are float32. Returns ids_B."""
    import torch

    scaled_BV = logits_BV / temperature_B[:, None]
    norm_B1 = scaled_BV.logsumexp(-1, keepdim=True)
    chosen_B = torch.empty(len(scaled_BV), dtype=torch.long, device=scaled_BV.device)
    rows_B = torch.arange(len(scaled_BV), device=scaled_BV.device)
    for num_candidates in (*_TIERS, scaled_BV.shape[1]):
        num_candidates = min(num_candidates, scaled_BV.shape[1])
        top_BK, ids_BK = likeliest(scaled_BV if len(rows_B) == len(scaled_BV) else scaled_BV[rows_B], num_candidates)
        prob_BK = (top_BK - norm_B1[rows_B]).exp_()
        before_BK = prob_BK.cumsum(-1) - prob_BK
        top_p_B1 = top_p_B[rows_B, None]
        prob_BK = prob_BK.masked_fill_(before_BK >= top_p_B1, 0.0)
        cumulative_BK = prob_BK.cumsum(-1)
        mass_B1 = cumulative_BK[:, -1:]
        index_B1 = (cumulative_BK <= uniform_B[rows_B, None] * mass_B1).sum(-1, keepdim=True)
        last_B1 = (prob_BK > 0).sum(-1, keepdim=True) - 1
        found_B = ids_BK.gather(1, torch.minimum(index_B1, last_B1)).squeeze(1)
        enough_B = (mass_B1 >= top_p_B1).squeeze(1)
        if num_candidates == scaled_BV.shape[1] or bool(enough_B.all()):
            chosen_B[rows_B] = found_B
            return chosen_B
        chosen_B[rows_B[enough_B]] = found_B[enough_B]
        rows_B = rows_B[~enough_B]
    return chosen_B


def likeliest(logits_BV: torch.Tensor, num: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Values and ids ``[B, num]`` of the likeliest tokens, the likeliest first.

    In a large vocabulary they are looked for in the ``num`` blocks with the likeliest best token: all of them lie there.
    """
    import torch

    num_rows, vocabulary = logits_BV.shape
    num_blocks = vocabulary // _BLOCK
    if num_blocks < 4 * num:
        return logits_BV.topk(num, dim=-1)
    whole = num_blocks * _BLOCK
    blocks_BNW = logits_BV[:, :whole].view(num_rows, num_blocks, _BLOCK)
    best_BK = blocks_BNW.amax(-1).topk(num, dim=-1).indices
    kept_BC = blocks_BNW.gather(1, best_BK[..., None].expand(-1, -1, _BLOCK)).flatten(1)
    kept_BC = torch.cat([kept_BC, logits_BV[:, whole:]], dim=-1)
    top_BK, at_BK = kept_BC.topk(num, dim=-1)
    block_BK = at_BK // _BLOCK
    inside = block_BK < num
    from_block_BK = best_BK.gather(1, block_BK.clamp(max=num - 1)) * _BLOCK + at_BK % _BLOCK
    return top_BK, from_block_BK.where(inside, at_BK - num * _BLOCK + whole)


def scores_of(logits_BV: torch.Tensor, ids_B: torch.Tensor) -> list[Score]:
    """What the model thought of the tokens ``ids_B``: of the plain distribution, whatever they were drawn from."""
    log_BV = logits_BV.log_softmax(-1)
    prob_BV = log_BV.exp()
    entropy_B = -(prob_BV * log_BV).nansum(-1)  # a logit of minus infinity adds nothing
    top_B2 = prob_BV.topk(2, dim=-1).values
    chosen_B = log_BV.gather(1, ids_B[:, None]).squeeze(1)
    columns = (chosen_B.tolist(), entropy_B.tolist(), (top_B2[:, 0] - top_B2[:, 1]).tolist())
    return [Score(*row) for row in zip(*columns, strict=True)]
