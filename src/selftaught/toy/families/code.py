"""Small code-writing problems whose statement leaves one detail to the samples.

Whether an end counts, where counting starts or which way a remainder is rounded stands only in the sample calls, as in
many contest statements. A first draft takes the usual reading and is often wrong; running the samples shows it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from selftaught.records import ProblemKind, TestCase
from selftaught.toy.families.item import Draft, Family, Item, pick

HASTY_SHARE = 0.4
"""Share of problems in which the hasty reading is the right one."""

Arguments = tuple[Any, ...]


def _literal(value: Any) -> str:
    return repr(value)


def _build(
    rng: random.Random,
    family: str,
    statement: str,
    drafts: tuple[Draft, Draft],
    solutions: tuple[Callable[..., int], Callable[..., int]],
    draw: Callable[[], Arguments],
) -> Item:
    """Fix the right reading, draw two public tests that tell the readings apart, and six hidden ones."""
    right = 0 if rng.random() < HASTY_SHARE else 1
    solve, other = solutions[right], solutions[1 - right]
    public: list[Arguments] = []
    while len(public) < 2:
        arguments = draw()
        if solve(*arguments) != other(*arguments) and arguments not in public:
            public.append(arguments)
    hidden = [draw() for _ in range(6)]
    tests = tuple(
        TestCase(
            input="\n".join(json.dumps(argument) for argument in arguments),
            output=json.dumps(solve(*arguments)),
            public=index < 2,
        )
        for index, arguments in enumerate([*public, *hidden])
    )
    samples = tuple(f"solve({', '.join(map(_literal, arguments))}) == {solve(*arguments)}" for arguments in public)
    question = f"{statement}\nSamples:\n" + "\n".join(samples)
    return Item(
        family, "code", ProblemKind.CODE, question, None, drafts=drafts, right=right, tests=tests, samples=samples
    )


def count_multiples(rng: random.Random) -> Item:
    """Multiples in an interval: does the upper end count?"""
    factor = rng.randint(3, 19)
    statement = pick(
        rng,
        (
            f"Write a function solve(a, b) that returns how many multiples of {factor} there are from a to b.",
            f"Write solve(a, b). It counts the multiples of {factor} between a and b.",
        ),
    )

    def body(stop: str) -> str:
        return f"def solve(a, b):\n    return sum(1 for n in range(a, {stop}) if n % {factor} == 0)"

    def draw() -> Arguments:
        low = rng.randint(1, 40)
        high = (
            factor * rng.randint(low // factor + 2, low // factor + 5)
            if rng.random() < 0.7
            else low + rng.randint(5, 50)
        )
        return low, high

    return _build(
        rng,
        "count_multiples",
        statement,
        (Draft("The last number does not count.", body("b")), Draft("The last number counts too.", body("b + 1"))),
        (
            lambda a, b: sum(1 for n in range(a, b) if n % factor == 0),
            lambda a, b: sum(1 for n in range(a, b + 1) if n % factor == 0),
        ),
        draw,
    )


def nth_term(rng: random.Random) -> Item:
    """A term of an arithmetic sequence: does counting start at 0 or at 1?"""
    start, step = rng.randint(1, 30), rng.randint(2, 19)
    statement = pick(
        rng,
        (
            f"Write a function solve(n) that returns term n of the list that starts at {start} and grows by {step}.",
            f"A list starts with {start} and each term is {step} more. Write solve(n), which returns term n.",
        ),
    )
    return _build(
        rng,
        "nth_term",
        statement,
        (
            Draft("Counting starts at 0.", f"def solve(n):\n    return {start} + {step} * n"),
            Draft("Counting starts at 1.", f"def solve(n):\n    return {start} + {step} * (n - 1)"),
        ),
        (lambda n: start + step * n, lambda n: start + step * (n - 1)),
        lambda: (rng.randint(2, 30),),
    )


def count_above(rng: random.Random) -> Item:
    """Entries that pass a limit: does the limit itself pass?"""
    limit = rng.randint(5, 60)
    statement = pick(
        rng,
        (
            f"Write a function solve(xs) that returns how many numbers in the list xs reach the limit {limit}.",
            f"Write solve(xs). It counts the numbers in xs that pass {limit}.",
        ),
    )

    def draw() -> Arguments:
        numbers = [rng.randint(max(1, limit - 20), limit + 20) for _ in range(rng.randint(2, 3))]
        if rng.random() < 0.8:
            numbers[rng.randrange(len(numbers))] = limit
        return (numbers,)

    return _build(
        rng,
        "count_above",
        statement,
        (
            Draft("The limit does not count.", f"def solve(xs):\n    return sum(1 for x in xs if x > {limit})"),
            Draft("The limit counts too.", f"def solve(xs):\n    return sum(1 for x in xs if x >= {limit})"),
        ),
        (lambda xs: sum(1 for x in xs if x > limit), lambda xs: sum(1 for x in xs if x >= limit)),
        draw,
    )


def full_boxes(rng: random.Random) -> Item:
    """Boxes for n things: are boxes that are not full counted?"""
    size = rng.randint(3, 29)
    statement = pick(
        rng,
        (
            f"Write a function solve(n) that returns the number of boxes of {size} for n things.",
            f"Boxes hold {size} things. Write solve(n), which returns how many boxes n things make.",
        ),
    )
    return _build(
        rng,
        "full_boxes",
        statement,
        (
            Draft("Only full boxes count.", f"def solve(n):\n    return n // {size}"),
            Draft("A box that is not full counts too.", f"def solve(n):\n    return (n + {size} - 1) // {size}"),
        ),
        (lambda n: n // size, lambda n: (n + size - 1) // size),
        lambda: (rng.randint(1, 99),),
    )


CODE: dict[str, Family] = {
    "count_multiples": count_multiples,
    "nth_term": nth_term,
    "count_above": count_above,
    "full_boxes": full_boxes,
}
