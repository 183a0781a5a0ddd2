"""Multiple choice: which letter was stated.

The order of precedence, highest first:

1. firm statements: a box with a letter, "the answer is C", "C is the correct option", "I choose C", a last line ``C``;
2. judgements on one option: "C is correct", "pick C", "not A but C", a last line ``C) 4 metres``;
3. conclusions: "so C.", "the answer would be C";
4. the only letter that stands alone in the text, set off in brackets or at the end of a sentence.

Among statements of one rank the last one counts. A statement that names several letters ("B or C") chooses none, and so does a
text without a statement: no letter rather than a guess. Options keep the order they have in the problem.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from selftaught.grading.choice.statements import Finder
from selftaught.grading.choice.text import names_thing, option_of, prepare
from selftaught.grading.choice.vocabulary import ANSWER, LETTERS, LINK

__all__ = ["extract_letter"]

MAX_OPTIONS_UNKNOWN = 10
"""Letters A to J count where the number of options is not known."""

MAX_LETTERS = 200
"""Of the letters that stand alone, the last ones are looked at."""

_STANDALONE = re.compile(rf"(?<![{LETTERS}0-9\\'_^])([A-Z])(?![{LETTERS}0-9'_^])")
_END = re.compile(r"[)*_\]\"'”`]{0,3}[.!。,;]?\s*(?:$|\n)|[)*_\]\"'”`]{0,3}[.!。]\s")
_PLACED = re.compile(
    r"(?<![A-Za-z])(?:at|of|in|on|through|from|by|per|than|into|onto|via|under|over|from [A-Z] to)\s{1,2}[(*]{0,2}$"
)
_SAID_TEXT = re.compile(rf"(?:{ANSWER})[\s*_]*(?::|：|{LINK})[\s*_:：]*(?P<said>[^\n]{{1,300}})", re.IGNORECASE)


def extract_letter(text: str, num_choices: int = 0, choices: Sequence[str] | None = None) -> str | None:
    """The letter chosen in ``text``, upper case; None when no single one is stated.

    ``num_choices`` limits the letters (0: A to J). ``choices`` are the options' texts: stating one of them in a box or after
    "the answer is" counts as its letter.
    """
    number = num_choices or (len(choices) if choices else 0) or MAX_OPTIONS_UNKNOWN
    last = chr(ord("A") + min(number, 26) - 1)
    prepared = prepare(text, last, choices)
    finder = Finder(prepared, last)
    statements = list(finder.statements())
    if statements:
        strongest = max(statement.strength for statement in statements)
        return max((one for one in statements if one.strength == strongest), key=lambda one: one.place).letter
    if choices and (option := _stated_option(prepared, choices)):
        return option
    return _only_letter(prepared, finder)


def _stated_option(text: str, choices: Sequence[str]) -> str | None:
    """ "The answer is 4 metres." names the option of that text; so does a text that is an option's words."""
    said = [match["said"] for match in _SAID_TEXT.finditer(text)]
    for candidate in [*said[-1:], text]:
        for end in (candidate, re.split(r"\.\s|\.$|。|, (?:because|since)| because ", candidate)[0]):
            if option := option_of(end.strip(" *_`\"'"), choices):
                return option
    return None


def _only_letter(text: str, finder: Finder) -> str | None:
    """The one letter that is named at the end of a sentence or in brackets and is not rejected."""
    found: set[str] = set()
    for match in list(_STANDALONE.finditer(text))[-MAX_LETTERS:]:
        if len(found) > 1:
            return None
        place = match.start(1)
        letter = finder.letter_at(place, announced=False)
        if letter is None or names_thing(text, place):
            continue
        if _PLACED.search(text[max(0, place - 12) : place]):
            found.add("")  # "a right angle at C": a thing of the problem
        if finder.is_hedged(place):
            found.add("")
        if finder.is_negated(place) or finder.is_supposed(place) or finder.is_rejected(place):
            continue
        found.add(letter)
        if not (_END.match(text, place + 1) or text[max(0, place - 1) : place] in ("(", "[", "*")):
            found.add("")  # in the middle of a sentence: talked about, not stated
    return found.pop() or None if len(found) == 1 else None
