"""Splits share no rendered question, and generation is a function of its arguments."""

from __future__ import annotations

import random

import pytest

from selftaught.errors import ConfigError
from selftaught.records import question_hash
from selftaught.toy.families import GROUPS
from selftaught.toy.problems import GROUP_SHARES, Split, counts_for, draw, generate, items, split_of


def test_splits_are_disjoint_by_the_rendered_question() -> None:
    questions = {split: {question_hash(p.problem) for p in generate(split, 300, seed=3)} for split in Split}
    for first in Split:
        for second in Split:
            assert first is second or not questions[first] & questions[second]


def test_pretraining_draws_stay_in_their_split() -> None:
    rng = random.Random(0)
    for group in GROUPS:
        for _ in range(100):
            assert split_of(draw(rng, group, Split.PRETRAIN).question) is Split.PRETRAIN


def test_white_space_does_not_change_the_split() -> None:
    question = "What is  3 plus 4?\nAnd why?"
    assert split_of(question) is split_of("What is 3 plus 4? And why?")


def test_generation_is_repeatable_and_distinct() -> None:
    first, second = generate("pool", 200, seed=1), generate("pool", 200, seed=1)
    assert first == second
    assert len({problem.id for problem in first}) == 200
    assert generate("pool", 200, seed=2) != first


def test_counts_add_up() -> None:
    assert sum(GROUP_SHARES.values()) == pytest.approx(1)
    for total in (1, 7, 100, 431):
        assert sum(counts_for(total).values()) == total
    assert {p.metadata["group"] for p in generate("dev", 50)} == set(GROUPS)


def test_bad_requests_are_refused() -> None:
    with pytest.raises(ConfigError, match="exactly one"):
        generate("dev")
    with pytest.raises(ConfigError, match="group is 'odd'"):
        items("dev", {"odd": 3})


def test_every_family_appears() -> None:
    families = {p.metadata["family"] for p in generate("test", 300)}
    assert families == {name for group in GROUPS.values() for name in group}
