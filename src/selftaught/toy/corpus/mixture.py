"""The mixture: how often each shape is drawn, and document N of a seed as a pure function of both numbers.

The order of the random draws is part of the text. A draw that is added, left out or moved changes every later one, and
with it the corpus that the shipped weights were trained on.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from selftaught.toy.corpus.chat import chat
from selftaught.toy.corpus.detour import OPENED_TAG, with_detour
from selftaught.toy.corpus.drill import drill
from selftaught.toy.corpus.pasted import pasted
from selftaught.toy.corpus.pieces import END_OF_TEXT
from selftaught.toy.corpus.worksheet import worksheet
from selftaught.toy.families.item import pick
from selftaught.toy.problems import Split, draw

# Why these weights (they need not add up to 1):
# - Easy chats are the most. Looking a number up and saying it is what every other shape builds on.
# - Hard chats outnumber hard worksheets, so that a thinking most likely begins by hand; there are enough worksheets
#   that   the rest of a cell is likely once a hint has opened one.
# - Every group has pasted chats. A model learns to end a thinking after an output for each kind of answer apart: a
#   number,   a letter, a program.
# - One document in five is a drill: short, and read most in the warm-up, because copying has to come first.
MIXTURE: dict[tuple[str, str], float] = {
    ("chat", "hard"): 0.17,
    ("chat", "easy"): 0.40,
    ("chat", "code"): 0.06,
    ("chat", "choice"): 0.05,
    ("worksheet", "hard"): 0.12,
    ("worksheet", "easy"): 0.10,
    ("worksheet", "code"): 0.08,
    ("worksheet", "choice"): 0.045,
    ("pasted", "hard"): 0.09,
    ("pasted", "easy"): 0.03,
    ("pasted", "code"): 0.05,
    ("pasted", "choice"): 0.035,
    ("drill", "hard"): 0.30,
}
"""Weight of documents by shape and group (several worksheets in one document count once)."""
WARMUP_DRILL_SHARE = 0.4
"""Chance that a document of the warm-up is a drill, whatever shape was drawn for it. Copying and small sums come first,
since all else builds on them."""
DETOURS = {"chat": 0.15, "worksheet": 0.2, "pasted": 0.15, "drill": 0.25}
"""Chance of a detour in a document with tags, by shape."""
EASY_DETOURS = 0.06
"""Chance of a detour in a chat with an easy question. It is lower: a model that opens sums with a detour by habit never
comes to the answer (docs/log.md)."""


def document(seed: int, index: int, *, warmup: bool = False, detours: bool = True) -> str:
    """Document ``index`` of the corpus ``seed``: a pure function of both, ended by ``<|endoftext|>``.

    ``warmup`` makes more of them drills; without ``detours`` none is made long.
    """
    # A generator of its own for each document: any part of the text can be made alone, in any order, in any process.
    rng = random.Random(f"corpus/{seed}/{index}")
    ((shape, group),) = rng.choices(list(MIXTURE), list(MIXTURE.values()))
    chance = EASY_DETOURS if (shape, group) == ("chat", "easy") else DETOURS[shape]
    if shape == "drill" or (warmup and rng.random() < WARMUP_DRILL_SHARE):
        text = drill(rng)
    else:
        item = draw(rng, group, Split.PRETRAIN)
        if shape == "worksheet":
            # One sheet in four holds a second problem, so that a text does not always end with its first answer.
            others = [
                draw(rng, pick(rng, ("hard", "hard", "choice", "easy", "code")), Split.PRETRAIN)
                for _ in range(pick(rng, (0, 0, 0, 1)))
            ]
            text = worksheet(rng, [item, *others])
        else:
            text = (chat if shape == "chat" else pasted)(rng, item)
    if detours and OPENED_TAG.search(text) and rng.random() < chance:
        text = with_detour(rng, text)
    return text + END_OF_TEXT


def documents(seed: int, start: int, stop: int | None, *, warmup: bool = False, detours: bool = True) -> Iterator[str]:
    """Documents ``start`` to ``stop`` of the corpus ``seed``; without end when ``stop`` is None."""
    for index in itertools.count(start) if stop is None else range(start, stop):
        yield document(seed, index, warmup=warmup, detours=detours)
