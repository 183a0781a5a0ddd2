"""From documents to training batches: encode, pack whole documents into rows, shuffle.

Rows hold whole documents, so that a question never stands in another row than its code. Short rows are 512 tokens,
documents longer than that go into rows of 1,024, filled up with short ones; what does not fit there is left out (and
counted).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHORT_ROW, LONG_ROW = 512, 1024
"""Tokens of a row. Two lengths, since attention over a row costs with its square and few documents are long."""
PAD_LABEL = -100
"""The label that PyTorch's cross-entropy ignores."""
_OPEN_BINS = 64
"""Rows that are still being filled. More of them pack a little tighter and take longer to search."""


@dataclass(frozen=True)
class Rows:
    """Packed rows of one length. ``ids`` is ``[N, row]``; positions from ``lengths`` on are padding."""

    ids: NDArray[np.uint16]
    lengths: NDArray[np.int32]


@dataclass
class PackedCorpus:
    """All rows with their counts."""

    short: Rows
    long: Rows
    num_documents: int
    num_tokens: int
    num_left_out: int


def encode(tokenizer: Any, texts: Iterable[str], chunk: int = 4096) -> Iterator[list[int]]:
    """Encode documents in order, ``chunk`` at a time."""
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == chunk:
            yield from (encoding.ids for encoding in tokenizer.encode_batch(batch))
            batch = []
    yield from (encoding.ids for encoding in tokenizer.encode_batch(batch))


class _Packer:
    """Packs documents into rows by best fit: into the fullest open row that has room. Only so many rows stay open."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.bins: list[list[int]] = []
        self.done: list[list[int]] = []

    def fill(self, ids: list[int]) -> bool:
        """Put ``ids`` into the fullest open bin that has room for them; False when none has."""
        fitting = [row for row in self.bins if len(row) + len(ids) <= self.size]
        if fitting:
            max(fitting, key=len).extend(ids)
        return bool(fitting)

    def add(self, ids: list[int]) -> None:
        if self.fill(ids):
            return
        if len(self.bins) == _OPEN_BINS:  # the fullest row is finished, since it has the least use for later documents
            self.done.append(self.bins.pop(max(range(_OPEN_BINS), key=lambda index: len(self.bins[index]))))
        self.bins.append(list(ids))

    def rows(self) -> Rows:
        everything = self.done + self.bins
        ids = np.zeros((len(everything), self.size), dtype=np.uint16)
        for index, row in enumerate(everything):
            ids[index, : len(row)] = row
        return Rows(ids, np.array([len(row) for row in everything], dtype=np.int32))


def pack(encoded: Iterable[list[int]], num_tokens: int | None = None) -> PackedCorpus:
    """Pack encoded documents into rows; of an endless stream so many that they hold ``num_tokens``."""
    short, long = _Packer(SHORT_ROW), _Packer(LONG_ROW)
    num_documents = packed_tokens = num_left_out = 0
    for ids in encoded:
        if num_tokens is not None and packed_tokens >= num_tokens:
            break
        if len(ids) > LONG_ROW:
            num_left_out += 1
            continue
        if len(ids) > SHORT_ROW:
            long.add(ids)
        elif not long.fill(ids):  # short documents first fill what long ones have left
            short.add(ids)
        num_documents += 1
        packed_tokens += len(ids)
    return PackedCorpus(short.rows(), long.rows(), num_documents, packed_tokens, num_left_out)


def batches(corpus: PackedCorpus, tokens_per_batch: int, seed: int) -> list[tuple[bool, list[int]]]:
    """A seeded order of batches: (is it of long rows, row indices)."""
    rng = random.Random(f"batches/{seed}")
    plan: list[tuple[bool, list[int]]] = []
    for is_long, rows, size in ((False, corpus.short, SHORT_ROW), (True, corpus.long, LONG_ROW)):
        order = list(range(len(rows.ids)))
        rng.shuffle(order)
        step = max(1, tokens_per_batch // size)
        plan += [(is_long, order[start : start + step]) for start in range(0, len(order), step)]
    rng.shuffle(plan)
    return plan


def take(corpus: PackedCorpus, batch: tuple[bool, list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``ids [B, T]`` and ``labels [B, T]`` of a batch; labels are the ids, with `PAD_LABEL` on padding."""
    rows = corpus.long if batch[0] else corpus.short
    ids = rows.ids[batch[1]].astype(np.int64)
    labels = ids.copy()
    for row, length in enumerate(rows.lengths[batch[1]]):
        labels[row, length:] = PAD_LABEL
    return ids, labels
