"""A question as words, for comparing two texts: cut two ways as they stand, and a third way after spelling maths alike.

The third, *canonical* cut makes one text of ``\\frac{a}{b}``, ``(a)/(b)`` and ``a/b``; of ``17*23``, ``17 \\times 23``
and ``17 × 23``; of ``x²``, ``x^2`` and ``x^{2}``; of "What is" and "Compute". It keeps operators, so that ``3+4`` and
``3-4`` stay apart, and it knows where sentences end. Scripts without spaces (Chinese, Japanese, Thai) are cut into
characters in every way.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
"""Ranges of scripts that put no spaces between words, for a character class."""

WHOLE = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")
"""Letters and digits together: ``2x`` is one word."""
APART = re.compile(rf"[{UNSPACED}]|[^\W\d_{UNSPACED}]+|\d+")
"""Letters and digits apart: ``2x`` is two words."""

_TOKEN = re.compile(
    rf"[{UNSPACED}]|[^\W\d_{UNSPACED}]+|\d+(?:\.\d+)?|<=|>=|!=|\+-|[-+*/^=<>%|!]|(?P<end>[.?:;。？：；\n])"
)
_FRACTION = re.compile(r"\\[dtc]?frac(?![A-Za-z])\s*")
_COMMAND = re.compile(r"\\([A-Za-z]+)\*?|\\(.)", re.DOTALL)
_OPERATORS = {
    "times": "*", "cdot": "*", "ast": "*", "div": "/", "le": "<=", "leq": "<=", "leqslant": "<=", "ge": ">=", "geq": ">=",
    "geqslant": ">=", "ne": "!=", "neq": "!=", "lt": "<", "gt": ">", "pm": "+-", "mid": "|", "vert": "|", "lvert": "|", "rvert": "|",
    "circ": " degrees ", "degree": " degrees ", "colon": ":", "n": "\n",
}  # fmt: skip
_FORMATTING = frozenset(
    "left right big bigl bigr bigg biggl biggr text textbf textit textrm texttt emph mathrm mathbf mathit mathcal mathbb mathsf "
    "operatorname displaystyle textstyle limits quad qquad ldots cdots dots hspace vspace overline underline bar boxed "
    "begin end hline phantom label tag".split()
)
"""Commands that say how a formula looks and not what it means."""
_SYMBOLS = str.maketrans(
    {
        "×": "*", "·": "*", "⋅": "*", "∗": "*", "∙": "*", "÷": "/", "⁄": "/", "∕": "/", "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-",
        "≤": "<=", "⩽": "<=", "≥": ">=", "⩾": ">=", "≠": "!=", "±": "+-", "√": " sqrt ", "∞": " infty ", "°": " degrees ",
        "∠": " angle ", "△": " triangle ", "∆": " triangle ", "∑": " sum ", "∏": " prod ", "∫": " int ", "’": "'", "‘": "'", "…": " ",
        "！": "。", "，": ",", "、": ",",
    }
)  # fmt: skip
_ASKING = re.compile(
    r"\b(?:what(?:'s| is| are)(?: the (?:exact )?(?:value|result) of)?|how much is|compute|calculate|evaluate|determine|work out"
    r"|find(?: the (?:exact )?(?:value|result) of)?)\b"
)
_SPELT_OUT = (
    (re.compile(r"(?<=\d )(?:times|multiplied by)(?= \d)"), "*"),
    (re.compile(r"(?<=\d )plus(?= \d)"), "+"),
    (re.compile(r"(?<=\d )minus(?= \d)"), "-"),
    (re.compile(r"(?<=\d )(?:divided by|over)(?= \d)"), "/"),
)
_THOUSANDS = re.compile(r"(?<=\d)(?:,|\{,\}|\\,|\\!)(?=\d{3}(?!\d))")
_SUPERSCRIPTS = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+")
_MAX_DEPTH = 40


@dataclass(frozen=True)
class CanonicalText:
    """Tokens of a text with maths spelt alike, and the places between its sentences (0 and the end included)."""

    tokens: tuple[str, ...]
    breaks: frozenset[int]

    def words(self) -> list[str]:
        """Tokens without operators."""
        return [token for token in self.tokens if token[-1].isalnum()]


def canonical(text: str) -> CanonicalText:
    """Cut ``text`` with its maths spelt alike."""
    tokens: list[str] = []
    breaks = {0}
    multiplies = False
    for match in _TOKEN.finditer(_spelt_alike(text)):
        token = match.group()
        if match["end"] or (token == "!" and not _is_factorial(match)):
            breaks.add(len(tokens))
        elif token == "-" and _joins_words(match):
            continue
        elif token == "*":
            multiplies = True
            continue
        else:
            # `2x`, `2*x` and `2 \cdot x` are one text; between two numbers the sign has to stay.
            if multiplies and tokens and tokens[-1][0].isdigit() and token[0].isdigit():
                tokens.append("*")
            tokens.append(token)
        multiplies = False
    breaks.add(len(tokens))
    return CanonicalText(tuple(tokens), frozenset(breaks))


def is_unspaced(token: str) -> bool:
    """Whether a token is one character of a script without spaces."""
    return len(token) == 1 and bool(re.match(f"[{UNSPACED}]", token))


def _spelt_alike(text: str) -> str:
    text = _SUPERSCRIPTS.sub(lambda found: "^" + unicodedata.normalize("NFKC", found.group()), text)
    text = _THOUSANDS.sub("", text)
    text = unicodedata.normalize("NFKC", text.translate(_SYMBOLS)).translate(_SYMBOLS).casefold()
    text = _fractions(text)
    text = _COMMAND.sub(_command, text)
    text = "".join(_greek(character) for character in text)
    text = re.sub(r"[ \t]+", " ", text.replace("**", "^").replace("$", " ").replace("*", " * "))
    for pattern, sign in _SPELT_OUT:
        text = pattern.sub(sign, text)
    return _ASKING.sub(" find ", text)


def _command(match: re.Match[str]) -> str:
    name, sign = match.groups()
    if name is None:
        return {"\\": "\n", "%": "%", "{": " ", "}": " "}.get(sign, " ")
    if name in _OPERATORS:
        return _OPERATORS[name]
    return " " if name in _FORMATTING else f" {name} "


def _fractions(text: str, depth: int = 0) -> str:
    """``\\frac{a}{b}``, ``\\frac12`` and the like as ``(a)/(b)``."""
    pieces: list[str] = []
    place = 0
    while (match := _FRACTION.search(text, place)) is not None and depth < _MAX_DEPTH:
        above, after = _argument(text, match.end())
        below, end = _argument(text, after)
        pieces += [text[place : match.start()], f" ({_fractions(above, depth + 1)})/({_fractions(below, depth + 1)}) "]
        place = end
    return "".join(pieces) + text[place:]


def _argument(text: str, start: int) -> tuple[str, int]:
    """TeX's next argument from ``start``: a group in braces, a command or one character; and where it ends."""
    while start < len(text) and text[start].isspace():
        start += 1
    if start >= len(text):
        return "", start
    if text[start] != "{":
        command = _COMMAND.match(text, start)
        return (command.group(), command.end()) if command else (text[start], start + 1)
    depth = 0
    for index in range(start, len(text)):
        depth += (text[index] == "{") - (text[index] == "}")
        if depth == 0:
            return text[start + 1 : index], index + 1
    return text[start + 1 :], len(text)


def _greek(character: str) -> str:
    """Greek letters by their names, as TeX has them."""
    if not "\u0370" <= character <= "\u03ff":
        return character
    name = unicodedata.name(character, "")
    letter = name.removeprefix("GREEK SMALL LETTER ").removeprefix("FINAL ").lower()
    return f" {letter} " if name.startswith("GREEK SMALL") else character


def _joins_words(match: re.Match[str]) -> bool:
    """A hyphen inside a word such as step-by-step, and not a minus."""
    before, after = match.string[: match.start()][-2:], match.string[match.end() :][:2]
    return len(before) == 2 and before.isalpha() and len(after) == 2 and after.isalpha()


def _is_factorial(match: re.Match[str]) -> bool:
    before = match.string[: match.start()][-2:]
    return bool(before) and (
        before[-1].isdigit() or before[-1] == ")" or (before[-1].isalpha() and not before.isalpha())
    )
