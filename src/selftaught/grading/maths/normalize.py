"""One spelling for the many ways of writing the same answer.

``normalize`` only rewrites notation; it never decides. Both sides of a pair go through it, then the fast paths and
math-verify see the same LaTeX.
"""

from __future__ import annotations

import re
import unicodedata

from selftaught.grading.boxes import last_box
from selftaught.grading.extract import with_backslashes
from selftaught.grading.maths.spelling import after_text, before_text

_SYMBOLS = {
    **dict.fromkeys("−–—‐‑‒―﹣－⁻", "-"),
    "＋": "+", "×": r"\times ", "✕": r"\times ", "✖": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ", "∗": "*",
    "÷": "/", "⁄": "/", "∕": "/", "／": "/", "√": r"\sqrt ", "∛": r"\sqrt[3] ", "∞": r"\infty ", "°": r"^{\circ}", "º": r"^{\circ}",
    "≤": r"\le ", "⩽": r"\le ", "≥": r"\ge ", "⩾": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "≡": r"\equiv ", "∪": r"\cup ",
    "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "±": r"\pm ", "∓": r"\mp ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}",
    "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "→": r"\to ", "…": r"\ldots ", "⋯": r"\ldots ", "′": "'",
    "“": '"', "”": '"', "‘": "'", "’": "'", "％": "%", "，": ",", "（": "(", "）": ")", "［": "[", "］": "]", "｛": "{", "｝": "}",
    "＝": "=", "：": ":", "；": ";", "。": ".", "⟨": r"\langle ", "⟩": r"\rangle ", "〈": r"\langle ", "〉": r"\rangle ",
    "π": r"\pi ", "𝜋": r"\pi ", "Π": r"\Pi ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ",
    "λ": r"\lambda ", "μ": r"\mu ", "σ": r"\sigma ", "φ": r"\phi ", "ϕ": r"\phi ", "ω": r"\omega ", "ρ": r"\rho ", "τ": r"\tau ",
    "ε": r"\epsilon ", "ϵ": r"\epsilon ", "Ω": r"\Omega ", "Δ": r"\Delta ", "Σ": r"\Sigma ", "Φ": r"\Phi ", "ψ": r"\psi ", "η": r"\eta ",
    "½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}", "⅕": r"\frac{1}{5}",
    "⅖": r"\frac{2}{5}", "⅗": r"\frac{3}{5}", "⅘": r"\frac{4}{5}", "⅙": r"\frac{1}{6}", "⅚": r"\frac{5}{6}", "⅛": r"\frac{1}{8}",
    "⅜": r"\frac{3}{8}", "⅝": r"\frac{5}{8}", "⅞": r"\frac{7}{8}", "⅐": r"\frac{1}{7}", "⅑": r"\frac{1}{9}", "⅒": r"\frac{1}{10}",
    "∧": r"\land ", "∨": r"\lor ", "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "∖": r"\setminus ", "ⅈ": "i", "ℯ": "e",
}  # fmt: skip
_TRANSLATION = str.maketrans(_SYMBOLS)

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ₙ", "0123456789+-n", strict=True))
_SUPERSCRIPT_RUN = re.compile("[" + "".join(_SUPERSCRIPTS) + "]+")
_SUBSCRIPT_RUN = re.compile("[" + "".join(_SUBSCRIPTS) + "]+")

