"""What the model gave as its answer: the text after its thinking, the part of it that may hold an answer, the last program.

Everything runs in one pass over the text, so that 10⁵ boxes or unbalanced braces cost no more than their length.
"""

from __future__ import annotations

import re

from selftaught.records import SpanSource, Trajectory

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"

CHAT_TOKEN = re.compile(r"<\|[a-z_]{2,32}\|>|</s>")
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([A-Za-z0-9_+-]*)[^\n`]*$", re.MULTILINE)

_PYTHON_TAGS = frozenset({"python", "py", "python3", ""})


def final_text(trajectory: Trajectory) -> str | None:
    """The model's text after its thinking, without tool output and chat tokens; None while thinking is open.

    A trajectory that never opened a thinking is all final text.
    """
    prompt = "".join(span.text for span in trajectory.spans if span.source is SpanSource.PROMPT)
    opened = prompt.rfind(THINK_OPEN) > prompt.rfind(THINK_CLOSE)
    # Hints stay: in a turn without thinking tags they open the fences that the model closes.
    skipped = (SpanSource.PROMPT, SpanSource.TOOL)
    text = "".join(span.text for span in trajectory.spans if span.source not in skipped)
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


_OUTPUT_BLOCK = re.compile(
    r"^[ \t]*```[ \t]*(?:output|tool|stdout|result)[^\n]*\n.*?(?:^[ \t]*```[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
_CODE_BLOCK = re.compile(
    r"^[ \t]*```[ \t]*(?:python|py|python3|Debug Code Template)[ \t]*\n.*?(?:^[ \t]*```[ \t]*$|\Z)",
    re.DOTALL | re.MULTILINE,
)


def answer_part(text: str) -> str:
    """A response without thinking, tool output and code: where its answer is looked for.

    Thinking that never closes leaves nothing.
    """
    if THINK_CLOSE in text:
        text = text.rpartition(THINK_CLOSE)[2]
    elif THINK_OPEN in text:
        text = text.partition(THINK_OPEN)[0]
    if "```" in text:
        text = _CODE_BLOCK.sub("\n", _OUTPUT_BLOCK.sub("\n", text))
    return text


def last_program(text: str) -> str | None:
    """Source of the last fenced Python block (or block without a tag); None without one.

    A block that the text ends in, unclosed, counts when no closed one is there.
    """
    best: str | None = None
    fences = list(_FENCE.finditer(text))
    index = 0
    while index < len(fences):
        opening = fences[index]
        mark = opening[1][0] * 3
        close = next(
            (n for n in range(index + 1, len(fences)) if fences[n][1].startswith(mark) and not fences[n][2]), None
        )
        is_python = opening[2].lower() in _PYTHON_TAGS
        if close is None:
            if is_python and best is None and text[opening.end() :].strip():
                best = text[opening.end() + 1 :]
            index += 1
            continue
        if is_python:
            best = text[opening.end() + 1 : fences[close].start()]
        index = close + 1
    return best


def bare_program(text: str) -> str:
    """A program that is given as such, or the last fenced one where ``text`` is a response around it."""
    if "```" not in text and "~~~" not in text:
        return text
    try:
        compile(text, "<program>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return last_program(text) or text
    return text
