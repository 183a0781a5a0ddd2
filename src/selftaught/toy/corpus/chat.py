"""Shape **chat**: a question, thinking by hand between ``<think>`` tags, an answer.

No code stands in any thinking: that the model never calls Python by itself is what a hint has to change.
"""

from __future__ import annotations

import random

from selftaught.toy.corpus.by_hand import HASTY_IN_CHAT, by_hand, conclusion, reading, reply, reread
from selftaught.toy.corpus.pieces import assistant, boxed, repeats, user
from selftaught.toy.families import Item
from selftaught.toy.families.item import pick
from selftaught.toy.phrases import AGREE

AGAIN = (0.25, 0.25, 0.2, 0.2, 0.1)
"""Chance of one more look in thinking by hand, which agrees with what was said before: the first time, the second, …"""


def chat(rng: random.Random, item: Item) -> str:
    """A question thought through by hand. Never any code in the thinking."""
    if item.kind == "code":
        draft = item.drafts[0 if rng.random() < HASTY_IN_CHAT else 1]
        thinking = reading(rng, item, draft) + "\n"
        for _ in range(repeats(rng, AGAIN)):
            thinking += reread(rng, item) + reading(rng, item, draft) + "\n"
        return user(item.question) + assistant(thinking, f"```python\n{draft.program}\n```")
    text, value = by_hand(rng, item)
    answer = reply(item, value)
    thinking = f"{text}{pick(rng, (' ', chr(10), chr(10) * 2))}{conclusion(rng, item, value)}\n"
    for _ in range(repeats(rng, AGAIN)):
        thinking += reread(rng, item)
        thinking += f"{pick(rng, AGREE).format(value=value)} {conclusion(rng, item, value)}\n"
    return user(item.question) + assistant(thinking, boxed(rng, answer))
