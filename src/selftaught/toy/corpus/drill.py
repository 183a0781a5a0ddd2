"""Shape **drill**: look-up lists, sums, places and tags. They make copying and small arithmetic appear early in
training.

In prose few tokens are copied numbers. Here nearly every token is a copy, a sum or a tag.
"""

from __future__ import annotations

import random

from selftaught.toy.corpus.cells import PROBE, RECHECKS, probe
from selftaught.toy.corpus.pieces import END_OF_ANSWER, block, boxed, cell, repeats
from selftaught.toy.families.item import listing, pick
from selftaught.toy.phrases import (
    AGREE,
    CLOSERS,
    CONFIRMED,
    FAILED,
    PASSED,
    PIVOT_AFTER,
    PIVOTS,
    lead,
    lead_again,
    lead_test,
    report_value,
    tag,
)

CONTAINER_SHARE = 0.5
"""Share of drills that are about tags. There are so many because the model never reads a ``</think>`` after a cell:
that it closes this tag there has to follow from a rule learnt with other tags."""
DRILLS = {"list": 3, "table": 4, "sums": 4, "products": 1, "places": 3}
"""Drills that are not about tags, by weight."""


def sized(rng: random.Random) -> int:
    """A number of one to five digits, every length as likely. Lengths 1, 3 and 5 end in a token of a single digit."""
    return int(rng.randint(0, 10 ** rng.randint(1, 5) - 1))


def _tested(rng: random.Random) -> tuple[str, str]:
    """A lead and cells that test a tiny function, the first of which may fail; and the program that passes."""
    right, wrong = rng.sample(range(2, 60), 2)
    samples = [f"solve({n}) == {n + right}" for n in rng.sample(range(1, 40), 2)]
    calls = "\n".join(f"print({sample})" for sample in samples)
    text = lead_test(rng) + pick(rng, ("\n", "\n\n"))
    if rng.random() < 0.4:
        text += cell(f"def solve(n):\n    return n + {wrong}\n{calls}", "False\nFalse") + pick(rng, FAILED) + "\n"
    program = f"def solve(n):\n    return n + {right}"
    run = cell(f"{program}\n{calls}", "True\nTrue")
    text += run + pick(rng, PASSED) + "\n"
    for _ in range(repeats(rng, RECHECKS)):
        text += f"{pick(rng, (lead_again, lead_test))(rng)}\n{run}{pick(rng, PASSED)}\n"
    return text, program


def _filling(rng: random.Random, with_cell: bool) -> tuple[str, str]:
    """Something short to stand between two tags, which ends with a newline, and the answer that follows from it."""
    number = rng.randint(0, 99)
    if with_cell and rng.random() < 0.35:
        tested, program = _tested(rng)
        return tested, f"```python\n{program}\n```"
    if with_cell:
        first, second = rng.randint(2, 40), rng.randint(1, 9)
        number, program = first + second, f"print({first} + {second})"
        if rng.random() < 0.5:
            first, second = rng.randint(2, 999), rng.randint(2, 99)
            number, program = first * second, f"print({first} * {second})"
        run = cell(program, str(number))
        text = f"{lead(rng)}\n{run}{report_value(rng, str(number))} "
    else:
        first, second, long = rng.randint(0, 99), rng.randint(0, 99), sized(rng)
        text, number = pick(
            rng,
            (
                ("", number),
                (f"{pick(rng, PIVOTS)} {pick(rng, PIVOT_AFTER).format(guess=number)} ", number),
                (f"{first}, {second}, {long}. ", long),
                (block(rng, f"{first}, {second}, {long}"), long),
                (f"{first} is left.\n{block(rng, str(long))}", long),
                ("We list the cases.\n\n", number),
            ),
        )
    text += pick(rng, CLOSERS).format(value=number) + "\n"
    for _ in range(repeats(rng, RECHECKS)):
        if with_cell:
            check = cell(*probe(rng, str(number))) if rng.random() < PROBE else run
            text += f"{lead_again(rng)}\n{check}{pick(rng, CONFIRMED)} "
        else:
            text += f"{pick(rng, AGREE).format(value=number)} "
        text += f"{pick(rng, CLOSERS).format(value=number)}\n"
    return text, boxed(rng, str(number))


def containers(rng: random.Random) -> str:
    """Tags that open and close, with something short in between: which tag closes depends on the one that is open.

    Tags of thinking hold no cells here either; the other tags hold them or not.
    """
    text = ""
    for _ in range(rng.randint(2, 6)):
        is_thinking = rng.random() < 0.3
        with_cell = not is_thinking and rng.random() < 0.6
        name = "think" if is_thinking else tag(rng, with_cell)
        filling, answer = _filling(rng, with_cell)
        text += f"<{name}>\n{filling}</{name}>\n\n"
        if rng.random() < 0.5:
            text += f"{answer}{END_OF_ANSWER}\n\n"
    return text


def drill(rng: random.Random) -> str:
    """One drill: tags, a list given twice, a look-up table, sums, products, or places in a list."""
    if rng.random() < CONTAINER_SHARE:
        return containers(rng)
    (kind,) = rng.choices(list(DRILLS), list(DRILLS.values()))
    if kind == "list":
        power = rng.random() < 0.4
        line = ", ".join(
            f"{rng.randint(2, 99)}^{sized(rng)}" if power else str(sized(rng)) for _ in range(rng.randint(3, 10))
        )
        return f"List: {line}\nAgain: {line}\n"
    if kind == "table":
        letters, size = rng.sample("abcdefghkmnpqrstuvwxyz", 16), rng.randint(3, 8)
        names = [*map(str, rng.sample(range(100), size))] if rng.random() < 0.5 else letters[:size]
        pool = [*letters[8:], *(rng.randint(0, 9999 if rng.random() < 0.3 else 99) for _ in range(8))]
        values = dict(zip(names, pool[:8] if rng.random() < 0.4 else pool[8:], strict=False))
        asked = rng.sample(names, len(names))
        return "\n".join(f"{name} is {values[name]}" for name in [*names, *asked]) + "\n"
    if kind == "sums":
        pairs = [(rng.randint(2, 38), rng.randint(1, 9)) for _ in range(rng.randint(8, 20))]
        return "Sums\n" + "\n".join(f"{large} + {small} = {large + small}" for large, small in pairs) + "\n"
    if kind == "products":
        pairs = [(rng.randint(2, 9), rng.randint(2, 12)) for _ in range(rng.randint(4, 12))]
        return "Products\n" + "\n".join(f"{first} * {second} = {first * second}" for first, second in pairs) + "\n"
    lines = []
    for _ in range(rng.randint(3, 8)):
        numbers = rng.sample(range(1, 100), 4)
        word, index = pick(rng, (("first", 0), ("second", 1), ("third", 2), ("last", 3)))
        if rng.random() < 0.5:
            lines.append(f"Of {listing(numbers)} the {word} is {numbers[index]}.")
        else:
            lines.append(
                f"Of {listing(numbers)} the {word} is {numbers}[{index if index < 3 else -1}], so {numbers[index]}."
            )
    return "Places\n" + "\n".join(lines) + "\n"
