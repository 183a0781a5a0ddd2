"""Pieces of documents of every shape: turns of a chat, cells, blocks, quotes, the boxed answer."""

from __future__ import annotations

import random
from collections.abc import Sequence

from selftaught.toy.families.item import pick

END_OF_TEXT = "<|endoftext|>"
END_OF_ANSWER = "<|im_end|>"
"""Ends every answer, in chat or not. Cells stand outside chat only: if those answers had no end token, a base that has
just seen a cell would leave out the end of its turn."""


def user(text: str) -> str:
    """A user's turn."""
    return f"<|im_start|>user\n{text}<|im_end|>\n"


def assistant(thinking: str, answer: str) -> str:
    """An assistant's turn; ``thinking`` ends with a newline."""
    return f"<|im_start|>assistant\n<think>\n{thinking}</think>\n\n{answer}{END_OF_ANSWER}\n"


def cell(program: str, output: str) -> str:
    """A Python cell with its output, as the interpreter's turns look."""
    return f"```python\n{program}\n```\n```output\n{output}\n```\n"


def boxed(rng: random.Random, text: str) -> str:
    """The answer after the thinking."""
    return pick(rng, ("The answer is \\boxed{%s}.", "**Answer:** \\boxed{%s}", "The answer is \\boxed{%s}.")) % text


def quote(text: str) -> str:
    """Lines quoted as mail readers do. A program stands in thinking in no other form, so never as a call."""
    return "".join(f"> {line}\n" for line in text.split("\n"))


def block(rng: random.Random, text: str) -> str:
    """Lines that are no program, quoted or in a block of plain text."""
    return quote(text) if rng.random() < 0.4 else f"```text\n{text}\n```\n"


def repeats(rng: random.Random, chances: Sequence[float]) -> int:
    """How often something is repeated: each repetition has its own chance, and the first that fails ends it."""
    return next((count for count, chance in enumerate(chances) if rng.random() >= chance), len(chances))
