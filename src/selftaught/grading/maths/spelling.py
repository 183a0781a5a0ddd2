"""Rarer spellings of an answer, each turned into the usual one. ``normalize`` calls these; nothing here decides.

Environments, repeating decimals, fractions and binomials of other kinds, degrees with minutes, transposed tuples, and the
Chinese words that stand round a number.
"""

from __future__ import annotations

import re

_ENVIRONMENT = re.compile(
    r"\\begin\{(aligned|align|alignat|gathered|gather|split|equation|eqnarray|cases|dcases)\*?\}(.*?)\\end\{\1\*?\}",
    re.DOTALL,
)
_SAYS_ANSWER = re.compile(
    r"^\s*\\(?:text|mathrm|textbf)\{\s*(?:the )?(?:final )?answer(?: is)?\s*:?\s*\}", re.IGNORECASE
)
_WHOLE_FONT = re.compile(
    r"\\(?:mathbf|textbf|boldsymbol|bm|mathrm|mathit|mathsf|textit|emph|underline)\s*\{(.*)\}", re.DOTALL
)
_OLD_FONT = re.compile(r"\\(?:bf|rm|it|sf|tt|sc|bfseries|rmfamily|itshape)(?![A-Za-z])\s*")
_CHOOSE = re.compile(r"\{([^{}]+?)\\choose(?![A-Za-z])\s*([^{}]+?)\}")
_SHORT_BINOMIAL = re.compile(r"\\binom\s*(?:\{([^{}]*)\}|(\d|[A-Za-z]))\s*(?:\{([^{}]*)\}|(\d|[A-Za-z]))")
_RAISED_FRACTION = re.compile(r"\^\{?(\d+)\}?\s*/\s*_\{?(\d+)\}?")
_DOTTED = re.compile(r"(\d*\.\d*)\\dot\s*\{?(\d)\}?(\d*)(?:\\dot\s*\{?(\d)\}?)?")
_BARRED = re.compile(r"(\d\.\d*)\\(overline|bar)\s*(\d)(?!\d)")
_PARENTHESES = re.compile(r"(?<![\d.])(\d+\.\d*)\((\d{1,12})\)(?![\d(])")
_ELLIPSIS = re.compile(r"(?<![\d.])(\d*\.\d+)\s*(?:\.{3}|\\ldots|\\dots|\\cdots)(?=\s*(?:$|[%,;)\]}$]))")
_MINUTES = re.compile(r"(\d+)\s*\^\{\\circ\}\s*(\d+(?:\.\d+)?)\s*'(?!')(?:\s*(\d+(?:\.\d+)?)\s*(?:''|\"))?")
_TEXT_RATIO = re.compile(
    r"\\frac\s*\{\s*\\text\{([^{}\d]+)\}\s*\}\s*\{\s*\\text\{([^{}\d]+)\}\s*(\^\s*\{?[23]\}?)?\s*\}"
)
_VECTOR_PRODUCT = re.compile(r"\\vec.{0,80}\\(?:times|cdot)(?![A-Za-z]).{0,80}\\vec", re.DOTALL)
_PLAIN_DERIVATIVE = re.compile(r"(?<![A-Za-z\\])d(\^\{?\d\}?)?([A-Za-z])/d([A-Za-z](?:\^\{?\d\}?)?)(?![A-Za-z])")
"""``dy/dx``: as a product it would be ``xy``."""
_TIMES_TEN = re.compile(r"(?<=\d)\s*[xX]\s*(?=10\s*(?:\^|\*\*))")
_SYMPY = re.compile(
    r"(?<![A-Za-z\\])oo(?![A-Za-z])|(?<![A-Za-z])(?:Rational|Fraction)\(\s*(-?\d+)\s*,\s*(\d+)\s*\)|\*\s*I(?![A-Za-z])"
)
_PYTHON_COMPLEX = re.compile(r"\(?([-+]?\d+(?:\.\d+)?\s*[-+]\s*\d+(?:\.\d+)?)j\)?")
_HAN_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_HAN_TENS = {"十": 10, "百": 100, "千": 1000}
_HAN_NUMBER = re.compile(r"(负)?([零〇一二三四五六七八九两十百千]+)(?:万([零〇一二三四五六七八九两十百千]*))?")
_HAN = "\u3400-\u9fff"
_HAN_ANSWER = re.compile(rf"^\s*(?:最终|最后)?(?:答案|结果)(?:[是为])?\s*[:=]?\s*(?=[^{_HAN}\s])")
_HAN_OR = re.compile(r"\s{0,4}(?:或者|或)\s{0,4}")
_HAN_AND = re.compile(r"\s{0,4}(?:[和与及且、])\s{0,4}")
_HAN_UNIT = re.compile(rf"(?<=[\d}})])\s*((?:平方|立方)?[{_HAN}]{{1,6}})\s*$")


