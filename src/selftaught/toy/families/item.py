"""A drawn problem with its ways to be solved: what a family gives to the splits and to the pretraining text."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from selftaught.records import ProblemKind, TestCase

T = TypeVar("T")


@dataclass(frozen=True)
class Draft:
    """One reading of a code problem: what the author takes it to mean, and the function that follows."""

    reading: str
    """A sentence such as ``Both ends count.``"""
    program: str
    """A function ``solve`` without any call."""


@dataclass(frozen=True)
class Item:
    """One drawn problem.

    ``programs`` each print the answer; ``working`` says how a person would start by hand, with ``{guess}`` where the
    number comes out. For code problems ``drafts[0]`` is the reading that a hasty author takes, ``right`` the index of
    the one that the tests want.
    """

    family: str
    group: str
    kind: ProblemKind
    question: str
    answer: str | None
    programs: tuple[str, ...] = ()
    working: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    value: str | None = None
    """For choice problems: the value of the right option, which a person would compute."""
    drafts: tuple[Draft, ...] = ()
    right: int = 0
    tests: tuple[TestCase, ...] = ()
    samples: tuple[str, ...] = ()
    """For code problems: the public tests as expressions, ``solve(3, 20) == 6``."""
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def reached(self) -> str:
        """The number that working by hand should reach."""
        return self.value or self.answer or "0"


Family = Callable[[random.Random], Item]


def pick(rng: random.Random, options: Sequence[T]) -> T:
    """One of ``options``; shorter at the call sites than ``rng.choice`` with a tuple of f-strings."""
    return options[rng.randrange(len(options))]


def listing(numbers: Sequence[int]) -> str:
    """``3, 8 and 12``."""
    return ", ".join(str(number) for number in numbers[:-1]) + f" and {numbers[-1]}"
