"""Tokens of a maths answer: numbers, names, LaTeX commands, signs."""

from __future__ import annotations

import re
from dataclasses import dataclass


class Unreadable(Exception):
    """Not an expression that this parser knows."""


class TooLarge(Exception):
    """The value is beyond what an answer's checker should compute, such as a power tower."""


HEADS = frozenset("f g h F G H phi psi Phi Psi Gamma zeta sigma tau".split())
"""Names that are read as functions where brackets follow them everywhere: ``f(x)``."""
EVENT_HEADS = frozenset("E P V".split())
"""The same where capital letters alone stand in the brackets: ``P(A)``, ``E(X^2)``; ``P(1+r)`` is a product."""
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+(?![\d.]*[A-Za-z]))?)|(?P<command>\\[A-Za-z]+|\\[{}|])|"
    r"(?P<word>[A-Za-z]+)|(?P<operator>\*\*|[-+*/^_!()\[\]{}|,'=<>:%]))"
)

FUNCTIONS = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh cosh tanh coth asin acos atan ln log lg exp sqrt abs floor ceil "
    "gcd lcm max min cbrt Re Im".split()
)
GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi omega Gamma Delta "
    "Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell".split()
)
_WORDS = FUNCTIONS | {"pi"}
TRIG = frozenset("sin cos tan cot sec csc".split())


@dataclass(frozen=True)
class Token:
    """``kind``: number, command, letter, operator; ``spaced``: a space stood before it."""

    kind: str
    text: str
    spaced: bool


def tokenize(text: str) -> list[Token]:
    """All tokens of ``text``. Unreadable at a character that is none."""
    tokens: list[Token] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            raise Unreadable(f"character {text[position]!r}")
        kind = match.lastgroup or ""
        spaced = text[position : match.start(kind)] != ""
        if kind == "word":
            tokens.extend(_split_word(match["word"], spaced))
        else:
            tokens.append(Token(kind, match[kind], spaced))
        position = match.end()
    return tokens


def _split_word(word: str, spaced: bool) -> list[Token]:
    """``sqrt`` is a name, ``xy`` two variables, ``xsin`` a variable and a name."""
    tokens: list[Token] = []
    while word:
        name = next((known for known in sorted(_WORDS, key=len, reverse=True) if word.startswith(known)), None)
        if name and len(name) > 1:
            tokens.append(Token("command", "\\" + name, spaced))
            word = word[len(name) :]
        else:
            tokens.append(Token("letter", word[0], spaced))
            word = word[1:]
        spaced = False
    if sum(token.kind == "letter" for token in tokens) > 4:
        raise Unreadable("prose")
    return tokens


class Cursor:
    """A place in a list of tokens."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.position = 0

    def peek(self, ahead: int = 0) -> str:
        """The text of a token ahead; empty after the last."""
        index = self.position + ahead
        return self.tokens[index].text if index < len(self.tokens) else ""

    def kind(self, ahead: int = 0) -> str:
        """The kind of a token ahead; empty after the last."""
        index = self.position + ahead
        return self.tokens[index].kind if index < len(self.tokens) else ""

    def take(self, text: str | None = None) -> str:
        """The next token, which must be ``text`` where that is given. Unreadable otherwise."""
        if self.position >= len(self.tokens) or (text is not None and self.peek() != text):
            raise Unreadable(f"expected {text or 'more'}")
        self.position += 1
        return self.tokens[self.position - 1].text

    def is_adjacent(self, bracket: str) -> bool:
        """``bracket`` follows, without a space before it."""
        return self.peek() == bracket and not self.tokens[self.position].spaced
