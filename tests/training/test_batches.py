"""Order, padding and packing lose and double nothing."""

from __future__ import annotations

import random

import pytest

from selftaught.training.batches import collate_packed, collate_padded, pack, training_order
from selftaught.training.render import IGNORE_INDEX, TrainingRow


def rows(count: int, seed: int = 0, longest: int = 60) -> list[TrainingRow]:
    rng = random.Random(seed)
    made = []
    for number in range(count):
        ids = [rng.randrange(1, 500) for _ in range(rng.randrange(2, longest))]
        labels = [i if rng.random() < 0.7 else IGNORE_INDEX for i in ids]
        made.append(TrainingRow(str(number), ids, labels))
    return made


@pytest.mark.parametrize(("count", "steps"), [(1, 1), (7, 3), (8, 2), (100, 25)])
def test_the_order_takes_every_row_equally_often(count: int, steps: int) -> None:
    lengths = [len(row.input_ids) for row in rows(count)]
    first = training_order(lengths, 8, steps, seed=1)
    assert len(first) == 8 * steps
    times = [first.count(i) for i in range(count)]
    assert max(times) - min(times) <= 1
    assert first == training_order(lengths, 8, steps, seed=1)
    if count == 100:
        assert first != training_order(lengths, 8, steps, seed=2)


def test_length_buckets_waste_little() -> None:
    lengths = [len(row.input_ids) for row in rows(400, longest=400)]
    order = training_order(lengths, 8, 50, seed=0)
    padded = sum(8 * max(lengths[i] for i in order[b : b + 8]) for b in range(0, 400, 8))
    assert padded < 1.15 * sum(lengths)


def test_packs_hold_every_row_once_and_fit() -> None:
    lengths = [len(row.input_ids) for row in rows(300)]
    packs = pack(lengths, 128, seed=0)
    assert sorted(i for one in packs for i in one) == list(range(300))
    assert all(sum(lengths[i] for i in one) <= 128 for one in packs)
    assert sum(lengths) / (128 * len(packs)) > 0.97


def test_padding_keeps_every_label() -> None:
    made = rows(9)
    batch = collate_padded([[row] for row in made])
    for i, row in enumerate(made):
        n = len(row.input_ids)
        assert batch["input_ids"][i, :n].tolist() == row.input_ids
        assert batch["labels"][i, 1:n].tolist() == row.labels[1:]
        assert batch["labels"][i, 0] == IGNORE_INDEX and (batch["labels"][i, n:] == IGNORE_INDEX).all()


def test_packing_restarts_positions_and_masks_the_seam() -> None:
    made = rows(4)
    batch = collate_packed([made[:2], made[2:]])
    assert batch["input_ids"][0].tolist() == [i for row in made for i in row.input_ids]
    at = 0
    for row in made:
        n = len(row.input_ids)
        assert batch["position_ids"][0, at : at + n].tolist() == list(range(n))
        assert batch["labels"][0, at] == IGNORE_INDEX
        assert batch["labels"][0, at + 1 : at + n].tolist() == row.labels[1:]
        at += n
