"""Numbers with a unit: what the unit is and how it converts.

A unit that only one side names is ignored; two that measure the same thing are converted; two that do not are different
answers. Words that count things ("apples", "ways") are no unit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_LENGTH, _MASS, _TIME, _VOLUME, _MONEY, _SPEED = "length", "mass", "time", "volume", "money", "speed"
_F = Fraction

_TABLE: dict[str, tuple[str, Fraction]] = {
    **dict.fromkeys(("km", "kilometer", "kilometre"), (_LENGTH, _F(1000))),
    **dict.fromkeys(("m", "meter", "metre"), (_LENGTH, _F(1))),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), (_LENGTH, _F(1, 100))),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), (_LENGTH, _F(1, 1000))),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), (_LENGTH, _F(1, 10**9))),
    **dict.fromkeys(("in", "inch", "inche"), (_LENGTH, _F(254, 10000))),
    **dict.fromkeys(("ft", "foot", "feet"), (_LENGTH, _F(3048, 10000))),
    **dict.fromkeys(("yd", "yard"), (_LENGTH, _F(9144, 10000))),
    **dict.fromkeys(("mi", "mile"), (_LENGTH, _F(1609344, 1000))),
    **dict.fromkeys(("kg", "kilogram"), (_MASS, _F(1000))),
    **dict.fromkeys(("g", "gram"), (_MASS, _F(1))),
    **dict.fromkeys(("mg", "milligram"), (_MASS, _F(1, 1000))),
    **dict.fromkeys(("lb", "pound"), (_MASS, _F(45359237, 100000))),
    **dict.fromkeys(("oz", "ounce"), (_MASS, _F(45359237, 1600000))),
    **dict.fromkeys(("s", "sec", "second"), (_TIME, _F(1))),
    **dict.fromkeys(("ms", "millisecond"), (_TIME, _F(1, 1000))),
    **dict.fromkeys(("min", "minute"), (_TIME, _F(60))),
    **dict.fromkeys(("h", "hr", "hour"), (_TIME, _F(3600))),
    **dict.fromkeys(("米",), (_LENGTH, _F(1))),
    **dict.fromkeys(("厘米",), (_LENGTH, _F(1, 100))),
    **dict.fromkeys(("毫米",), (_LENGTH, _F(1, 1000))),
    **dict.fromkeys(("千米", "公里"), (_LENGTH, _F(1000))),
    **dict.fromkeys(("千克", "公斤"), (_MASS, _F(1000))),
    "克": (_MASS, _F(1)),
    **dict.fromkeys(("秒",), (_TIME, _F(1))),
    **dict.fromkeys(("分钟",), (_TIME, _F(60))),
    **dict.fromkeys(("小时",), (_TIME, _F(3600))),
    **dict.fromkeys(("天",), (_TIME, _F(86400))),
    **dict.fromkeys(("am", "a.m", "a.m."), ("before noon", _F(1))),
    **dict.fromkeys(("pm", "p.m", "p.m."), ("after noon", _F(1))),
    "day": (_TIME, _F(86400)),
    "week": (_TIME, _F(604800)),
    "month": ("month", _F(1)),
    **dict.fromkeys(("yr", "year"), ("month", _F(12))),
    **dict.fromkeys(("l", "liter", "litre"), (_VOLUME, _F(1))),
    **dict.fromkeys(("ml", "milliliter", "millilitre"), (_VOLUME, _F(1, 1000))),
    **dict.fromkeys(("gal", "gallon"), ("gallon", _F(1))),
    "quart": ("gallon", _F(1, 4)),
    "pint": ("gallon", _F(1, 8)),
    **dict.fromkeys(("$", "dollar", "usd", "buck"), (_MONEY, _F(1))),
    **dict.fromkeys(("¢", "cent"), (_MONEY, _F(1, 100))),
    "dime": ("dime", _F(1)),
    **dict.fromkeys(("€", "euro", "eur"), ("euro", _F(1))),
    **dict.fromkeys(("£", "gbp"), ("sterling", _F(1))),
    **dict.fromkeys(("mph",), (_SPEED, _F(1609344, 3600000))),
    **dict.fromkeys(("kph", "kmh"), (_SPEED, _F(1000, 3600))),
    **dict.fromkeys(("radian", "rad"), ("radian", _F(1))),
    **dict.fromkeys(("degree", "deg"), ("degree", _F(1))),
    **dict.fromkeys(("°c", "celsius"), ("celsius", _F(1))),
    **dict.fromkeys(("°f", "fahrenheit"), ("fahrenheit", _F(1))),
    **dict.fromkeys(("k", "kelvin"), ("kelvin", _F(1))),
    **dict.fromkeys(("n", "newton"), ("newton", _F(1))),
    **dict.fromkeys(("j", "joule"), ("joule", _F(1))),
    **dict.fromkeys(("kj", "kilojoule"), ("joule", _F(1000))),
    **dict.fromkeys(("w", "watt"), ("watt", _F(1))),
    **dict.fromkeys(("v", "volt"), ("volt", _F(1))),
    **dict.fromkeys(("ω", "ohm"), ("ohm", _F(1))),
    **dict.fromkeys(("hz", "hertz"), ("hertz", _F(1))),
    **dict.fromkeys(("pa", "pascal"), ("pascal", _F(1))),
    **dict.fromkeys(("acre",), ("acre", _F(1))),
    **dict.fromkeys(("mol", "mole"), ("mole", _F(1))),
}

_ORDINAL = re.compile(r"(\d)(?:\^?\{?\\text\{(?:st|nd|rd|th)\}\}?|\^?\{?(?:st|nd|rd|th)\}?)$")
_TEXT_UNIT = re.compile(
    r"^(?P<number>.*?[\d)}a-z.])\s*\\text\{(?P<words>[^{}]*)\}(?:\^\{?(?P<power>[23])\}?)?(?P<rest>\s*(?:/\s*\\text\{[^{}]*\}(?:\^\{?[23]\}?)?)?)$",
    re.DOTALL,
)
_PLAIN_UNIT = re.compile(
    r"^(?P<number>[-+]?(?:\d[\d./]*|\.\d+|\\frac\{[^{}]*\}\{[^{}]*\}|\d*\\sqrt\{[^{}]*\}|\d*\\pi|\d+(?:\.\d+)?(?:\\times|\\cdot|\*) ?10\^\{?-?\d+\}?))(?: |(?<=[\d}]))(?P<words>(?:[A-Za-z]{2,}|[A-Za-z](?=$|\^|/|\s))(?:[ /][A-Za-z]+){0,5})(?:\^\{?(?P<power>[23])\}?)?$"
)
_SINGLE_UNITS = frozenset("m g s h l L N J W V K".split())
_BOUNDS = re.compile(r"\b(?:or|and|to|not|least|most|more|less|fewer|than)\b")
"""Words after a number that make another answer of it: ``5 or more``."""
_CURRENCY = re.compile(r"^(?P<sign>[-+]?)(?P<mark>\\\$|€|£|¥|₹|\\pounds|\\euro|Rs\.?|USD)\s*(?P<number>.+)$")


@dataclass(frozen=True)
class Measured:
    """``number`` as text; ``dimension`` empty when no known unit was named; ``factor`` to the dimension's base unit."""

    number: str
    dimension: str = ""
    factor: Fraction = Fraction(1)
    words: str = ""
    """What is counted, where that is no known unit."""


