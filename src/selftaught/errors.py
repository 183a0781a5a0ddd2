"""Errors by the boundary that was crossed, each with the exit code the command line gives it.

A model's mistake (wrong code, no answer, an endless loop) is never one of these: it is data, recorded in a
trajectory or a grade. These are for the user's input, the machine and the parts that we talk to. Every message says
what was wrong, the value, what was expected and what to do, in one line:
``"hints.max_end_rounds is -1; expected 0 or more."``
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    pass


class SelftaughtError(Exception):
    """Base of all errors that the command line shows as one line. ``exit_code`` as in the README."""

    exit_code: ClassVar[int] = 1


def shorten(text: str, max_chars: int = 60) -> str:
    """``text`` for a message: its first ``max_chars`` characters, with an ellipsis behind them where more follow."""
    return text if len(text) <= max_chars else text[:max_chars] + "…"


class IncompleteError(SelftaughtError):
    """Work finished in part, or a check failed (``verify``, ``compare --fail-below``)."""

    exit_code: ClassVar[int] = 1


class EmptyDataError(IncompleteError):
    """A data set came out without rows, so that its model cannot be trained: measured, not broken.

    A run reports up to here.
    """


class ConfigError(SelftaughtError):
    """A flag, a recipe or a hint file says something impossible."""

    exit_code: ClassVar[int] = 2


class DataError(SelftaughtError):
    """A problem file, trajectory file or export cannot be read. The message names the file and the line."""

    exit_code: ClassVar[int] = 2


class MissingPartError(SelftaughtError):
    """An optional part (an extra, an engine, an isolation tier) is not there. The message says how to get it."""

    exit_code: ClassVar[int] = 3


class EngineError(MissingPartError):
    """A model cannot be loaded or a server cannot be reached."""


class SandboxError(MissingPartError):
    """The sandbox cannot be started at a tier that the settings allow."""