def before_text(text: str) -> str:
    """Rewrites that must happen while ``\\text``, fonts and dots are still as they were written."""
    text = _ENVIRONMENT.sub(_rows, _SAYS_ANSWER.sub("", text))
    font = _WHOLE_FONT.fullmatch(text.strip())
    if font and _is_balanced(font[1]) and re.search(r"\\|\d|[-+=^]", font[1]):
        text = font[1]
    text = _OLD_FONT.sub("", text)
    text = (
        text.replace("\\nicefrac", "\\frac").replace("\\sfrac", "\\frac").replace("\\text{:}", ":").replace("{:}", ":")
    )
    if "\\mathbb" in text:
        text = re.sub(r"\\mathbb\s*([A-Z])(?![A-Za-z])", r"\\mathbb{\1}", text)
    if "\\vec" in text and not _VECTOR_PRODUCT.search(text):
        text = re.sub(r"\\vec\s*\{?([A-Za-z])\}?(?![A-Za-z])", r"\1", text)
    if "\\hat" in text:
        text = re.sub(r"\\hat\s*\{?\\?([ijk])(?:math)?\}?(?![A-Za-z])", r"\1", text)
    text = _TEXT_RATIO.sub(lambda match: f"\\text{{{match[1].strip()}/{match[2].strip()}{_power(match[3])}}}", text)
    if "¢" in text:
        text = re.sub(r"(?<=\d)\s*(?:\\text\{\s*)?¢(?:\s*\})?", r"\\text{ cents}", text)
    text = _ELLIPSIS.sub(_ongoing, text)
    text = _DOTTED.sub(
        lambda match: (
            f"{match[1]}\\overline{{{match[2]}{match[3] + match[4] if match[4] else ''}}}{'' if match[4] else match[3]}"
        ),
        text,
    )
    text = _BARRED.sub(r"\1\\overline{\3}", text)
    text = _PARENTHESES.sub(r"\1\\overline{\2}", text)
    if "oo" in text or "Rational(" in text or "Fraction(" in text or "*" in text:
        text = _SYMPY.sub(_computed, text)
    if text[-1:] in ("j", ")") and (number := _PYTHON_COMPLEX.fullmatch(text.strip())):
        text = number[1] + "i"
    if not text.isascii():
        text = chinese_number(text.strip()) or text
    if not text.isascii() and re.search(f"[{_HAN}]", text) and re.search(r"[0-9A-Za-z]", text):
        text = _chinese(text)
    return text


def _computed(found: re.Match[str]) -> str:
    """``oo``, ``Rational(1, 2)`` and ``*I`` as a formula has them."""
    if found[1]:
        return f"\\frac{{{found[1]}}}{{{found[2]}}}"
    return "i" if found[0].endswith("I") else "\\infty "


def chinese_number(text: str) -> str | None:
    """``二十三`` → ``23``, ``一万二千`` → ``12000``; None for any other text."""
    match = _HAN_NUMBER.fullmatch(text)
    if not match:
        return None
    high, low = _below_ten_thousand(match[2]), _below_ten_thousand(match[3] or "零")
    if high is None or low is None:
        return None
    value = high * 10_000 + low if match[3] is not None else high
    return f"{'-' if match[1] else ''}{value}"