_SPACING = re.compile(
    r"(?<!\\)\\(?:[!;:> ]|(?:quad|qquad|enspace|thinspace|medspace|thickspace|negthinspace|hfill|displaystyle|textstyle|limits|nolimits|bigl?|bigr?|Bigl?|Bigr?|biggl?|biggr?|Biggl?|Biggr?)(?![A-Za-z]))|\\hspace\*?\{[^{}]*\}|\\(?:h|v)?phantom\{[^{}]*\}|~"
)
_LEFT_RIGHT = re.compile(
    r"\\(?:left|right|middle|m?left|m?right)(?=\s*(?:[()\[\]|.]|\\[{}|]|\\(?:l|r)?(?:angle|brace|brack|vert|Vert|floor|ceil)))\s*(\.)?"
)
_FRACTION_NAMES = re.compile(r"\\[dtc]frac(?![A-Za-z])")
_BINOMIAL_NAMES = re.compile(r"\\[dt]binom(?![A-Za-z])")
_TEXT_NAMES = re.compile(
    r"\\(?:mathrm|textrm|textbf|textit|textnormal|textsf|texttt|mathbf|mathit|mathsf|mathtt|operatorname\*?|mbox|hbox|emph|boldsymbol|bm|mathord|mathcal)\s*\{"
)
_COLOUR = re.compile(r"\\(?:color|textcolor|colorbox)\s*(?:\[[^\]]*\])?\{[A-Za-z!0-9,.]*\}")
_DECORATION = re.compile(
    r"\\(?:underline|underbrace|boldmath|mathstrut|ensuremath|operatorname|displaylines|smash|tag\*?|large|Large|LARGE|huge)(?![A-Za-z])\s*(\{)?"
)
_THOUSANDS_LATEX = re.compile(r"(?<=\d)(?:\{\s*,\s*\}|\\,\s?|\\ |,\\!\s?|,\s*\{\}|\\;|\{\\,\})(?=\d{3}(?!\d))")
_THOUSANDS_WHOLE = re.compile(r"(?<![\d.,_^{(\[])(?<!, )([1-9]\d{0,2})((?:,\d{3})+)(?![\d,])(?!\.\d*,)(?!\s*,)")
_THOUSANDS_SPACES = re.compile(r"^([-+]?[1-9]\d{0,2}(?: \d{3})+)(\.\d+)?$")
_CIRCLE = re.compile(
    r"\^\s*(?:\{\s*\\(?:circ|degree)\s*\}|\\(?:circ|degree)(?![A-Za-z]))|\\degree(?![A-Za-z])|\\textdegree(?![A-Za-z])"
)
_SHORT_FRACTION = re.compile(
    r"\\frac\s*(?:\{((?:[^{}]|\{[^{}]*\})*)\}|(\d|[a-zA-Z]|\\pi(?![A-Za-z])))\s*(?:\{((?:[^{}]|\{[^{}]*\})*)\}|(\d|[a-zA-Z]|\\pi(?![A-Za-z])))"
)
_SHORT_ROOT = re.compile(r"\\sqrt\s*(\[[^\[\]]*\])?\s*(\d+|[a-zA-Z]|\\[a-z]+(?![A-Za-z]))(?!\s*\{)")
_DOLLARS = re.compile(r"\\\(|\\\)|\\\[|\\\]|(?<!\\)\$")
_CONTROL = dict.fromkeys(
    [code for code in range(0x20) if code not in (0x09, 0x0A, 0x0D)]
    + list(range(0x7F, 0xA0))
    + [
        0xAD,
        0x61C,
        0x180E,
        0xFEFF,
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFFF9, 0xFFFC),
    ]
)
_WORDS = {
    r"\dots": r"\ldots", r"\cdots": r"\ldots", r"\leq": r"\le", r"\leqslant": r"\le", r"\geq": r"\ge", r"\geqslant": r"\ge", r"\neq": r"\ne",
    r"\lt": "<", r"\gt": ">", r"\lbrace": r"\{", r"\rbrace": r"\}", r"\lbrack": "[", r"\rbrack": "]", r"\lvert": "|", r"\rvert": "|",
    r"\vert": "|", r"\lVert": "|", r"\rVert": "|", r"\varnothing": r"\emptyset", r"\empty": r"\emptyset", r"\infin": r"\infty", r"\div": "/",
    r"\ast": "*", r"\star": "*", r"\bullet": r"\cdot",
    r"\Real": r"\mathbb{R}", r"\R": r"\mathbb{R}", r"\Reals": r"\mathbb{R}", r"\varphi": r"\phi", r"\varepsilon": r"\epsilon",
    r"\colon": ":", r"\ratio": ":", r"\backslash": r"\setminus", r"\smallsetminus": r"\setminus", r"\lgroup": "(", r"\rgroup": ")",
    r"\bigcup": r"\cup", r"\isin": r"\in", r"\sqcup": r"\cup", r"\prime": "'", r"\implies": r"\Rightarrow", r"\iff": r"\Leftrightarrow",
}  # fmt: skip
_CONNECTIVES = {r"\land": ",", r"\wedge": ",", r"\lor": r"\text{ or }", r"\vee": r"\text{ or }"}
r"""Between values they only list them (``x=1 \lor x=2``); between bare letters they are what is stated (``p \lor q``)."""
_WORDS_OF_VALUES = _WORDS | _CONNECTIVES
_WORDS_OF_LETTERS = _WORDS | {r"\wedge": r"\land", r"\vee": r"\lor"}
_VALUES = re.compile(r"[\d=<>]|\\(?:[lg]eq?|ne|neq|in)(?![A-Za-z])")
_COMMAND = re.compile(r"\\[A-Za-z]+")


