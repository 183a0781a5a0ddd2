"""What the model gave as its answer: the text after its thinking, the part of it that may hold an answer.

Everything runs in one pass over the text, so that 10⁵ boxes or unbalanced braces cost no more than their length.
"""

from __future__ import annotations

import re

from selftaught.records import Span, SpanSource, Trajectory
from selftaught.tokens import fences

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"

CHAT_TOKEN = re.compile(r"<\|[a-z_]{2,32}\|>|</s>")

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
    return CHAT_TOKEN.sub("", text)


def _text_of_answer(span: Span) -> str:
    """What a span may add to the answer: no prompt, no tool output, and of a hint not the template that it shows.

    Hints as such stay: in a turn without thinking tags they open the fences that the model closes.
    """
    if span.source is SpanSource.PROMPT:
        return ""
    if span.source is SpanSource.TOOL:
        return (
            "\n" if span.tool is not None and span.tool.discarded_ids else ""
        )  # the closing fence before it has no newline of its own
    return fences.without_closed_blocks(span.text) if span.source is SpanSource.HINT else span.text


_LOST = re.compile(
    "\x08(?=oxed|inom|egin)|\x0c(?=rac|box)|\t(?=ext\\b|imes\\b|heta\\b|frac\\b|an\\b)|\x07(?=lpha|pprox)|\r(?=ight|ho\\b)"
)
_ESCAPES = {"\x08": "\\b", "\x0c": "\\f", "\t": "\\t", "\x07": "\\a", "\r": "\\r"}


def with_backslashes(text: str) -> str:
    """``\\boxed``, ``\\frac`` and the like again, where a string's escapes made control characters of their first letters."""
    if "\x08" in text or "\x0c" in text or "\t" in text or "\x07" in text or "\r" in text:
        return _LOST.sub(lambda lost: _ESCAPES[lost[0]], text)
    return text


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
    return with_backslashes(text)
