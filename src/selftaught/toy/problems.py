"""Problems of the embedded reasoner, in four splits that share no question.

A split is decided by the hash of the *rendered question* (`records.question_hash`), never by parameters: two draws that
render the same text fall into the same split. ``pretrain`` feeds the pretraining text, ``pool`` Hint-RFT, ``dev`` every
decision made while developing, ``test`` the report alone.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from enum import StrEnum

from selftaught.errors import ConfigError
from selftaught.records import Problem, question_hash
from selftaught.toy.families import GROUPS, Item

NUM_BUCKETS = 100
GROUP_SHARES: dict[str, float] = {"hard": 0.42, "easy": 0.22, "code": 0.22, "choice": 0.14}
"""Share of each group in a generated set when only a total is given."""


class Split(StrEnum):
    """Disjoint by the question's hash."""

    PRETRAIN = "pretrain"
    POOL = "pool"
    DEV = "dev"
    TEST = "test"


_FIRST_BUCKET = {Split.PRETRAIN: 0, Split.POOL: 76, Split.DEV: 88, Split.TEST: 92}
"""Split → the first of its buckets; its last one stands before the next split's first."""


def split_of(rendered_question: str) -> Split:
    """The split that a question belongs to.

    The split follows from eight hex digits of the question's hash. Whenever a table on the test split has shown what
    the pretraining text lacks, that split is no longer unseen by the developer. Then other digits are taken, which
    draws all splits anew: the first eight for the first table, then the last eight, then ``[4:12]``, now ``[6:14]``
    (docs/log.md).
    """
    bucket = int(question_hash(rendered_question)[6:14], 16) % NUM_BUCKETS
    return max((split for split, first in _FIRST_BUCKET.items() if first <= bucket), key=_FIRST_BUCKET.__getitem__)


def draw(rng: random.Random, group: str, split: Split, family: str | None = None) -> Item:
    """Draw an item of ``group`` whose question lies in ``split``."""
    families = GROUPS[group]
    name = family or rng.choice(sorted(families))
    while True:
        item = families[name](rng)
        if split_of(item.question) is split:
            return item


def items(split: Split | str, counts: Mapping[str, int], seed: int = 0) -> list[Item]:
    """Distinct items of ``split``: ``counts`` by group, families in turn, shuffled; the same for the same seed."""
    split = Split(split)
    rng = random.Random(f"{split}/{seed}")
    seen: set[str] = set()
    drawn: list[Item] = []
    for group, count in counts.items():
        if group not in GROUPS:
            raise ConfigError(f"group is {group!r}; expected one of {', '.join(GROUPS)}.")
        names = sorted(GROUPS[group])
        for index in range(count):
            for _ in range(10_000):  # a small split of a small family may hold fewer questions than are asked for
                item = draw(rng, group, split, names[index % len(names)])
                if item.question not in seen:
                    break
            else:
                raise ConfigError(
                    f"count of {group} is {count}; {split} holds fewer distinct questions. Ask for fewer."
                )
            seen.add(item.question)
            drawn.append(item)
    rng.shuffle(drawn)
    return drawn


def to_problem(item: Item, split: Split) -> Problem:
    """The record of an item. The question is complete as it stands: choices and samples are part of its text."""
    return Problem(
        id=f"toy-{split}-{question_hash(item.question)}",
        problem=item.question,
        kind=item.kind,
        answer=item.answer,
        choices=list(item.choices) or None,
        tests=list(item.tests) or None,
        fn_name="solve" if item.tests else None,
        source="toy",
        split=split,
        metadata={"family": item.family, "group": item.group, "rendered": True},
    )


def counts_for(total: int) -> dict[str, int]:
    """``total`` problems shared out by `GROUP_SHARES`."""
    counts = {group: round(total * share) for group, share in GROUP_SHARES.items()}
    counts["hard"] += total - sum(counts.values())
    return counts


def generate(
    split: Split | str, total: int | None = None, *, counts: Mapping[str, int] | None = None, seed: int = 0
) -> list[Problem]:
    """Problem records of ``split``: ``total`` by the usual shares, or ``counts`` by group.

    Raises ConfigError when neither or both are given, or when a split holds too few distinct questions.
    """
    if (total is None) == (counts is None):
        raise ConfigError("generate() wants total or counts; give exactly one of them.")
    split = Split(split)
    return [to_problem(item, split) for item in items(split, counts or counts_for(total or 0), seed)]