def split_unit(text: str) -> Measured:
    """Separate a trailing unit (or a leading currency mark) from the number before it."""
    currency = _CURRENCY.match(text)
    if currency:
        name = {
            "\\$": _MONEY,
            "USD": _MONEY,
            "€": "euro",
            "\\euro": "euro",
            "£": "sterling",
            "\\pounds": "sterling",
        }.get(currency["mark"], currency["mark"])
        inner = split_unit(currency["number"])
        return Measured(currency["sign"] + inner.number, name)
    text = _ORDINAL.sub(r"\1", text)
    if (compound := _compound(text)) is not None:
        return compound
    if text.endswith("^{\\circ}") and not re.search(r"\\(?:sin|cos|tan|cot|sec|csc)", text):
        return Measured(text[: -len("^{\\circ}")].strip(), "degree")
    if text.endswith("\\Omega") and (number := text[: -len("\\Omega")].strip())[-1:].isdigit():
        return Measured(number, "ohm")
    temperature = re.match(r"^(.*\d)\s*\^\{\\circ\}\s*(?:\\text\{)?\s*([CF])\s*\}?$", text)
    if temperature:
        return Measured(temperature[1], "celsius" if temperature[2] == "C" else "fahrenheit")
    match = _TEXT_UNIT.match(text) or _PLAIN_UNIT.match(text)
    if not match or not re.search(r"\d|\\pi|^[a-z]$", match["number"]):
        return Measured(text)
    words = match["words"]
    if _BOUNDS.search(words):
        return Measured(text)
    if match.re is _PLAIN_UNIT:
        if len(words) == 1 and words not in _SINGLE_UNITS:
            return Measured(text)
        if re.match(r"(?:sqrt|pi|sin|cos|tan|log|ln|exp|mod|base|or|and)(?![a-z])", words):
            return Measured(text)
        if (
            len(words) <= 3
            and not all(part in _TABLE for part in words.lower().split("/"))
            and words.lower().rstrip("s") not in _TABLE
            and words.lower() not in _TABLE
        ):
            return Measured(text)
    rest = match.groupdict().get("rest") or ""
    if rest:
        words += "/" + re.sub(r"[/\\{}]|text", "", rest)
    dimension, factor = _unit(words, int(match["power"] or 1))
    if not dimension and match["number"].isalpha():
        return Measured(text)  # ``n\\text{ even}`` says something of n
    return Measured(
        match["number"].strip(), dimension, factor, "" if dimension else words.strip().casefold().rstrip("s.")
    )


