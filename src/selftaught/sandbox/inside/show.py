"""How an exception is shown to the model: the cell's own frames, the source lines, the message. Nothing of ours.

Written out here instead of using ``traceback``, because model code may have patched anything that module calls. An
exception is an object of model code: its class may define ``__cause__`` or ``__str__`` to raise, so what Python keeps in
an exception is read past its class, and what only the class can say is asked for under a guard.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

_MAX_LINE = 300
_MAX_MESSAGE = 4000
_MAX_FRAMES = 12
_MAX_CHAIN = 4
_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"

_cause, _context, _suppress, _trace = (
    BaseException.__dict__[name].__get__
    for name in ("__cause__", "__context__", "__suppress_context__", "__traceback__")
)
_qualname, _module = type.__dict__["__qualname__"].__get__, type.__dict__["__module__"].__get__


def cut(text: str, limit: int) -> str:
    """``text`` within ``limit`` characters, the middle left out."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}…[{len(text) - 2 * half} characters]…{text[-half:]}"


def format_error(error: BaseException, source_lines: Callable[[str], list[str] | None]) -> str:
    """A traceback text. ``source_lines(filename)`` gives the lines of a cell, None for a file that is not one."""
    chain: list[tuple[BaseException, str]] = []
    current: BaseException | None = error
    while current is not None and len(chain) < _MAX_CHAIN and all(current is not link[0] for link in chain):
        joint, following = "", None
        if _cause(current) is not None:
            joint, following = _CAUSE, _cause(current)
        elif _context(current) is not None and not _suppress(current):
            joint, following = _CONTEXT, _context(current)
        chain.append((current, joint))
        current = following
    texts = [_one(link, source_lines) for link, _ in chain]
    joints = [joint for _, joint in chain[:-1]] + [""]
    return "".join(joint + text for text, joint in zip(reversed(texts), reversed(joints), strict=True))


def _one(error: BaseException, source_lines: Callable[[str], list[str] | None]) -> str:
    frames = _frames(_trace(error), source_lines)
    head = "Traceback (most recent call last):\n" + frames if frames else ""
    name = str(_qualname(type(error)))
    module = _module(type(error))
    if isinstance(module, str) and module not in ("builtins", "__main__"):
        name = f"{module}.{name}"
    if issubclass(type(error), SyntaxError):
        try:
            return head + _syntax(error) + _message(name, error.msg)  # type: ignore[arg-type, attr-defined]
        except BaseException:
            pass  # its fields are whatever the code put there
    return head + _message(name, _guarded(str, error, "<exception str() failed>")) + _guarded(_notes, error, "")


def _guarded(ask: Callable[[Any], str], error: BaseException, otherwise: str) -> str:
    """What code of the exception's class answers; ``otherwise`` when it raises."""
    try:
        return ask(error)
    except BaseException:
        return otherwise


def _notes(error: BaseException) -> str:
    return "".join(cut(str(note), _MAX_MESSAGE) + "\n" for note in getattr(error, "__notes__", None) or ())


def _message(name: str, text: object) -> str:
    return f"{name}: {cut(str(text), _MAX_MESSAGE)}\n" if text else f"{name}\n"


def _frames(trace: TracebackType | None, source_lines: Callable[[str], list[str] | None]) -> str:
    shown: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        lines = source_lines(code.co_filename)
        if lines is not None:
            number = trace.tb_lineno or 0
            text = f'  File "{code.co_filename}", line {number}, in {code.co_name}\n'
            if 0 < number <= len(lines) and lines[number - 1].strip():
                text += f"    {cut(lines[number - 1].strip(), _MAX_LINE)}\n"
            shown.append(text)
        trace = trace.tb_next
    if len(shown) > _MAX_FRAMES:
        half = _MAX_FRAMES // 2
        shown[half:-half] = [f"  [… {len(shown) - 2 * half} frames …]\n"]
    return "".join(shown)


def _syntax(error: SyntaxError) -> str:
    if error.lineno is None:
        return ""
    text = f'  File "{error.filename}", line {error.lineno}\n'
    line = (error.text or "").rstrip("\r\n")
    stripped = line.lstrip()
    if stripped and len(stripped) <= _MAX_LINE:
        text += f"    {stripped}\n"
        offset = (error.offset or 0) - 1 - (len(line) - len(stripped))
        if 0 <= offset <= len(stripped):
            text += " " * (4 + offset) + "^\n"
    elif stripped:
        text += f"    {cut(stripped, _MAX_LINE)}\n"
    return text
