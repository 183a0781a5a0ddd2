"""Answers in words: names, yes and no, "no solution", "five", "1.5 million"."""

from __future__ import annotations

import re

NUMBER_WORDS = {word: value for value, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split())}  # fmt: skip


_TEXT = re.compile(r"\\text\{([^{}]*)\}")


_EMPTY = frozenset({"\\emptyset", "no solution", "no solutions", "none", "no real solution", "no real solutions", "empty set", "the empty set", "does not exist", "dne", "no such", "undefined", "无解", "空集"})  # fmt: skip


_WORDS_ONLY = re.compile(r"[A-Za-z][A-Za-z'’. -]*[A-Za-z.]")
_LONG_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}")
_ABBREVIATION = re.compile(r"(?<=[A-Za-z])\.")
_THREE_LETTERS = re.compile(r"(?<![\\A-Za-z])(?:[A-Za-z]{3,}|[AaPp][Mm](?![A-Za-z]))")


def words_of(text: str) -> str | None:
    """The answer's words when it is made of words alone; None for anything with mathematics in it."""
    if _TEXT.search(text):
        outside = _TEXT.sub("", text).strip(" .,()^{}_")
        if outside and not re.fullmatch(r"[A-Za-z ]{2,}", outside):
            return None
        plain = re.sub(r"\s+", " ", _TEXT.sub(lambda match: " " + match[1] + " ", text)).strip(" .")
        if re.search(r"\d", plain):
            return None
        return plain.strip("() .").casefold() or None
    plain = text.strip("() .")
    if _WORDS_ONLY.fullmatch(plain) and not _is_formula(plain):
        return plain.casefold().strip(" .")
    return None


_FORMULA_WORDS = re.compile(r"(?:sqrt|pi|sin|cos|tan|log|ln|exp|inf|oo|e|i)+")


def _is_formula(text: str) -> bool:
    """A product of variables such as ``xy``, or a name of a function, rather than a word."""
    return (
        bool(_FORMULA_WORDS.fullmatch(text))
        or (len(text) <= 3 and text.islower() and not re.search("[aeiou]", text[1:]))
        or (len(text) <= 2)
    )


_TENS = {
    word: 10 * value
    for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
}
_PARTS = {
    "half": 2,
    "halve": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
}


def number_in_words(words: str) -> str | None:
    """``seventy-five`` → ``75``, ``two thirds`` → ``\\frac{2}{3}``; None for any other words."""
    pieces = [piece for piece in re.split(r"[\s-]+", words) if piece != "and"]
    if (
        len(pieces) == 2
        and (pieces[0] in NUMBER_WORDS or pieces[0] in ("a", "an"))
        and pieces[1].removesuffix("s") in _PARTS
    ):
        return f"\\frac{{{NUMBER_WORDS.get(pieces[0], 1)}}}{{{_PARTS[pieces[1].removesuffix('s')]}}}"
    total, part = 0, 0
    for piece in pieces:
        value = NUMBER_WORDS.get(piece, _TENS.get(piece))
        if value is not None:
            if part % 100 and not (part % 100 in _TENS.values() and 0 < value < 10):
                return None
            part += value
        elif piece == "hundred" and 0 < part < 100:
            part *= 100
        elif piece == "thousand" and 0 < part < 1000 and not total:
            total, part = part * 1000, 0
        else:
            return None
    return str(total + part) if pieces else None


def fold_words(words: str) -> str:
    """Letters and digits alone, without articles."""
    words = re.sub(r"\b(?:the|a|an)\b", " ", words)
    return re.sub(r"[^a-z0-9]+", "", words)


def word_list(words: str) -> list[str]:
    """Folded items of "red, blue and green", in order of the alphabet."""
    return sorted(filter(None, (fold_words(item) for item in re.split(r",|;|\band\b|\bor\b", words))))


def has_long_word(text: str) -> bool:
    """A word of four letters or more: certainly no product of variables."""
    return bool(_LONG_WORD.search(text.replace("\\text", ""))) or len(text.split()) > 8


def has_word(text: str) -> bool:
    """A word of three letters or more, apart from commands: ``Ce`` is a product, whose capitals count."""
    plain = _ABBREVIATION.sub("", text.replace("\\text", ""))
    return bool(_THREE_LETTERS.search(plain))


def fold_text(text: str) -> str:
    """Words and numbers without case, spaces, ``\\text`` and the dots of abbreviations."""
    text = _ABBREVIATION.sub("", text.replace("\\text", " ")).casefold()
    return re.sub(r"\b(?:the|a|an)\b(?!m)|[{}\s,]", "", text)


def letter_of(text: str) -> str:
    """The letters of an answer that is one letter."""
    return re.sub(r"\\text|[^A-Za-z]", "", text)


_DOZEN = re.compile(r"(.*[\d}])\s*(?:\\text\{\s*)?dozens?\b\s*([^{}]*)\}?", re.IGNORECASE)
_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}


_SCALED = re.compile(
    r"^(.*[\d}])\s*(?:\\text\{\s*)?(hundred|thousand|million|billion|trillion)\b\s*([^{}]*)\}?$", re.IGNORECASE
)


def scale_words(text: str) -> str:
    """``1.5 million dollars`` → ``(1.5)*10^6 dollars``."""
    dozen = _DOZEN.fullmatch(text)
    if dozen:
        return f"({dozen[1]})*12" + (f"\\text{{ {dozen[2].strip()}}}" if dozen[2].strip() else "")
    match = _SCALED.match(text)
    if not match:
        return text
    rest = f"\\text{{ {match[3].strip()}}}" if match[3].strip() else ""
    return f"({match[1]})*10^{{{_SCALES[match[2].lower()]}}}{rest}"


def mentions(text: str, words: str) -> bool:
    """``\\text{(C)} 4`` names the letter C of the reference: only for a letter in brackets."""
    return len(words) == 1 and bool(re.match(rf"\(?(?:\\text\{{)?\(?{re.escape(words)}\)", text, re.IGNORECASE))


_NO_SOLUTION = re.compile(
    r"(?:there (?:are|is|exists?) )?no (?:real |integer |positive |possible |valid |such )*(?:solutions?|values?|roots?|answers?)(?: exists?)?"
)


def is_empty(text: str, words: str | None) -> bool:
    """The empty set, or words that say that there is no solution."""
    if words and _NO_SOLUTION.fullmatch(words):
        return True
    return text in ("\\emptyset", "\\{\\}", "\\{ \\}") or (words or "") in _EMPTY