_COMPOUND = re.compile(
    r"(\d+(?:\.\d+)?|\\frac\{\d+\}\{\d+\})\s*\\text\{([A-Za-z ]+?),?(?: and)?\s*\},?\s*(?:\\text\{and\}\s*)?"
)


def _compound(text: str) -> Measured | None:
    """``2\\text{ hours }30\\text{ minutes}``: amounts of one dimension, each smaller than the one before, added up."""
    pieces = list(_COMPOUND.finditer(text))
    if len(pieces) < 2 or "".join(piece.group() for piece in pieces) != text:
        return None
    units = [_unit(piece[2], 1) for piece in pieces]
    if len({dimension for dimension, _ in units}) != 1 or not units[0][0]:
        return None
    if any(a <= b for (_, a), (_, b) in zip(units, units[1:], strict=False)):
        return None
    total = _F(0)
    for piece, (_, factor) in zip(pieces, units, strict=True):
        fraction = re.fullmatch(r"\\frac\{(\d+)\}\{(\d+)\}", piece[1])
        if fraction and not int(fraction[2]):
            return None
        total += factor * (_F(int(fraction[1]), int(fraction[2])) if fraction else _F(piece[1]))
    return Measured(f"{total.numerator}/{total.denominator}", units[0][0], _F(1))


def _unit(words: str, power: int) -> tuple[str, Fraction]:
    """Dimension and factor of a unit in words; ("", 1) when it is none that we know."""
    folded = words.lower().strip(" .")
    folded = re.sub(r"\s+", " ", folded)
    if re.search(r"\bper\b|/", folded):
        above, below = re.split(r"\s*(?:\bper\b|/)\s*", folded, maxsplit=1)
        first, second = _unit(above, 1), _unit(below, power)
        if not first[0] or not second[0]:
            return "", Fraction(1)
        if first[0] == _LENGTH and second[0] == _TIME:
            return _SPEED, first[1] / second[1]
        return f"{first[0]}/{second[0]}", first[1] / second[1]
    for word, exponent in (("square", 2), ("sq", 2), ("cubic", 3), ("cu", 3)):
        squared = re.fullmatch(rf"{word}\.? (.+)|(.+?) {word}d?", folded)
        if squared:
            folded, power = (squared[1] or squared[2]).strip(), exponent
    folded = folded.replace("^", "").strip()
    suffix = re.fullmatch(r"([a-z]+)([23])", folded)
    if suffix:
        folded, power = suffix[1], int(suffix[2])
    for candidate in (folded, folded.rstrip("."), folded.removesuffix("s"), folded.removesuffix("es")):
        known = _TABLE.get(candidate)
        if known:
            dimension, factor = known
            return (f"{dimension}^{power}" if power > 1 else dimension), factor**power
    return "", Fraction(1)
