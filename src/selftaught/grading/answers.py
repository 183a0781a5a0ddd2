"""The stated answer of a response: the last box, else what follows ``####``, else what follows "the answer is"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from selftaught.grading.boxes import last_box
from selftaught.grading.choice.vocabulary import ANSWER, FILLER, LINK, RIGHT
from selftaught.grading.extract import CHAT_TOKEN, answer_part

_BARE_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,8}(\d[\d.,/]*|[A-Za-z])(?![A-Za-z{])")
_HASHES = re.compile(r"####[ \t]*([^\n]+)")
_ANSWER_IS = re.compile(
    r"\banswers?\b[*_\s]*(?:(?:is|was|are|equals|(?:would|should|must) be|[:=])[*_\s]*)+:?[ \t]*(?:(?:therefore|thus|hence|simply|then|just|clearly|indeed)\b,?:?\s*)?",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?:\*\*|^#+[ \t]*)final answer\b[ \t:]{0,4}(?:\*\*)?[ \t:]{0,4}\n\s{0,8}([^\n]+)", re.IGNORECASE | re.MULTILINE
)
_MORE_MATH = re.compile(r"\s*(?:,|and|or|, and|, or)\s*\$([^$\n]+)\$")
_TAG = re.compile(r"<(?:final_?)?answer>\s*(.+?)\s*(?:</(?:final_?)?answer>|$)", re.DOTALL | re.IGNORECASE)
_JSON = re.compile(
    r"[\"'](?:final_?)?answer[\"']\s?:\s?(?:\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|([-+\d.eE/]+|\[[^\[\]]*\]))", re.IGNORECASE
)
_SAID = re.compile(
    rf"{ANSWER}[*_\s]*(?:(?:{LINK}|{RIGHT}|{FILLER}|[:：=])[*_\s]*){{0,5}}(?=[-+−]?[.$\\(\[{{\d０-９√π±])",
    re.IGNORECASE,
)
"""In other languages only what starts like a formula is taken: "es mayor que 5" is no answer."""
_SAID_END = re.compile(r"\s?(?:です|である|だ|입니다|이다|है).*$", re.DOTALL)
_INLINE_MATH = re.compile(r"\s*(?:\$\$?(.+?)\$\$?|\\\((.+?)\\\)|\\\[(.+?)\\\])", re.DOTALL)
_SENTENCE_END = re.compile(
    r"[.!?](?:\s|$)|\n|,? (?:because|since|as|so|which|where|I hope|porque|weil|car|perché)\b|。|[，,]?因为|[，,]\s?(?:而?不是|nicht|sino|pas)|, not\b"
)


@dataclass(frozen=True)
class Extraction:
    """An answer and the rule that found it: ``box``, ``bare_box``, ``hashes``, ``marked``, ``answer_is``, ``whole``."""

    answer: str
    rule: str


def extract_answer(text: str, *, allow_whole: bool = False) -> Extraction | None:
    """The answer in final text: the last box, else after ``####``, else after "answer is"; else None.

    ``allow_whole`` takes a text of one short line without any of these as the answer itself (bare answer pairs).
    """
    text = CHAT_TOKEN.sub("", answer_part(text))
    boxed = last_box(text)
    if boxed is not None:
        return Extraction(boxed, "box")
    bare = None
    for bare in _BARE_BOX.finditer(text):
        pass
    if bare is not None:
        return Extraction(bare[1].rstrip(".,"), "bare_box")
    hashes = None
    for hashes in _HASHES.finditer(text):
        pass
    if hashes is not None and hashes[1].strip():
        return Extraction(hashes[1].strip(), "hashes")
    marked = None
    for marked in (*_TAG.finditer(text), *_JSON.finditer(text)) if "nswer" in text or "NSWER" in text else ():
        pass
    if marked is not None and (found := next(filter(None, marked.groups()), "")):
        return Extraction(_after_answer_is(found) or found, "marked")
    said = _after_answer_is(text)
    if said:
        return Extraction(said, "answer_is")
    heading = None
    for heading in _HEADING.finditer(text):
        pass
    if heading is not None:
        return Extraction(heading[1].strip(" \t*_`"), "answer_is")
    if allow_whole and text.strip() and _is_bare(text.strip()):
        return Extraction(text.strip(), "whole")
    return None


def _after_answer_is(text: str) -> str | None:
    last = None
    for match in _ANSWER_IS.finditer(text):
        if not _is_denied(text, match):
            last = match
    if last is None:
        for match in _SAID.finditer(text):
            if not _is_denied(text, match):
                last = match
    if last is None:
        return None
    rest = text[last.end() : last.end() + 2000]
    if last.re is _SAID:
        rest = _SAID_END.sub("", rest.split("\n")[0])
    inline = _INLINE_MATH.match(rest)
    if inline:
        first = next(group for group in inline.groups() if group is not None).strip()
        more = _MORE_MATH.match(rest, inline.end()) if inline[1] else None
        return f"{first}, {more[1].strip()}" if more else first
    end = _SENTENCE_END.search(rest)
    answer = rest[: end.start()] if end else rest
    return answer.strip(" \t*_`\"'") or None


_DENIED_BEFORE = re.compile(r"\b(?:not|never|wrong|incorrect|false|doubt)\b|n['’]t\b", re.IGNORECASE)
_DENIED_AFTER = re.compile(
    r"[*_\s]*(?:not|never|no longer|anything but|definitely not|certainly not|≠|\\ne)(?![A-Za-z])"
    r"|[^\n.?!]{0,40}(?:\?\s{0,2}No\b|\bis (?:wrong|incorrect|false)\b)",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"[.,;:!?\n]|\b(?:so|but|thus|hence|and|therefore)\b")


def _is_denied(text: str, match: re.Match[str]) -> bool:
    """ "I don't think the answer is 3", "the answer is not 3", "the answer is 3? No"."""
    clause = _CLAUSE_END.split(text[max(0, match.start() - 60) : match.start()])[-1]
    return bool(_DENIED_BEFORE.search(clause) or _DENIED_AFTER.match(text, match.end()))


_PROSE = re.compile(
    r"\b(?:the|is|are|so|we|that|therefore|thus|hence|because|maybe|think|i|it|get|have|this)\b", re.IGNORECASE
)


def _is_bare(text: str) -> bool:
    """A whole answer, not a sentence: one paragraph without the small words of prose."""
    outside_text = re.sub(r"\\text\s*\{[^{}]*\}", "", text)
    return "\n\n" not in text and "boxed" not in text and "fbox" not in text and not _PROSE.search(outside_text)
