"""Texts that the runner itself inserts: the output block and the notice that no calls are left."""

from __future__ import annotations

import re
from collections.abc import Sequence

from selftaught.hints import Language
from selftaught.records import ExecStatus

NO_CALLS_LEFT: dict[Language, str] = {
    "en": "(No Python calls are left. From here on nothing is executed.)\n",
    "zh": "（Python 调用次数已用完，之后的代码不会再执行。）\n",
}
_EXPLAINED = {
    ExecStatus.TIMEOUT: "TimeoutError: the code did not finish within {timeout_s:g} s and was stopped.",
    ExecStatus.MEMORY: "MemoryError: the code used too much memory and was stopped.",
    ExecStatus.OUTPUT: "OutputError: the code printed too much and was stopped.",
    ExecStatus.CRASH: "The interpreter crashed.",
    ExecStatus.REFUSED: "The code was not run.",
}


def output_block(output: str, status: ExecStatus, *, max_chars: int, timeout_s: float = 0.0) -> str:
    """```` ```output … ``` ````, as the paper writes it, on lines of its own.

    A long output loses its middle; a call that did not run to its end says why if the output does not. Lines that
    would close the block are moved in by one space.
    """
    text = output.rstrip("\n")
    explained = _EXPLAINED.get(status, "").format(timeout_s=timeout_s)
    if explained and explained.split(":")[0].split()[0] not in text[-300:]:
        text = f"{text}\n{explained}" if text else explained
    text = shorten(text, max_chars)
    text = re.sub(r"^(?=[ \t]{0,3}```)", " ", text, flags=re.MULTILINE)
    return f"```output\n{text}\n```\n" if text else "```output\n```\n"


def shorten(text: str, max_chars: int) -> str:
    """Head and tail of a long text, with the number of characters cut out between them."""
    if len(text) <= max_chars:
        return text
    tail = max_chars * 2 // 5
    head = max_chars - tail
    return f"{text[:head]}\n[… {len(text) - head - tail} characters cut …]\n{text[-tail:]}"


def is_looping(ids: Sequence[int], window: int) -> bool:
    """True if the last ``window`` ids repeat one stretch at least four times."""
    if window <= 0 or len(ids) < window:
        return False
    recent = list(ids[-window:])
    last = recent[-1]
    return any(
        recent[-1 - period] == last and recent[period:] == recent[:-period] for period in range(1, window // 4 + 1)
    )


def repeated_stretch(ids: Sequence[int], window: int) -> list[int]:
    """The end of ``ids`` that says again what stands before it, where `is_looping`: all of the loop but its first time."""
    recent = list(ids[-window:])
    period = next(period for period in range(1, window // 4 + 1) if recent[period:] == recent[:-period])
    start = len(ids) - window
    while start and ids[start - 1] == ids[start - 1 + period]:
        start -= 1
    return list(ids[start + period :])
