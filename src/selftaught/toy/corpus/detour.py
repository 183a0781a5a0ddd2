"""A **detour** makes a document of any shape long: before the answer a list is copied, or numbers are counted.

Without detours every tag would be closed a few dozen tokens after it was opened, and the model would forget to close a
thinking that hints have made long. In nine detours of ten the question asks for the list. So the model learns that a
question without such a request is answered without a list.
"""

from __future__ import annotations

import random
import re

from selftaught.toy.families.item import listing, pick

UNASKED = 0.1
"""Share of detours that nobody asked for. They are so few that a detour is never the likeliest continuation: as a habit
it would start sums that never come to an end (docs/log.md)."""
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
    """The request for something long, and the text that fulfils it, which ends with a newline."""
    # Up to the length of a thinking in its third round of hints. A document must fit into a row of LONG_ROW tokens
    # (`toy.data`), so a detour stays well below that.
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
        # A numbered row takes about three tokens for each of its numbers, and three more for its own number.
        row, count = listing(rng.sample(range(100), size)), max(3, min(60, num_tokens // (3 * size + 3)))
        wish = pick(rng, ("Write {} on {} lines.", "Put down {}, {} times.", "{} belongs on {} lines first."))
        return wish.format(row, count), "".join(f"{index}: {row}\n" for index in range(1, count + 1))
    limit = 100 if rng.random() < 0.8 else 10_000
    line = pick(rng, SEPARATORS).join(str(rng.randrange(limit)) for _ in range(num_tokens // 6 + 5))
    wish = pick(rng, ("Say this list again first:", "Write out these numbers before you begin:", "Copy:", "Repeat:"))
    return f"{wish} {line}", f"{line}\n"


def with_detour(rng: random.Random, text: str) -> str:
    """``text`` with a detour right behind one of its opening tags.

    The request for it stands in the user's turn, or outside a chat before the tag.
    """
    opened = pick(rng, [*OPENED_TAG.finditer(text)])
    before, tag_line, after = text[: opened.start()], opened.group(), text[opened.end() :]
    wish, line = detour(rng)
    body = f"{line}{pick(rng, ('', '', chr(10)))}{after}"
    if rng.random() < UNASKED:
        return f"{before}{tag_line}{pick(rng, UNASKED_OPENINGS)}\n{body}"
    if not before.endswith(_ANSWERS):  # no chat: the request stands on a line of its own before the tag
        return f"{before}{wish}\n\n{tag_line}{body}"
    # Behind the question or in front of it, so that its place says nothing.
    question = before.removesuffix(_ANSWERS)
    if rng.random() < 0.5:
        return f"{question}\n{wish}{_ANSWERS}{tag_line}{body}"
    earlier, _, last = question.rpartition(_ASKS)
    return f"{earlier}{_ASKS}{wish}\n{last}{_ANSWERS}{tag_line}{body}"
