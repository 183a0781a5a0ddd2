"""Multiple choice: a value that wants computing, four options, a letter to box."""

from __future__ import annotations

import random

from selftaught.records import ProblemKind
from selftaught.toy.families.item import Family, Item, pick

LETTERS = "ABCD"


def pick_option(rng: random.Random) -> Item:
    """Which option is the value of a product modulo m, a last pair of digits, or a digit sum?"""
    first, second, modulus = rng.randint(13, 99), rng.randint(13, 99), rng.randint(21, 99)
    exponent = rng.randint(11, 60)
    stem, program, value, working = pick(
        rng,
        (
            (
                f"Which of these is the remainder when {first} * {second} is divided by {modulus}?",
                f"print({first} * {second} % {modulus})",
                first * second % modulus,
                f"We need {first} * {second} modulo {modulus}. I get about {{guess}}.",
            ),
            (
                f"Which of these is {first}^{exponent} modulo {modulus}?",
                f"print(pow({first}, {exponent}, {modulus}))",
                pow(first, exponent, modulus),
                f"We need {first}^{exponent} modulo {modulus}. The powers seem to reach {{guess}}.",
            ),
            (
                f"Which of these is the digit sum of {first}^{exponent % 20 + 4}?",
                f"print(sum(int(d) for d in str({first} ** {exponent % 20 + 4})))",
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
    lines = "\n".join(f"{letter}) {option}" for letter, option in zip(LETTERS, order, strict=True))
    return Item(
        "pick_option",
        "choice",
        ProblemKind.CHOICE,
        f"{stem}\n{lines}",
        LETTERS[order.index(value)],
        (program,),
        (working,),
        choices=tuple(map(str, order)),
        value=str(value),
    )


CHOICE: dict[str, Family] = {"pick_option": pick_option}
