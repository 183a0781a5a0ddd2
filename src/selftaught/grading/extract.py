"""What the model gave as its answer: the text after its thinking, the last box in it.

Everything runs in one pass over the text, so that 10⁵ boxes or unbalanced braces cost no more than their length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from selftaught.records import Span, SpanSource, Trajectory
from selftaught.tokens import fences

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"

_CHAT_TOKEN = re.compile(r"<\|[a-z_]{2,32}\|>|</s>")
_BOX_OR_BRACE = re.compile(r"(?<!\\)\\{1,4}(?:boxed|fbox)\s{0,8}\{|\\.|[{}]", re.DOTALL)
_BARE_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,8}(\d[\d.,/]*|[A-Za-z])(?![A-Za-z{])")
_BETWEEN_BOXES = re.compile(
    r"\}[\s$.,;]{0,8}(?:\\(?:quad|qquad|[,;() ]|[\[\]]))?[\s$,]{0,4}(?:\\text\{)?\s{0,4}(?:and|or|,)?\s{0,4}\}?(?:\\(?:quad|qquad|[,;() ]|[\[\]]))?[^{}\n]{0,12}\\(?:boxed|fbox)\s{0,4}\{"
)
_HASHES = re.compile(r"####[ \t]*([^\n]+)")
_ANSWER_IS = re.compile(
    r"\banswers?\b[*_\s]*(?:(?:is|was|are|equals|(?:would|should|must) be|[:=])[*_\s]*)+:?[ \t]*(?:(?:therefore|thus|hence|simply|then|just|clearly|indeed)\b,?:?\s*)?",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?:\*\*|^#+[ \t]*)final answer\b[ \t:]{0,4}(?:\*\*)?[ \t:]{0,4}\n\s{0,8}([^\n]+)", re.IGNORECASE | re.MULTILINE
)
_MORE_MATH = re.compile(r"\s*(?:,|and|or|, and|, or)\s*\$([^$\n]+)\$")
_CHINESE_ANSWER = re.compile(r"答案[是为]?\s*[:：]?\s*")
_INLINE_MATH = re.compile(r"\s*(?:\$\$?(.+?)\$\$?|\\\((.+?)\\\)|\\\[(.+?)\\\])", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)|\n|,? (?:because|since|as|so|which|where|I hope)\b|。|, not\b")


@dataclass(frozen=True)
class Extraction:
    """An answer and the rule that found it: ``box``, ``bare_box``, ``hashes``, ``answer_is``, ``whole``."""

    answer: str
    rule: str


def final_text(trajectory: Trajectory) -> str | None:
    """The model's text after its thinking, without tool output and chat tokens; None while thinking is open.

    A trajectory that never opened a thinking is all final text.
    """
    prompt = "".join(span.text for span in trajectory.spans if span.source is SpanSource.PROMPT)
    opened = prompt.rfind(THINK_OPEN) > prompt.rfind(THINK_CLOSE)
    text = "".join(map(_text_of_answer, trajectory.spans))
    if not opened and THINK_OPEN in text:
        before, text = text.split(THINK_OPEN, 1)
        opened = True
        if THINK_CLOSE in before:  # a closing without an opening: the template opened it out of our sight
            text = before + THINK_OPEN + text
    elif not opened and THINK_CLOSE in text:
        opened = True
    if opened:
        _, closed, text = text.partition(THINK_CLOSE)
        if not closed:
            return None
        text = re.sub(r"<think>.*?(?:</think>|\Z)", "", text, flags=re.DOTALL)
    return _CHAT_TOKEN.sub("", text)


def _text_of_answer(span: Span) -> str:
    """What a span may add to the answer: no prompt, no tool output, and of a hint not the template that it shows.

    Hints as such stay: in a turn without thinking tags they open the fences that the model closes.
    """
    if span.source in (SpanSource.PROMPT, SpanSource.TOOL):
        return ""
    return fences.without_closed_blocks(span.text) if span.source is SpanSource.HINT else span.text


def last_box(text: str) -> str | None:
    """Content of the last brace-balanced ``\\boxed{}`` or ``\\fbox{}`` that is not empty; None without one."""
    best_start, best_end = -1, -1
    for start, end in _boxes(text):
        if start > best_start:
            best_start, best_end = start, end
    return text[best_start:best_end].strip() if best_start >= 0 else None


def last_boxes(text: str) -> list[str]:
    """The last boxes that stand together ("\\boxed{2} and \\boxed{3}"), in order; one or none as a rule."""
    text = answer_part(text)[-4000:]
    spans = sorted(_boxes(text))
    together: list[tuple[int, int]] = []
    for start, end in reversed(spans):
        if together and not _BETWEEN_BOXES.fullmatch(text[end : together[-1][0]]):
            break
        together.append((start, end))
    return [text[start:end].strip() for start, end in reversed(together)]


def _boxes(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of the content of every balanced box that is not empty, in one pass."""
    open_braces: list[int] = []  # start of a box's content, or -1 for any other brace
    for match in _BOX_OR_BRACE.finditer(text):
        token = match.group()
        if token == "}":
            start = open_braces.pop() if open_braces else -1
            if start >= 0 and text[start : match.start()].strip():
                yield start, match.start()
        elif token == "{":
            open_braces.append(-1)
        elif token[-1] == "{" and len(token) > 2:
            open_braces.append(match.end())


_CODE_AND_OUTPUT = fences.PYTHON | {
    "output",
    "stdout",
    "result",
    "tool",
    "tool_call",
    "tool_code",
    "tool_output",
    "debug",
}
"""Languages of blocks in which no answer is looked for."""


def answer_part(text: str) -> str:
    """A response without thinking, tool output and code: where its answer is looked for.

    Thinking that never closes leaves nothing.
    """
    if THINK_CLOSE in text:
        text = text.rpartition(THINK_CLOSE)[2]
    elif THINK_OPEN in text:
        text = text.partition(THINK_OPEN)[0]
    if "```" in text or "~~~" in text:
        text = fences.without_blocks(text, _CODE_AND_OUTPUT)
    return text


def extract_answer(text: str, *, allow_whole: bool = False) -> Extraction | None:
    """The answer in final text: the last box, else after ``####``, else after "answer is"; else None.

    ``allow_whole`` takes a text of one short line without any of these as the answer itself (bare answer pairs).
    """
    text = _CHAT_TOKEN.sub("", answer_part(text))
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
    for last in _ANSWER_IS.finditer(text):
        pass
    if last is None and "答案" in text:
        for last in _CHINESE_ANSWER.finditer(text):
            pass
    if last is None:
        return None
    rest = text[last.end() : last.end() + 2000]
    inline = _INLINE_MATH.match(rest)
    if inline:
        first = next(group for group in inline.groups() if group is not None).strip()
        more = _MORE_MATH.match(rest, inline.end()) if inline[1] else None
        return f"{first}, {more[1].strip()}" if more else first
    end = _SENTENCE_END.search(rest)
    answer = rest[: end.start()] if end else rest
    return answer.strip(" \t*_`\"'") or None


_PROSE = re.compile(
    r"\b(?:the|is|are|so|we|that|therefore|thus|hence|because|maybe|think|i|it|get|have|this)\b", re.IGNORECASE
)


def _is_bare(text: str) -> bool:
    """A whole answer, not a sentence: one paragraph without the small words of prose."""
    outside_text = re.sub(r"\\text\s*\{[^{}]*\}", "", text)
    return "\n\n" not in text and "boxed" not in text and "fbox" not in text and not _PROSE.search(outside_text)
