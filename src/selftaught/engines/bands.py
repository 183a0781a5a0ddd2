"""Slot packing: which row lies in which slot of the cache, so that attention reads little that it does not need.

The rows of a batch have different lengths, but attention over many rows is one batched matrix product, and a product has
one width. With all slots in one product, every row costs as much as the longest. So slots are taken in **bands** of
neighbours, one product a band, each as wide as its longest row. That pays only if rows of like length lie side by side.
They do not by themselves: a row gets whatever slot is free when it starts, and rows end in any order. So rows are moved now
and then: sorted by length, the longest in the first band, and slots that do not sample at the moment (their tool runs, or
they are empty) behind all of them.

What a move costs: two slots exchange their keys and values, which is a copy of memory, about as long as attention over
`MOVE_COLUMNS` columns plus `MOVE_SHARE` for each column that is copied. So nothing moves at once. The **excess**, columns that
were read in vain compared with the best packing, is added up from step to step, and the rows move when the excess since
the last move is larger than what the moves would cost. Whatever the lengths do, at most about twice the best is paid.

Everything here is about numbers of slots and columns: it knows neither tokens nor tensors. Where rows lie changes no token
(save for rounding: the width of a product may change its last bits).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

BAND_ROWS = 16
"""Slots of a band on a CPU. A GPU takes all at once: there each product costs a launch."""

LOOK_EVERY = 4
"""Steps from one look at the packing to the next."""

MOVE_COLUMNS, MOVE_SHARE = 300, 2
"""What exchanging two slots costs, in columns of attention: fixed, and for each column of the longer one."""


class Band(NamedTuple):
    """Neighbouring slots whose attention is one product."""

    low: int
    """First slot."""
    high: int
    """Slot after the last."""
    num_columns: int
    """Columns (positions) that attention reads: the length of the longest row."""


class Move(NamedTuple):
    """The row that lay in slot ``row`` before the first move goes to ``target``; who is there takes its place."""

    row: int
    target: int


class Packing:
    """Decides when rows move, and where to. One for each engine; asked once a step."""

    def __init__(self, band_size: int) -> None:
        self.band_size = band_size
        self._excess, self._enough, self._num_steps = 0, MOVE_COLUMNS, 0

    def is_due(self) -> bool:
        """Count a step; True when it is time for a look."""
        self._num_steps += 1
        return self._num_steps % LOOK_EVERY == 0

    def moves(self, length_at: Mapping[int, int], cached_at: Sequence[int]) -> list[Move]:
        """The moves that pay now, to be done in this order; mostly none.

        ``length_at``: tokens of each sampling row by its slot, in ascending order of slots. ``cached_at``: columns that are
        cached in each slot, 0 for an empty one.
        """
        size = self.band_size
        lengths = sorted(length_at.values(), reverse=True)
        best = sum(lengths[at] * min(size, len(lengths) - at) for at in range(0, len(lengths), size))
        read = sum((band.high - band.low) * band.num_columns for band in bands_of(length_at, size))
        self._excess += LOOK_EVERY * max(0, read - best)
        if self._excess <= self._enough:
            return []
        moves = sorting_moves(length_at, size)
        cost = sum(MOVE_COLUMNS + MOVE_SHARE * max(cached_at[row], cached_at[target]) for row, target in moves)
        if self._excess < cost:
            self._enough = cost  # sorting the rows takes time, too: not again before it can pay
            return []
        self._excess, self._enough = 0, MOVE_COLUMNS
        return moves


def bands_of(length_at: Mapping[int, int], band_size: int) -> list[Band]:
    """The bands that hold the sampling rows (by slot, ascending), each cut after its last row; bands without rows are left out."""
    bands: list[Band] = []
    low, end, last, columns = -1, 0, 0, 0
    for slot, length in length_at.items():
        if slot < end:
            columns = max(columns, length)
        else:
            if low >= 0:
                bands.append(Band(low, last + 1, columns))
            low = slot - slot % band_size
            end, columns = low + band_size, length
        last = slot
    if low >= 0:
        bands.append(Band(low, last + 1, columns))
    return bands


def join_bands(bands: Sequence[Band]) -> list[Band]:
    """Neighbouring bands of nearly the same width as one: a product less is worth a sixteenth more columns."""
    joined: list[Band] = []
    for low, high, columns in bands:
        if joined and joined[-1].high == low and 16 * abs(joined[-1].num_columns - columns) <= columns:
            first, _, others = joined.pop()
            low, columns = first, max(columns, others)
        joined.append(Band(low, high, columns))
    return joined


def sorting_moves(length_at: Mapping[int, int], band_size: int) -> list[Move]:
    """Few moves that bring every sampling row into the band of its rank by length, the longest first.

    Inside its band a row may lie anywhere, so rows that are in the right band stay. Each other one goes to a place of its
    band that is still open; that takes at most one move a row.
    """
    num_rows = len(length_at)
    ranked = sorted(length_at, key=lambda row: -length_at[row])  # a row is named by the slot it lies in now
    band_of = {row: rank // band_size for rank, row in enumerate(ranked)}
    slot_of = {row: row for row in length_at}
    row_at = dict(slot_of)

    def is_settled(slot: int) -> bool:
        row = row_at.get(slot)
        return row is not None and slot < num_rows and band_of[row] == slot // band_size

    open_places = [
        [slot for slot in range(low, min(low + band_size, num_rows)) if not is_settled(slot)]
        for low in range(0, num_rows, band_size)
    ]
    moves = []
    for row in ranked:
        source = slot_of[row]
        if is_settled(source):
            continue
        target = open_places[band_of[row]].pop()
        other = row_at.pop(target, None)
        row_at.pop(source, None)
        row_at[target], slot_of[row] = row, target
        if other is not None:
            row_at[source], slot_of[other] = other, source
            if is_settled(source) and source in open_places[source // band_size]:
                open_places[source // band_size].remove(source)
        moves.append(Move(row, target))
    return moves
