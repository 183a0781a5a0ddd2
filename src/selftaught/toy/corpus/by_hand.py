"""Thinking by hand: attempts at a question without any code, and what is concluded from them.

Attempts at hard problems slip far more often than not. A base that could trust its own numbers would copy a slipped
value after a cell has printed another; so the question stays the only reliable source of numbers.
"""

from __future__ import annotations

import random

from selftaught.toy.corpus.pieces import block
from selftaught.toy.families import Draft, Item
from selftaught.toy.families.item import pick
from selftaught.toy.phrases import CLOSERS, PIVOT_AFTER, PIVOTS

RIGHT_BY_HAND = 0.1
"""Share of hand attempts at hard problems that come out right."""
HASTY_IN_CHAT = 0.9
"""Share of code answers in chat that take the hasty reading, whatever the samples say."""
REREAD = 0.2
"""Chance that one more look at a problem begins with the question, quoted."""


def slip(rng: random.Random, answer: str) -> str:
    """A wrong number of the size of ``answer``."""
    value = int(answer)
    # Near the answer, of its size, or with as many digits: so no rule tells a slipped number from a right one.
    while True:
        guess = pick(
            rng,
            (
                value + rng.randint(-9, 9),
                rng.randint(value // 2, value * 2 + 5),
                rng.randint(0, 10 ** len(answer) - 1),
            ),
        )
        if guess != value and guess >= 0:
            return str(guess)


def _attempt(rng: random.Random, item: Item) -> tuple[str, str]:
    """A line of working with the number it ends in."""
    truth = item.reached
    guess = truth if item.group == "easy" or rng.random() < RIGHT_BY_HAND else slip(rng, truth)
    return pick(rng, item.working).format(guess=guess), guess


def hand(rng: random.Random, item: Item, pivots: float | None = None) -> tuple[str, str]:
    """Thinking by hand without its conclusion, and the number reached. Ends without a newline.

    ``pivots`` is the chance of going on with *Wait* or *Alternatively*, each time.
    """
    # Hard thinking is full of "Wait" and "Alternatively": these are the words behind which a hint is inserted.
    chance = pivots if pivots is not None else (0.12 if item.group == "easy" else 0.72)
    text, guess = _attempt(rng, item)
    for _ in range(2):
        if rng.random() >= chance:
            break
        truth = item.reached
        if item.group != "easy" and rng.random() >= RIGHT_BY_HAND and rng.random() < 0.6:
            guess = slip(rng, truth)
        separator = pick(rng, (" ", "\n\n", "\n"))
        text += f"{separator}{pick(rng, PIVOTS)} {pick(rng, PIVOT_AFTER).format(guess=guess)}"
        chance *= 0.5  # a second change of mind is rarer than the first
    return text, guess


def conclusion(rng: random.Random, item: Item, value: str) -> str:
    """``So the answer is …``; for a value of a choice, with the letter of its option."""
    return pick(rng, CLOSERS).format(value=reply(item, value))


def letter_of(item: Item, value: str) -> str | None:
    """Letter of the option with this value, if any."""
    return "ABCD"[item.choices.index(value)] if value in item.choices else None


def _hand_choice(rng: random.Random, item: Item) -> tuple[str, str]:
    """A hand attempt at a choice: a guess among the options, close to the slipped value or at random."""
    text, _ = hand(rng, item)
    value = pick(rng, item.choices)
    return f"{text} {pick(rng, ('The closest option is', 'I would take', 'That fits best with'))} {value}.", value


def by_hand(rng: random.Random, item: Item) -> tuple[str, str]:
    """An attempt by hand at a maths or choice problem, without its conclusion, and the value reached."""
    return _hand_choice(rng, item) if item.kind == "choice" else hand(rng, item)


def reply(item: Item, value: str) -> str:
    """What is boxed for a value: itself, or for a choice the letter of its option."""
    return letter_of(item, value) or value


def signature(item: Item) -> str:
    """``solve(a, b)`` of a code problem."""
    first_line = item.drafts[0].program.split("\n", 1)[0]
    return first_line.removeprefix("def ").removesuffix(":")


def reading(rng: random.Random, item: Item, draft: Draft) -> str:
    """Thinking by hand about a code problem. Ends without a newline."""
    opening = pick(
        rng,
        (
            f"We need {signature(item)}.",
            f"The task is to write {signature(item)}.",
            f"I read the statement again. It wants {signature(item)}.",
        ),
    )
    doubt = ""
    if rng.random() < 0.35:
        doubt = pick(
            rng,
            (
                " Wait, the statement does not say it clearly. I stay with this.",
                " Wait, it could be read in two ways. I keep the usual one.",
                " Alternatively, it could be meant in another way. I leave it.",
            ),
        )
    ending = pick(
        rng, ("The program is short.", "That is one line.", "A short function will do.", "This is simple to write.")
    )
    return f"{opening} {draft.reading}{doubt} {ending}"


def reread(rng: random.Random, item: Item) -> str:
    """Often the question, quoted line by line."""
    if rng.random() >= REREAD:
        return ""
    opening = pick(rng, ("The question again:", "It says:", "I read it once more.", "What was asked?"))
    return f"{opening}\n{block(rng, item.question)}"