def _below_ten_thousand(text: str) -> int | None:
    if len(text) > 1 and not set(text) & _HAN_TENS.keys():  # digits one by one, as in a year
        return int("".join(str(_HAN_DIGITS[sign]) for sign in text))
    total, digit, last = 0, None, 10_000
    for sign in text:
        if sign in _HAN_TENS:
            if _HAN_TENS[sign] >= last:
                return None
            last = _HAN_TENS[sign]
            total, digit = total + (1 if digit is None else digit) * last, None
        elif digit:
            return None
        else:
            digit = _HAN_DIGITS[sign]
    return total + (digit or 0)


def _is_balanced(text: str) -> bool:
    """No brace closes what was opened before ``text``."""
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def _power(power: str | None) -> str:
    return re.sub(r"[^23]", "", power or "")


def _rows(match: re.Match[str]) -> str:
    """``\\begin{cases}x=1\\\\y=2\\end{cases}`` is a list; a case with its condition stays as it is."""
    body = match[2]
    if (
        match[1].endswith("cases")
        and "&" in body
        and re.search(r"&\s*(?:\\text|\\mbox|if|[^=&]*[<>]|[^=&]*\\[lg]e)", body)
    ):
        return match.group()
    rows = [row.replace("&", "").strip() for row in re.split(r"\\\\(?:\[[^\]]*\])?", body)]
    return ", ".join(row.rstrip(",.") for row in rows if row)


def _ongoing(match: re.Match[str]) -> str:
    """``0.1666…`` → ``0.1\\overline{6}`` where a period stands at least twice (one digit: three times); else the dots stay."""
    whole, _, places = match[1].partition(".")
    for length in range(1, len(places) // 2 + 1):
        period = places[-length:]
        times = 1
        while places[: len(places) - times * length].endswith(period):
            times += 1
        if times >= (3 if length == 1 else 2):
            return f"{whole or '0'}.{places[: len(places) - times * length]}\\overline{{{period}}}"
    return match.group()


def _chinese(text: str) -> str:
    """Conjunctions become LaTeX ones, a unit after a number becomes text, "答案：" goes."""
    text = _HAN_ANSWER.sub("", text)
    if not re.search(r"\\text", text):
        text = _HAN_UNIT.sub(r"\\text{ \1}", text)
    return _HAN_AND.sub(r" \\text{ and } ", _HAN_OR.sub(r" \\text{ or } ", text))


def after_text(text: str) -> str:
    """Rewrites of notation that is in the one form of ``normalize`` already."""
    text = _CHOOSE.sub(r"\\binom{\1}{\2}", text)
    text = _SHORT_BINOMIAL.sub(
        lambda match: (
            f"\\binom{{{match[1] if match[1] is not None else match[2]}}}{{{match[3] if match[3] is not None else match[4]}}}"
        ),
        text,
    )
    text = _RAISED_FRACTION.sub(r"\\frac{\1}{\2}", text)
    text = _TIMES_TEN.sub(r"\\times ", text)
    if "o" in text:
        text = re.sub(r"(?<=\d)\s*\^\s*(?:o(?![A-Za-z])|\{o\})", r"^{\\circ}", text)
    if "/d" in text:
        text = _PLAIN_DERIVATIVE.sub(lambda found: f"\\frac{{d{found[1] or ''}{found[2]}}}{{d{found[3]}}}", text)
    text = _MINUTES.sub(_degrees, text)
    if text.lstrip("-+")[:1] not in ("o", "i", "I"):
        return text
    return re.sub(r"^([-+]?)(?:oo|inf|infinity|Infinity)$", r"\1\\infty", text)


def _degrees(match: re.Match[str]) -> str:
    seconds = f"+\\frac{{{match[3]}}}{{3600}}" if match[3] else ""
    return f"({match[1]}+\\frac{{{match[2]}}}{{60}}{seconds})^{{\\circ}}"
