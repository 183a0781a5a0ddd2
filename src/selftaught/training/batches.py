"""Batches: order of the rows, right padding without a mask, packing without cross-talk.

Shapes: B rows, T tokens; ``input_ids_BT``, ``labels_BT``, ``position_ids_BT``, all int64.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from selftaught.training.render import IGNORE_INDEX, TrainingRow

if TYPE_CHECKING:
    import torch


def epoch_order(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[int]:
    """Row indexes of one epoch: shuffled by seed, neighbours of like length, so that little is padded.

    The shuffled rows are cut into chunks of 16 batches; each chunk is sorted by length and its batches are shuffled. Every
    row stands in the order exactly once.
    """
    rng = random.Random(f"{seed}:{epoch}")
    order = list(range(len(lengths)))
    rng.shuffle(order)
    batches: list[list[int]] = []
    chunk_size = 16 * batch_size
    for start in range(0, len(order), chunk_size):
        chunk = sorted(order[start : start + chunk_size], key=lambda i: lengths[i])
        batches += [chunk[i : i + batch_size] for i in range(0, len(chunk), batch_size)]
    short = [batch for batch in batches if len(batch) < batch_size]
    batches = [batch for batch in batches if len(batch) == batch_size]
    rng.shuffle(batches)
    return [index for batch in batches + short for index in batch]


def pack(lengths: Sequence[int], max_length: int, seed: int) -> list[list[int]]:
    """Row indexes grouped into packs of at most ``max_length`` tokens: best-fit decreasing, then shuffled by seed."""
    import bisect

    packs: list[list[int]] = []
    rooms: list[tuple[int, int]] = []  # (room left, pack), ascending
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        at = bisect.bisect_left(rooms, (lengths[index], -1))
        if at < len(rooms):
            room, number = rooms.pop(at)
        else:
            room, number = max_length, len(packs)
            packs.append([])
        packs[number].append(index)
        if room - lengths[index] > 0:
            bisect.insort(rooms, (room - lengths[index], number))
    random.Random(f"{seed}:pack").shuffle(packs)
    return packs


def collate_padded(rows: Sequence[Sequence[TrainingRow]]) -> dict[str, torch.Tensor]:
    """Rows of one batch, right-padded. Under causal attention a row never sees what stands to its right, so no mask is built."""
    import torch

    flat = [row for item in rows for row in item]
    length = max(len(row.input_ids) for row in flat)
    length += -length % 8
    input_ids_BT = torch.zeros(len(flat), length, dtype=torch.long)
    labels_BT = torch.full((len(flat), length), IGNORE_INDEX, dtype=torch.long)
    for i, row in enumerate(flat):
        input_ids_BT[i, : len(row.input_ids)] = torch.tensor(row.input_ids)
        labels_BT[i, 1 : len(row.labels)] = torch.tensor(row.labels[1:])
    return {"input_ids": input_ids_BT, "labels": labels_BT}


def collate_packed(packs: Sequence[Sequence[TrainingRow]]) -> dict[str, torch.Tensor]:
    """Packs of one micro batch as one long row; positions restart at each row, and the first label of a row is masked.

    Attention kernels read the restarts of ``position_ids`` and keep rows apart (block-diagonal mask or variable length).
    """
    import torch

    input_ids: list[int] = []
    labels: list[int] = []
    positions: list[int] = []
    for row in (row for rows in packs for row in rows):
        input_ids += row.input_ids
        labels += [IGNORE_INDEX, *row.labels[1:]]
        positions += range(len(row.input_ids))
    return {
        "input_ids": torch.tensor([input_ids]),
        "labels": torch.tensor([labels]),
        "position_ids": torch.tensor([positions]),
    }
