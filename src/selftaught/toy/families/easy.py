"""Easy maths that needs no tool: four families that the base reasoner solves in its head."""

from __future__ import annotations

import random

from selftaught.records import ProblemKind
from selftaught.toy.families.item import Family, Item, listing, pick

THINGS = ("pens", "books", "apples", "cards", "cups", "stones", "plants", "shells", "boxes", "lamps")
"""Nouns of the word problems."""


def _item(family: str, question: str, answer: int, program: str, working: tuple[str, ...]) -> Item:
    return Item(family, "easy", ProblemKind.MATH, question, str(answer), (f"print({program})",), working)


def add_small(rng: random.Random) -> Item:
    """A number up to 20 plus a digit."""
    large, small, thing = rng.randint(2, 20), rng.randint(1, 9), pick(rng, THINGS)
    question = pick(
        rng,
        (
            f"What is {large} plus {small}?",
            f"Find the sum of {large} and {small}.",
            f"There are {large} {thing} on a table and {small} more are put there. How many {thing} are there now?",
            f"A shop has {large} {thing} and gets {small} more. How many {thing} does it have?",
        ),
    )
    return _item("add_small", question, large + small, f"{large} + {small}", (f"{large} + {small} = {{guess}}.",))


def times_table(rng: random.Random) -> Item:
    """The times table up to 9 by 12."""
    rows, columns, thing = rng.randint(2, 9), rng.randint(2, 12), pick(rng, THINGS)
    question = pick(
        rng,
        (
            f"What is {rows} times {columns}?",
            f"There are {rows} bags with {columns} {thing} in each. How many {thing} are there in all?",
            f"A wall has {rows} shelves of {columns} {thing} each. How many {thing} is that?",
            f"Each of {rows} people brings {columns} {thing}. How many {thing} do they bring?",
        ),
    )
    return _item("times_table", question, rows * columns, f"{rows} * {columns}", (f"{rows} * {columns} = {{guess}}.",))


def position(rng: random.Random) -> Item:
    """An entry of a list by its place."""
    numbers = rng.sample(range(1, 100), 4)
    word, index = pick(rng, (("first", 0), ("second", 1), ("third", 2), ("last", 3)))
    listed = listing(numbers)
    question = pick(
        rng,
        (
            f"What is the {word} of the numbers {listed}?",
            f"Find the {word} number in {listed}.",
            f"The numbers {listed} stand on a board. Which is the {word} one?",
        ),
    )
    inner = ", ".join(map(str, numbers))
    working = (f"Of {listed} the {word} is {{guess}}.",)
    return _item("position", question, numbers[index], f"[{inner}][{index if index < 3 else -1}]", working)


def next_term(rng: random.Random) -> Item:
    """The next term of an arithmetic sequence whose step is given: a model of this size cannot find the step."""
    start, step, thing = rng.randint(1, 20), rng.randint(2, 5), pick(rng, THINGS)
    terms = [start + step * i for i in range(rng.randint(3, 4))]
    inner, last = ", ".join(map(str, terms)), terms[-1]
    question = pick(
        rng,
        (
            f"What comes next in steps of {step}: {inner}?",
            f"A list grows by {step}: {inner}. What is the next number?",
            f"The numbers {inner} grow by {step} each time. Which number follows?",
            f"Rows of {thing} have {inner} {thing}, {step} more each time. How many does the next row have?",
        ),
    )
    return _item("next_term", question, last + step, f"{last} + {step}", (f"{last} + {step} = {{guess}}.",))


EASY: dict[str, Family] = {
    "add_small": add_small,
    "times_table": times_table,
    "position": position,
    "next_term": next_term,
}
