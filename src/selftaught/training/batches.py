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


def training_order(lengths: Sequence[int], batch_size: int, num_steps: int, seed: int) -> list[int]:
    """Row indexes of a whole training, ``num_steps`` full batches: shuffled anew each epoch, like lengths side by side.

    Epochs follow one another without a short batch between them, so that any number of processes and accumulation steps
    sees the same batches: a short one would be filled up with doubled rows by a distributed sampler. In the stream, chunks
    of 16 batches are sorted by length and their batches are shuffled. What is left of the last epoch fills the last batch.
    """
    total = num_steps * batch_size
    stream: list[int] = []
    epoch = 0
    while len(stream) < total:
        order = list(range(len(lengths)))
        random.Random(f"{seed}:{epoch}").shuffle(order)
        stream += order
        epoch += 1
    del stream[total:]
    rng = random.Random(f"{seed}:batches")
    result: list[int] = []
    for start in range(0, total, 16 * batch_size):
        chunk = sorted(stream[start : start + 16 * batch_size], key=lambda i: lengths[i])
        batches = [chunk[i : i + batch_size] for i in range(0, len(chunk), batch_size)]
        rng.shuffle(batches)
        result += [index for batch in batches for index in batch]
    return result


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
