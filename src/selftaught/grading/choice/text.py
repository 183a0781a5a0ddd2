"""Prepare a response for the search of a letter: no thinking, no code, formulas hidden, boxes read.

Formulas are replaced by one mark, so that the ``B`` of ``k_B T`` is no letter of an option. A formula that holds a letter alone
(``$\\textbf{(C)}$``) becomes that letter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from selftaught.grading.boxes import box_spans
from selftaught.grading.choice.vocabulary import LETTERS
from selftaught.grading.extract import CHAT_TOKEN, answer_part

FORMULA = "¤"
"""Stands for a formula or for a box without a letter."""
BOX_OPEN, BOX_CLOSE = "⟦", "⟧"
"""Stand round the letter of a box; nothing between them: a box that names several letters."""

MAX_CHARS = 20_000
"""Of a longer response the end is looked at."""
MAX_BOXES = 50
MAX_BOX_CHARS = 500
"""A longer box names no letter by itself."""

_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(94)}
_LOOKALIKES = {ord("А"): "A", ord("С"): "C"}
"""Cyrillic letters that can only mean the Latin one: the third Russian option is В, so В could be B or the third."""
_QUOTES = {ord(mark): "'" for mark in "‘’ʼ"} | {0xA0: " ", 0x3000: " "}
_BARE_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,8}([A-Z])(?![A-Za-z{])")
_WRAPPER = re.compile(
    r"\\(?:text|textbf|textit|textrm|textsf|texttt|mathrm|mathbf|mathsf|mathit|operatorname|emph|underline|bf|rm|it|large|Large|boldsymbol|bm)\b\s*"
)
_NOISE = re.compile(r"[{}$*_]|\\[,;:!() ]|~")
_WRAPPED_LETTER = re.compile(
    r"\\(?:text|textbf|textit|textrm|textsf|mathrm|mathbf|mathsf|mathit|operatorname|emph|underline|boldsymbol|bm)\s{0,3}\{\s{0,3}(\(?[A-Za-z]\)?[.:]?)\s{0,3}\}"
)
_INLINE = re.compile(
    r"\$\$([^$]{1,800})\$\$|(?<!\\)\$([^$\n]{1,400})\$|\\\((.{1,400}?)\\\)|\\\[(.{1,800}?)\\\]", re.DOTALL
)
_LONE = re.compile(r"[\s{]*\(?([A-Za-z])\)?[\s}.,:]*")
_LABEL_IN_FORMULA = re.compile(r"\(?([A-Z])(?:\)|[.:](?= ))")
_ANSWER_TAG = re.compile(r"<(/?)(?:(?:final_?)?answer|choice|option|letter)>", re.IGNORECASE)
_ARABIC = re.compile(r"(?<![\u0600-\u06ff])[أبجد](?![\u0600-\u06ff])")
_STRUCK = re.compile(
    r"~~[^~\n]{1,300}~~|<(del|s|strike)>[^<\n]{1,300}</\1>|\\(?:sout|st|x?cancel)\s?\{[^{}\n]{1,300}\}", re.IGNORECASE
)
"""What is struck through is taken back."""
_ITALICS = re.compile(r"(?<!\w)_{1,2}([A-Za-z])_{1,2}(?!\w)")
_LEADING = re.compile(
    r"^\W*(?:(?:the\s+)?(?:correct\s+)?(?:final\s+)?(?:option|choice|answer|opción|opção|réponse|antwort|答案|选项)(?:\s*(?:is|:|是|：))?\W*)?\(?\s*([A-Za-z])\s*(?:\)|\.(?!\d)|:|,|-(?=\s)|–|—|$)",
    re.IGNORECASE,
)
_STANDALONE = re.compile(rf"(?<![{LETTERS}0-9\\'_^])([A-Z])(?![{LETTERS}0-9'_^])")


def prepare(response: str, last: str, choices: Sequence[str] | None) -> str:
    """The part of ``response`` where a choice is stated, with formulas hidden and boxes read."""
    text = CHAT_TOKEN.sub("", answer_part(response))[-MAX_CHARS:]
    text = _ANSWER_TAG.sub(lambda tag: "\n" if tag[1] else "\nAnswer: ", text)
    text = text.translate(_FULL_WIDTH).translate(_QUOTES).translate(_LOOKALIKES)
    text = _STRUCK.sub(" ", text)
    text = _ARABIC.sub(lambda match: "ABCD"["أبجد".index(match[0])], text)
    text = _read_boxes(text, last, choices)
    text = _WRAPPED_LETTER.sub(r" \1 ", text)
    text = _INLINE.sub(_formula, text)
    return _ITALICS.sub(r"\1", text)


def _read_boxes(text: str, last: str, choices: Sequence[str] | None) -> str:
    """Each outermost box becomes ``⟦C⟧``, ``⟦⟧`` (several letters) or the mark of a formula."""
    spans = box_spans(text)[-MAX_BOXES:]
    pieces: list[str] = []
    end = 0
    for start, content_start, content_end in spans:
        if start < end:
            continue  # inside the box before
        letters = letters_in_box(text[content_start:content_end], last, choices)
        mark = FORMULA if not letters else f"{BOX_OPEN}{letters if len(letters) == 1 else ''}{BOX_CLOSE}"
        pieces += [text[end:start], " ", mark, " "]
        end = content_end + 1
    return _BARE_BOX.sub(f" {BOX_OPEN}\\1{BOX_CLOSE} ", "".join(pieces) + text[end:])


def letters_in_box(content: str, last: str, choices: Sequence[str] | None) -> str:
    """The letters that a box names: none, one, or several (which is no choice)."""
    inner = box_spans(content)
    if inner:
        _, start, end = inner[-1]
        content = content[start:end]
    if len(content) > MAX_BOX_CHARS:
        return ""
    plain = re.sub(r"^(['\"`])(.*)\1$", r"\2", _plain(content))
    leading = _LEADING.match(plain)
    if leading and "A" <= (letter := leading[1].upper()) <= last:
        rest = plain[leading.end() :]
        others = {match[1] for match in _STANDALONE.finditer(rest) if "A" <= match[1] <= last}
        has_words = re.search(r"[A-Za-z]{2,}", re.sub(r"\b(?:and|or)\b", "", rest))
        return letter if not others - {letter} or has_words else letter + "".join(sorted(others - {letter}))
    if choices and (option := option_of(plain, choices)):
        return option
    if _DENIED_IN_BOX.search(plain) or _DENIED_IN_BOX.search(content):
        return ""
    if re.search(r"[=^_\\<>+]|\d|[A-Za-z]\s?\(", content.replace("\\text", "")) and not re.search(
        r"\\text|[A-Za-z]{3,}", content
    ):
        return ""  # a formula: E = mc^2, k_B T
    plain = re.sub(r"\\[A-Za-z]+", FORMULA, plain)
    found = {
        match[1]
        for match in _STANDALONE.finditer(plain)
        if "A" <= match[1] <= last
        and not is_in_formula(plain, match.start(1))
        and not names_thing(plain, match.start(1))
    }
    return "".join(sorted(found))


_DENIED_IN_BOX = re.compile(
    r"\b(?:not|never|neither|nor|wrong|incorrect|false|except|isn't|cannot|can't)\b|\\(?:neg?|lnot|not|neq)(?![A-Za-z])|≠|¬"
)
_THING = re.compile(
    r"(?:vitamin|hepatitis|point|type|group|class|plan|phase|figure|table|part|step|case|section|appendix|block|car|city|town|"
    r"sample|container|reaction|set|event|line|angle|triangle|vertex|matrix|influenza|grade|program|team|person|company|compound|product|molecule|element|isotope|allele|gene|node|variable|substance|species|process|player|bag|"
    r"urn|box|jar|circle|square|segment|ray|side|edge|town|village|station|tank|firm|country|patient|student|drug|planet|gas|liquid|metal|"
    r"resistor|bulb|wire|key|flask|tube|solution|mixture|beaker|train|machine|server|appendix|theorem|lemma)s?\s*\(?\Z",
    re.IGNORECASE,
)


def names_thing(text: str, place: int) -> bool:
    """The letter at ``place`` names a thing of the problem: ``vitamin D``, ``point A``."""
    return bool(_THING.search(text[max(0, place - 16) : place]))


_SUBSTANCE = re.compile(r"(?:vitamin|hepatitis|influenza|(?:blood|cell) type)\s*\Z", re.IGNORECASE)
_BIOLOGY = re.compile(
    r"(?:\s(?:cells?|lymphocytes?)\b|\.\s(?:coli|elegans|thaliana|aureus|cerevisiae|melanogaster|subtilis|pneumoniae|albicans)\b)"
)


def is_in_name(text: str, place: int) -> bool:
    """The letter at ``place`` is part of a substance's or a species' name: ``vitamin D``, ``B cells``, ``E. coli``."""
    return bool(_SUBSTANCE.search(text[max(0, place - 16) : place]) or _BIOLOGY.match(text, place + 1))


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", _NOISE.sub(" ", _WRAPPER.sub(" ", text))).strip()


def option_of(text: str, choices: Sequence[str]) -> str | None:
    """The letter of the one option whose words ``text`` is; None without one."""
    folded = _fold(text)
    matches = [index for index, choice in enumerate(choices) if _fold(_plain(choice)) == folded]
    return chr(ord("A") + matches[0]) if len(matches) == 1 and folded else None


def _fold(text: str) -> str:
    return re.sub(r"[\s.]+", " ", text).strip().casefold()


def _formula(match: re.Match[str]) -> str:
    """A formula that is a letter alone is that letter; a box inside stays; any other is hidden."""
    content = next(group for group in match.groups() if group is not None)
    if BOX_OPEN in content:
        return " " + content[content.index(BOX_OPEN) : content.index(BOX_CLOSE) + 1] + " "
    lone = _LONE.fullmatch(content) or _LABEL_IN_FORMULA.match(_plain(content))
    return f" {lone[1]} " if lone else f" {FORMULA} "


_BEFORE_IN_FORMULA = re.compile(r"(?:[=+/^_<>≈∝×·\\°º]|\d|[A-Za-z0-9)]\*) ?\Z")
_AFTER_IN_FORMULA = re.compile(
    r" {0,2}(?:[=+^_>≈∝×·\\]|\*(?=[A-Za-z0-9(])|<|/\s?[A-Za-z0-9]|\([^)\s]{1,20}\)\s*=|-[A-Za-z])"
)


def is_in_formula(text: str, place: int) -> bool:
    """The letter at ``place`` stands in a formula without dollars: ``A = πr²``, ``k_B T``, ``V=IR``."""
    before, after = text[max(0, place - 3) : place], text[place + 1 : place + 30]
    if after.lstrip()[:1] == ">" or before.rstrip()[-2:] in ("=>", "->"):
        return False
    if re.search(r"(?:=|>)\s?$", before) and re.match(r"[\s.*)\]\"'`!,;]*(?:$|\n)", after):
        return False  # "answer = C"
    return bool(_BEFORE_IN_FORMULA.search(before)) or bool(_AFTER_IN_FORMULA.match(after))
