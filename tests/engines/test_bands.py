"""Slot packing: numbers only, any mixture of lengths, waiting rows and holes."""

from __future__ import annotations

import random

from selftaught.engines.bands import LOOK_EVERY, Band, Packing, bands_of, join_bands, sorting_moves


def carried_out(length_at: dict[int, int], moves: list[tuple[int, int]], num_slots: int) -> list[int | None]:
    """Which row (by its first slot) lies in each slot after ``moves``; rows that do not sample are negative."""
    slots: list[int | None] = [slot if slot in length_at else -slot - 1 for slot in range(num_slots)]
    for row, target in moves:
        source = slots.index(row)
        slots[source], slots[target] = slots[target], row
    return slots


def test_every_row_lands_in_the_band_of_its_rank() -> None:
    rng = random.Random(0)
    for _ in range(500):
        size = rng.choice([1, 3, 4, 16, 40])
        length_at = {slot: rng.randint(1, 9) for slot in sorted(rng.sample(range(40), rng.randint(1, 40)))}
        moves = sorting_moves(length_at, size)
        assert len(moves) <= len(length_at)
        slots = carried_out(length_at, moves, 40)
        assert sorted(slot if slot >= 0 else -slot - 1 for slot in slots if slot is not None) == list(range(40))
        after = {slot: length_at[row] for slot, row in enumerate(slots) if row is not None and row >= 0}
        assert list(after) == list(range(len(length_at)))  # nobody in between who does not sample
        ranked = sorted(length_at.values(), reverse=True)
        for low in range(0, len(after), size):
            assert sorted(list(after.values())[low : low + size], reverse=True) == ranked[low : low + size]
        assert not sorting_moves(after, size)


def test_bands_cover_the_rows_and_are_as_wide_as_the_longest() -> None:
    assert bands_of({0: 5, 2: 9, 17: 3, 33: 4}, 16) == [Band(0, 3, 9), Band(16, 18, 3), Band(32, 34, 4)]
    assert bands_of({}, 16) == []
    joined = join_bands([Band(0, 16, 100), Band(16, 32, 97), Band(32, 40, 50), Band(48, 50, 50)])
    assert joined == [Band(0, 32, 100), Band(32, 40, 50), Band(48, 50, 50)]


def test_rows_move_only_when_it_pays() -> None:
    packing = Packing(4)
    mixed = {slot: 1_000 if slot % 4 == 0 else 10 for slot in range(16)}
    looks = 0
    while not (moves := packing.moves(mixed, [mixed[slot] for slot in range(16)])):
        looks += 1
        assert looks < 100
    cost = sum(300 + 2 * max(mixed[row], mixed[target]) for row, target in moves)
    read = sum((band.high - band.low) * band.num_columns for band in bands_of(mixed, 4))
    best = 4 * 1_000 + 12 * 10
    assert looks * LOOK_EVERY * (read - best) <= cost <= (looks + 1) * LOOK_EVERY * (read - best)
    settled = dict(enumerate(sorted(mixed.values(), reverse=True)))
    assert not any(packing.moves(settled, [settled[slot] for slot in range(16)]) for _ in range(100))


def test_a_look_is_due_every_few_steps() -> None:
    packing = Packing(4)
    assert [packing.is_due() for _ in range(2 * LOOK_EVERY)].count(True) == 2