_LEADING_DOLLAR = re.compile(r"^\s*([-+]?)\s*\$\s*(?=[\d.])(?!.*\$)")
_TEXT_GROUP = re.compile(r"\\text\s*\{\s*([^{}]*?)\s*\}")
_SPACES = re.compile(r"\s+")
_TRAILING = re.compile(r"(?<![.\\])[.;,:]+$|\\+$")
_AROUND_SIGNS = re.compile(r"\s*([,;=<>+/^_(){}\[\]|])\s*")


def clean(text: str) -> str:
    """Remove control, bidirectional and zero-width characters; turn Unicode spellings into LaTeX ones."""
    text = with_backslashes(text).translate(_CONTROL)
    if text.isascii():
        return text
    text = _SUPERSCRIPT_RUN.sub(lambda run: "^{" + "".join(_SUPERSCRIPTS[c] for c in run.group()) + "}", text)
    text = _SUBSCRIPT_RUN.sub(lambda run: "_{" + "".join(_SUBSCRIPTS[c] for c in run.group()) + "}", text)
    text = re.sub(r"(?<=\d)\s?([½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])", r" \1", text)
    text = re.sub(r"√\s*\(", r"\\sqrt(", text)
    text = text.translate(_TRANSLATION)
    return "".join(_fold(character) for character in text)


def _fold(character: str) -> str:
    """Other digits and letters of style (𝟒, ４, 𝑥) as plain ones; any space as a plain space."""
    if character < "\x80":
        return character
    if character.isspace():
        return " "
    folded = unicodedata.normalize("NFKC", character)
    return folded if folded.isascii() and len(folded) == 1 and (folded.isalnum() or folded in "+-=()") else character


def normalize(answer: str) -> str:
    """``answer`` in the one spelling that comparison works on."""
    text = clean(answer).strip()
    if len(text) > 12_000:
        return text
    text = before_text(_strip_markup(text))
    text = text.replace("\\\\%", "%").replace("\\%", "%").replace("\\#", "#").replace("\\&", "&").replace("\\_", "_")
    text = text.replace("\\$", "$CUR$")
    text = _THOUSANDS_LATEX.sub("", text)
    text = _COLOUR.sub("", text)
    text = _DECORATION.sub(r"\1", text)
    text = text.replace("\\,", " ").replace("{}", "")
    text = _SPACING.sub(" ", text)
    words = _WORDS_OF_VALUES if _VALUES.search(text) else _WORDS_OF_LETTERS
    text = _COMMAND.sub(
        lambda match: words.get(match.group(), match.group()) + (" " if match.group() in words else ""), text
    )
    text = _LEFT_RIGHT.sub("", text)
    text = _FRACTION_NAMES.sub(r"\\frac", text)
    text = _BINOMIAL_NAMES.sub(r"\\binom", text)
    text = _TEXT_NAMES.sub(r"\\text{", text)
    text = _CIRCLE.sub(r"^{\\circ}", text)
    text = text.replace("$CUR$", "\x01")
    text = _LEADING_DOLLAR.sub("\\1\x01", text, count=1)
    text = _DOLLARS.sub("", text).replace("\x01", r"\$")
    text = _TEXT_GROUP.sub(_plain_text, text)
    for _ in range(4):
        shorter = _SHORT_FRACTION.sub(_braced_fraction, text)
        if shorter == text:
            break
        text = shorter
    text = after_text(text)
    text = _SHORT_ROOT.sub(lambda match: f"\\sqrt{match[1] or ''}{{{match[2]}}}", text)
    text = _SPACES.sub(" ", text).strip()
    text = text.strip('*`"').strip()
    text = _TRAILING.sub("", text).strip()
    text = _AROUND_SIGNS.sub(_tight, text).strip()
    text = _unwrap_braces(text)
    spaces = _THOUSANDS_SPACES.match(text)
    if spaces:
        text = spaces[1].replace(" ", "") + (spaces[2] or "")
    if "(" not in text and "[" not in text and "\\{" not in text:
        text = _THOUSANDS_WHOLE.sub(lambda match: match[1] + match[2].replace(",", ""), text)
    return _unwrap_braces(text)


