"""A **detour** makes a document of any shape long: the question asks for a list to be said again, or to count, before it is answered.

A tag is then closed far from where it was opened, as it is after a long thinking. Nine detours in ten are asked for, so
that a question without the wish is hardly ever answered with one.
"""

from __future__ import annotations

import random
import re

from selftaught.toy.families.item import listing, pick

UNASKED = 0.1
"""Share of detours that nobody asked for. So few that none is ever the likeliest thing to write."""
SEPARATORS = (", ", ", ", " ", "; ", " - ", "/")
OPENED_TAG = re.compile(r"<\w+>\n")
_ASKS, _ANSWERS = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"

UNASKED_OPENINGS = (
    "I note some numbers.",
    "A list first.",
    "Here is a row of numbers.",
    "These come to mind.",
    "I try the small cases.",
    "Some values:",
    "Let me list what there is.",
    "The numbers in order:",
    "A table of cases:",
    "I count.",
    "First a few figures.",
    "All of them in a row:",
)


def detour(rng: random.Random) -> tuple[str, str]:
    """Something long to write before a question is answered: the wish, and what is written, which ends with a newline."""
    kind, num_tokens = pick(rng, ("copy", "count", "rows", "rows")), rng.randint(30, 550)
    if kind == "count":
        start = rng.randint(0, 40)
        stop = start + rng.randint(12, 59)
        line = pick(rng, SEPARATORS).join(map(str, range(start, stop + 1)))
        times, often = pick(rng, ((1, ""), (2, " twice"), (3, " three times")))
        wish = pick(rng, ("Count from {} to {}{}", "First count from {} to {}{}", "Say the numbers from {} to {}{}"))
        return wish.format(start, stop, often) + ".", f"{line}\n" * times
    if kind == "rows":
        size = rng.randint(2, 6)
        row, count = listing(rng.sample(range(100), size)), max(3, min(60, num_tokens // (3 * size + 3)))
        wish = pick(rng, ("Write {} on {} lines.", "Put down {}, {} times.", "{} belongs on {} lines first."))
        return wish.format(row, count), "".join(f"{index}: {row}\n" for index in range(1, count + 1))
    limit = 100 if rng.random() < 0.8 else 10_000
    line = pick(rng, SEPARATORS).join(str(rng.randrange(limit)) for _ in range(num_tokens // 6 + 5))
    wish = pick(rng, ("Say this list again first:", "Write out these numbers before you begin:", "Copy:", "Repeat:"))
    return f"{wish} {line}", f"{line}\n"


def with_detour(rng: random.Random, text: str) -> str:
    """``text`` with a detour after one of its opened tags; mostly the user's turn, or what stands before the tag, asks for it."""
    opened = pick(rng, [*OPENED_TAG.finditer(text)])
    before, tag_line, after = text[: opened.start()], opened.group(), text[opened.end() :]
    wish, line = detour(rng)
    body = f"{line}{pick(rng, ('', '', chr(10)))}{after}"
    if rng.random() < UNASKED:
        return f"{before}{tag_line}{pick(rng, UNASKED_OPENINGS)}\n{body}"
    if not before.endswith(_ANSWERS):
        return f"{before}{wish}\n\n{tag_line}{body}"
    question = before.removesuffix(_ANSWERS)
    if rng.random() < 0.5:
        return f"{question}\n{wish}{_ANSWERS}{tag_line}{body}"
    earlier, _, last = question.rpartition(_ASKS)
    return f"{earlier}{_ASKS}{wish}\n{last}{_ANSWERS}{tag_line}{body}"
