"""Shape **pasted**: a chat whose *user* brings a program with its output; the thinking goes on from there and ends.

A base reasoner may never see a tool call inside its thinking: only hints and training are to teach that. Still, after a
hint has made it call Python, it must know how a thinking ends that holds an output. It learns this here. The thinking
may quote the user's program line by line (``> print(…)``), and its output in a block as the interpreter prints it, but
it holds no cell of its own.
"""

from __future__ import annotations

import random

from selftaught.toy.corpus.by_hand import by_hand, conclusion, reading, reply, reread
from selftaught.toy.corpus.cells import broken, sample_run
from selftaught.toy.corpus.pieces import assistant, block, boxed, cell, quote, repeats, user
from selftaught.toy.families import Item
from selftaught.toy.families.item import pick
from selftaught.toy.phrases import AGREE, FAILED, PASSED, report_value

QUOTE_SHARE = 0.6
"""Share of pasted runs that the thinking quotes line by line before it takes the value over."""
AGAIN_AT_RUN = (0.35, 0.35, 0.3, 0.2, 0.1)
"""Chance that the quoted run is looked at once more: the first time, the second, … The thinking must also be closed
after many blocks of output, since several hints in one trajectory give several outputs."""


def brought(rng: random.Random, output: str) -> str:
    """The output of a run that the *user* brought, quoted in the thinking: mostly in a block, as the user gave it.

    This is the bridge to tool outputs. A base that closes its thinking after such a block also does so after a tool's
    output, which looks the same.
    """
    return f"```output\n{output}\n```\n" if rng.random() < 0.75 else block(rng, output)


def quoted(rng: random.Random, program: str, output: str) -> str:
    """Lines of the user's program and its output, quoted as mail readers do, in the thinking that answers them."""
    opening = pick(rng, ("The user ran", "The program is", "I read the program", "What was run:"))
    between = pick(rng, ("and got", "with the output", "which printed", "The output:"))
    return f"{opening}\n{quote(program)}{between}\n{brought(rng, output)}"


def pasted(rng: random.Random, item: Item) -> str:
    """A chat in which the user brings a program with its output. The thinking takes the value over and ends."""
    bring = pick(rng, ("I ran this program:", "Here is a run:", "My program and its output:", "This is what I ran:"))
    if item.kind == "code":
        index = rng.randrange(2)
        run = cell(*sample_run(item, index))
        good = item.drafts[item.right]
        verdict = pick(rng, PASSED) if index == item.right else f"{pick(rng, FAILED)} {good.reading}"
        if rng.random() < QUOTE_SHARE:
            found, verdict = verdict, quoted(rng, *sample_run(item, index)) + verdict
            for _ in range(repeats(rng, AGAIN_AT_RUN)):
                verdict += f"\n{reread(rng, item)}{quoted(rng, *sample_run(item, index))}{found}"
            if rng.random() < 0.6:
                verdict = reading(rng, item, item.drafts[0]) + pick(rng, (" ", "\n", "\n\n")) + verdict
        return user(f"{item.question}\n\n{bring}\n{run.rstrip()}") + assistant(
            f"{verdict}\n", f"```python\n{good.program}\n```"
        )
    value = item.answer or ""
    if rng.random() < 0.15:
        # A failed run says nothing about the answer, so the thinking goes on by hand.
        program, trace = broken(rng, pick(rng, item.programs))
        text, guess = by_hand(rng, item)
        thinking = f"{pick(rng, ('The program failed. I go on by hand.', 'That run was an error, so it says nothing.'))} {text} {conclusion(rng, item, guess)}\n"
        answer = reply(item, guess)
        return user(f"{item.question}\n\n{bring}\n{cell(program, trace).rstrip()}") + assistant(
            thinking, boxed(rng, answer)
        )
    program = pick(rng, item.programs)
    runs = cell(program, value)
    thinking = f"{report_value(rng, value)} {conclusion(rng, item, value)}\n"
    if rng.random() < QUOTE_SHARE:
        thinking = quoted(rng, program, value) + thinking
        for _ in range(repeats(rng, AGAIN_AT_RUN)):
            said = f"{pick(rng, AGREE).format(value=value)} {conclusion(rng, item, value)}\n"
            thinking += reread(rng, item) + quoted(rng, program, value) + said
        if rng.random() < 0.6:
            text, _ = by_hand(rng, item)
            thinking = f"{text}{pick(rng, (' ', chr(10), chr(10) * 2))}{thinking}"
    answer = boxed(rng, item.answer or "")
    if rng.random() < 0.4:  # in a second turn, after an attempt by hand: the run outranks what the model said itself
        text, guess = by_hand(rng, item)
        first = reply(item, guess)
        opening = user(item.question) + assistant(f"{text} {conclusion(rng, item, guess)}\n", boxed(rng, first))
        return opening + user(f"{bring}\n{runs.rstrip()}") + assistant(thinking, answer)
    return user(f"{item.question}\n\n{bring}\n{runs.rstrip()}") + assistant(thinking, answer)