def _tight(match: re.Match[str]) -> str:
    """Spaces around punctuation go, except after a comma, where they tell a list from a thousands mark."""
    if match[1] == "," and match.group().endswith(" "):
        return ", "
    return match[1]


_IMPLIES = re.compile(r"\\(?:Rightarrow|implies|Longrightarrow|therefore)(?![A-Za-z])")


def _strip_markup(text: str) -> str:
    """Outer ``**bold**``, quotes and ``\\boxed{}`` go; of an implication its end stays."""
    pieces = _IMPLIES.split(text)
    if len(pieces) > 1 and pieces[-1].strip():
        text = pieces[-1]

    if "\\boxed" in text or "\\fbox" in text:
        inner = last_box(text)
        if inner is not None:
            text = inner
    if text[-1:] not in ("*", "_", "`"):
        return text
    return re.sub(r"^\s*(\*\*|__|`)(.*)\1\s*$", r"\2", text, flags=re.DOTALL)


_ANSWER_IS = re.compile(
    r"^(?:so |thus |therefore |hence )?,?\s*(?:the )?(?:final |correct )?answer(?: is|:)\s*", re.IGNORECASE
)
_NUMBER_AND_WORDS = re.compile(
    r"([-+]?\d[\d.,/]*) ((?!(?:or|and|to|than|a\.?m|p\.?m|o'clock|noon|midnight|if|when|is|not|BC|AD)\b)[A-Za-z][A-Za-z/. ]*)",
    re.IGNORECASE,
)
"""A number and its unit inside one ``\\text``."""
_ORDINAL = re.compile(r"(\d[\d,]*)(st|nd|rd|th)")


def _plain_text(match: re.Match[str]) -> str:
    """``\\text{025}`` → ``025``, ``\\text{ and }`` → a comma; words stay marked as text."""
    words = _SPACES.sub(" ", match[1])
    if match.group() == match.string and words and not words.isascii():
        return words
    words = _ANSWER_IS.sub("", words) if words[-1:].isdigit() else words
    if words == ":":
        return words
    if not words or words in ".,;":
        return " "
    if len(words) == 1 and words.isascii() and words.isalpha():
        return f" {words} "
    if re.fullmatch(r"[A-Z](?:, ?[A-Z])+|(?=[-+(]?\d)(?!.*[A-Za-z]{2})[-+\dA-Za-z^*/().=]+", words) and not re.search(
        r"\d[a-z]?m$", words
    ):
        return words
    if re.fullmatch(r"[-+\d.,/ ()\[\]:=*^]*\d[-+\d.,/ ()\[\]:=*^]*%?", words):
        return words
    ordinal = _ORDINAL.fullmatch(words)
    if ordinal:
        return f"{ordinal[1]}\\text{{{ordinal[2]}}}"
    measured = _NUMBER_AND_WORDS.fullmatch(words)
    if measured:
        return f"{measured[1]}\\text{{{measured[2]}}}"
    return f"\\text{{{words}}}"


def _braced_fraction(match: re.Match[str]) -> str:
    above = match[1] if match[1] is not None else match[2]
    below = match[3] if match[3] is not None else match[4]
    return f"\\frac{{{above.strip()}}}{{{below.strip()}}}"


def _unwrap_braces(text: str) -> str:
    """``{5}`` → ``5``: grouping braces round the whole say nothing."""
    while text.startswith("{") and text.endswith("}") and _matches_whole(text):
        text = text[1:-1].strip()
    return text


def _matches_whole(text: str) -> bool:
    depth = 0
    for index, character in enumerate(text):
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return index == len(text) - 1
    return False
