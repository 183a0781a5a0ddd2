"""Shape **worksheet**: the questions of the chats, worked by hand or with cells between other tags than ``<think>``.

Worksheets stand outside chat. Here the model learns what it could do with Python: a lead sentence, a cell, its output,
a conclusion, sometimes more cells to check it. Then the tag (``<work>``, ``<notes>``, …) is closed and the answer
follows.
"""

from __future__ import annotations

import random

from selftaught.toy.corpus.by_hand import HASTY_IN_CHAT, by_hand, conclusion, reading, reply
from selftaught.toy.corpus.cells import solved_cells, template_block, tested_cells
from selftaught.toy.corpus.pieces import END_OF_ANSWER, boxed
from selftaught.toy.families import Item
from selftaught.toy.families.item import pick
from selftaught.toy.phrases import lead, lead_test, tag

BY_HAND_SHARE = 0.4
"""Share of worksheets without any cell."""


def worked(rng: random.Random, item: Item) -> str:
    """A lead and cells for ``item``, after some thinking by hand more often than not. Ends with a newline."""
    gap = pick(rng, ("\n", "\n\n"))
    text = ""
    if item.kind == "code":
        first = 0 if rng.random() < 0.8 else 1
        if rng.random() < 0.8:
            text += reading(rng, item, item.drafts[first]) + pick(rng, (" ", "\n", "\n\n"))
        return text + lead_test(rng) + gap + template_block(rng, item) + tested_cells(rng, item, first)
    if rng.random() < 0.75:
        attempt, value = by_hand(rng, item)
        text += attempt
        if rng.random() < 0.35:
            text += pick(rng, (" ", "\n", "\n\n")) + conclusion(rng, item, value)
        text += pick(rng, (" ", "\n", "\n\n"))
    return text + lead(rng) + gap + solved_cells(rng, item)


def worksheet(rng: random.Random, items: list[Item]) -> str:
    """Problems worked between tags, without any chat: with cells, or by hand alone; then the answer.

    What closes after a conclusion depends on the tag that is open, whether cells came before it or not. A model that
    has learnt this rule closes its thinking by itself when a tool's output has settled the answer.
    """
    sheets = []
    for item in items:
        with_cells = rng.random() >= BY_HAND_SHARE
        name = tag(rng, with_cells)
        header = pick(rng, ("Question: ", "Exercise: ", "Q: ", "")) + item.question
        if not with_cells:
            if item.kind == "code":
                draft = item.drafts[0 if rng.random() < HASTY_IN_CHAT else 1]
                body, answer = reading(rng, item, draft) + "\n", f"```python\n{draft.program}\n```"
            else:
                text, value = by_hand(rng, item)
                body = f"{text}{pick(rng, (' ', chr(10), chr(10) * 2))}{conclusion(rng, item, value)}\n"
                answer = boxed(rng, reply(item, value))
        else:
            body = worked(rng, item)
            answer = (
                f"```python\n{item.drafts[item.right].program}\n```"
                if item.kind == "code"
                else boxed(rng, item.answer or "")
            )
        sheets.append(f"{header}\n\n<{name}>\n{body}</{name}>\n\n{answer}{END_OF_ANSWER}\n")
    return "\n".join(sheets)
