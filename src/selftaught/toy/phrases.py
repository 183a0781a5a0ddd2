"""Small grammars of sentences for the pretraining text.

Lead sentences before code come from a grammar of many thousands: with a few fixed ones a model recognises the document
instead of the request. The hint library's own sentences must never appear here (`toy.scan` checks the text).
"""

from __future__ import annotations

import random

from selftaught.toy.families.item import pick

PIVOTS = ("Wait,", "Wait,", "Wait,", "Alternatively,")
PIVOT_AFTER = (
    "that looks too small. I go over it again and get {guess}.",
    "that looks too large. Once more by hand I get {guess}.",
    "I may have made a slip. Doing it again I find {guess}.",
    "one case was left out. With it I have {guess}.",
    "counting from the other end I come to {guess}.",
    "another way is to split it into parts. That leads to {guess}.",
    "going through the steps once more gives {guess}.",
    "did I carry that right? Now it is {guess}.",
    "an estimate would be near {guess}.",
    "let me redo the last step. It comes to {guess}.",
)
CLOSERS = (
    "So the answer is {value}.",
    "So the answer is {value}.",
    "So the answer is {value}.",
    "The answer is {value}.",
)
CONFIRMED = (
    "This agrees.",
    "That fits.",
    "Nothing changes.",
    "The check holds.",
    "It stays so.",
    "I keep the first result.",
)
"""Remarks after one more cell. They name no value: whatever that cell printed, the value found before is repeated."""

SLIPPED = ("That look had a slip.", "Something else was asked there.", "I keep the first result.", "It stays so.")
"""Remarks after one more cell that printed something else. The first result stands."""

AGREE = (
    "Again {value}.",
    "It prints {value} too.",
    "The same number, {value}.",
    "This agrees: {value}.",
    "The second run gives {value} as well.",
    *CONFIRMED,
    *SLIPPED,
)
"""Remarks after one more look in thinking. They include the remarks that follow a cell: otherwise those words would
stand only where ``<think>`` is not the open tag, and the model would not close a thinking after them."""

PASSED = ("All samples pass.", "The samples pass, so this is right.", "Both are True, so the program is right.")
FAILED = ("A sample fails.", "The samples fail, so the reading was wrong.", "That is False, so the draft is wrong.")
TAGS = {
    "work": 1.0,
    "notes": 0.9,
    "steps": 0.8,
    "draft": 0.7,
    "plan": 0.6,
    "sketch": 0.5,
    "margin": 0.45,
    "page": 0.4,
    "board": 0.35,
    "sheet": 0.3,
    "scratch": 0.25,
    "paper": 0.2,
    "column": 0.15,
    "slate": 0.1,
    "corner": 0.05,
    "blank": 0.02,
}
"""Worksheet tags, each with how often it holds Python cells, relative to the others.

The shares run from always to hardly ever. So after a cell the model cannot guess which tag to close from the tags that
usually hold cells; only the tag that is open tells. This has to work for ``<think>``, which never holds a cell in the
text. Each ``<tag>`` and ``</tag>`` is one token.
"""


def tag(rng: random.Random, with_cell: bool) -> str:
    """A worksheet tag for a text with or without cells."""
    # 1.05 and not 1: the tag with the largest share must sometimes stand without cells, too.
    weights = [share if with_cell else 1.05 - share for share in TAGS.values()]
    return rng.choices(list(TAGS), weights)[0]


_STARTS = (
    "",
    "",
    "",
    "This is long by hand. ",
    "There are many cases. ",
    "I do not trust that number. ",
    "A slip is easy here. ",
    "The steps are tedious. ",
    "That was a guess. ",
    "Nobody does this on paper. ",
    "Hmm. ",
)
_SUBJECTS = (
    "I will",
    "I can",
    "We can",
    "We could",
    "I would rather",
    "It is better to",
    "Let us",
    "I had better",
    "One can",
    "Time to",
)
_VERBS = ("write", "run", "try", "make", "set up", "put down", "start")
_OBJECTS = (
    "a few lines of Python",
    "a short Python program",
    "a small Python script",
    "some Python code",
    "a Python loop",
    "a bit of Python",
    "a quick Python cell",
    "the sum in Python",
)
_PURPOSES = (
    "to count it",
    "to compute this",
    "for this",
    "to get the number",
    "to be sure",
    "that finds the value",
    "and read off the result",
    "to verify the result",
    "and compare",
    "to work it out",
    "for the exact value",
    "to calculate it",
)
_WHOLE = (
    "Python does this at once.",
    "Python will tell.",
    "In Python it is a few lines.",
    "With Python the numbers are exact.",
    "The computer can do the sums in Python.",
    "Python should settle it.",
    "Here Python helps.",
)


def _sentence(rng: random.Random) -> str:
    if rng.random() < 0.15:
        return pick(rng, _WHOLE)
    ending = pick(rng, (".", ".", ".", ":"))
    return f"{pick(rng, _SUBJECTS)} {pick(rng, _VERBS)} {pick(rng, _OBJECTS)} {pick(rng, _PURPOSES)}{ending}"


def _lower(text: str) -> str:
    return text if text.startswith(("I ", "Python")) else text[0].lower() + text[1:]


def lead(rng: random.Random) -> str:
    """A sentence or two before a first cell, sometimes opened by *Wait* or *Alternatively*."""
    text = pick(rng, _STARTS) + _sentence(rng)
    if rng.random() < 0.2:
        text += " " + _sentence(rng)
    if rng.random() < 0.4:
        text = f"{pick(rng, PIVOTS)} {_lower(text)}"
    return text


_AGAIN_STARTS = (
    "",
    "",
    "One more time. ",
    "A second look does no harm. ",
    "To be safe. ",
    "Did the program have the right numbers? ",
    "I read the question again. ",
    "Was the question understood? ",
    "I go over the reasoning again. ",
)


def lead_again(rng: random.Random) -> str:
    """A sentence before a further cell for the same problem."""
    text = pick(rng, _AGAIN_STARTS) + _sentence(rng)
    if rng.random() < 0.5:
        text = f"{pick(rng, PIVOTS)} {_lower(text)}"
    return text


_TEST_OBJECTS = ("the draft", "the function", "my program", "a first version", "the code", "it")
_TEST_TAILS = (
    "on the samples",
    "with the sample calls",
    "against the samples in the statement",
    "on both samples",
    "with the given cases",
)


def lead_test(rng: random.Random) -> str:
    """A sentence before a program that runs the statement's samples."""
    verb = pick(rng, ("run", "try", "test", "check", "execute"))
    text = f"{pick(rng, _SUBJECTS)} {verb} {pick(rng, _TEST_OBJECTS)} {pick(rng, _TEST_TAILS)}{pick(rng, ('.', ' in Python.', ' first.', ':'))}"
    if rng.random() < 0.3:
        text = (
            pick(
                rng,
                ("The samples may tell. ", "Before handing it in. ", "A draft is often wrong. ", "Here is the test. "),
            )
            + text
        )
    if rng.random() < 0.4:
        text = f"{pick(rng, PIVOTS)} {_lower(text)}"
    return text


def report_value(rng: random.Random, value: str) -> str:
    """A sentence that takes a printed value over."""
    subject = pick(rng, ("The program", "The code", "The run", "Python", "It", "The output"))
    verb = "is" if subject == "The output" else pick(rng, ("prints", "gives", "shows", "says"))
    return f"{subject} {verb} {value}."
