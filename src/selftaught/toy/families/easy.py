"""Easy maths that needs no tool: four families that the base reasoner solves in its head."""

from __future__ import annotations

import random

from selftaught.records import ProblemKind
from selftaught.toy.families.item import Family, Item, listing, pick

_THINGS = ("pens", "books", "apples", "cards", "cups", "stones", "plants", "shells", "boxes", "lamps")


def _item(family: str, question: str, answer: int, program: str, working: tuple[str, ...]) -> Item:
    return Item(family, "easy", ProblemKind.MATH, question, str(answer), (f"print({program})",), working)


def add_small(rng: random.Random) -> Item:
    """A two-digit number plus a digit."""
    large, small, thing = rng.randint(11, 60), rng.randint(1, 9), pick(rng, _THINGS)
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
    rows, columns, thing = rng.randint(2, 9), rng.randint(2, 12), pick(rng, _THINGS)
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


def largest(rng: random.Random) -> Item:
    """Largest or smallest of three to five numbers."""
    numbers = rng.sample(range(1, 100), rng.randint(3, 4))
    want_max = rng.random() < 0.5
    word, function = ("largest", "max") if want_max else ("smallest", "min")
    listed = listing(numbers)
    question = pick(
        rng,
        (
            f"Which of the numbers {listed} is the {word}?",
            f"Find the {word} of {listed}.",
            f"The numbers {listed} stand on a board. What is the {word} one?",
        ),
    )
    inner = ", ".join(map(str, numbers))
    answer = max(numbers) if want_max else min(numbers)
    working = (f"Among {listed} the {word} is {{guess}}.",)
    return _item("largest", question, answer, f"{function}({inner})", working)


def next_term(rng: random.Random) -> Item:
    """Next term of an arithmetic sequence."""
    start, step = rng.randint(1, 25), rng.randint(2, 9)
    terms = [start + step * i for i in range(4)]
    inner = ", ".join(map(str, terms[:-1])) if rng.random() < 0.3 else ", ".join(map(str, terms))
    last = terms[-2] if inner.count(",") == 2 else terms[-1]
    question = pick(
        rng,
        (
            f"What comes next: {inner}?",
            f"A list goes {inner}. What is the next number?",
            f"The numbers {inner} follow a rule. Which number follows?",
        ),
    )
    working = (f"The step is {step}. {last} + {step} = {{guess}}.",)
    return _item("next_term", question, last + step, f"{last} + {step}", working)


EASY: dict[str, Family] = {"add_small": add_small, "times_table": times_table, "largest": largest, "next_term": next_term}
