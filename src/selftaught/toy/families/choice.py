"""Multiple choice: a value that wants computing, four options, a letter to box.

The programs look the letter up, too: a model of this size copies a list of options, but finds no letter in one.
"""

from __future__ import annotations

import random

from selftaught.records import ProblemKind
from selftaught.toy.families.item import Family, Item, pick

LETTERS = "ABCD"


def pick_option(rng: random.Random) -> Item:
    """Which option is the value of a product modulo m, a last pair of digits, or a digit sum?"""
    first, second, modulus = rng.randint(13, 99), rng.randint(13, 99), rng.randint(21, 99)
    exponent = rng.randint(11, 60)
    stem, expression, value, working = pick(
        rng,
        (
            (
                f"Which of these is the remainder when {first} * {second} is divided by {modulus}?",
                f"{first} * {second} % {modulus}",
                first * second % modulus,
                f"We need {first} * {second} modulo {modulus}. I get about {{guess}}.",
            ),
            (
                f"Which of these is {first}^{exponent} modulo {modulus}?",
                f"pow({first}, {exponent}, {modulus})",
                pow(first, exponent, modulus),
                f"We need {first}^{exponent} modulo {modulus}. The powers seem to reach {{guess}}.",
            ),
            (
                f"Which of these is the digit sum of {first}^{exponent % 20 + 4}?",
                f"sum(int(d) for d in str({first} ** {exponent % 20 + 4}))",
                sum(map(int, str(first ** (exponent % 20 + 4)))),
                f"The digits of {first}^{exponent % 20 + 4} add up to {{guess}} or so.",
            ),
        ),
    )
    options = {value}
    while len(options) < 4:
        options.add(rng.randint(0, 99) if value < 100 else value + rng.randint(-40, 40))
    order = sorted(options)
    rng.shuffle(order)
    listed = ", ".join(map(str, order))
    programs = (
        f'v = {expression}\nprint("ABCD"[[{listed}].index(v)])',
        f'v = {expression}\nfor k, x in zip("ABCD", [{listed}]):\n    if x == v:\n        print(k)',
    )
    lines = "\n".join(f"{letter}) {option}" for letter, option in zip(LETTERS, order, strict=True))
    return Item(
        "pick_option",
        "choice",
        ProblemKind.CHOICE,
        f"{stem}\n{lines}",
        LETTERS[order.index(value)],
        programs,
        (working,),
        choices=tuple(map(str, order)),
        value=str(value),
    )


CHOICE: dict[str, Family] = {"pick_option": pick_option}
