"""What is wrong with a command's options, in the words of every other message, and what no option takes.

The command line's library says ``Invalid value for '--limit': Input should be greater than or equal to 1`` and leaves the
value out. It also takes ``inf`` for a number of seconds, and the empty text, which an unset shell variable leaves, for the
working directory.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from selftaught.errors import ConfigError

_USERS = (FileNotFoundError, NotADirectoryError, IsADirectoryError, FileExistsError, PermissionError)
"""Errors of the operating system that a wrong path makes."""

_USERS_NUMBERS = (errno.ENAMETOOLONG, errno.ELOOP, errno.EROFS, errno.ENOTEMPTY, errno.EINVAL)
"""Their numbers, where Python has no class of its own."""


def guard(command: Any) -> Any:
    """Make every option of ``command``, and of the commands in it, refuse an empty path and a number without an end."""
    for part in command.commands.values() if isinstance(command, TyperGroup) else ():
        guard(part)
    for parameter in command.params:
        setattr(parameter, "process_value", partial(_process, parameter, parameter.process_value))  # noqa: B010
    return command


def usage_message(error: typer.TyperException) -> str:
    """What was wrong, and where to read on."""
    context = getattr(error, "ctx", None)
    message = error.format_message().rstrip()
    if type(error).__name__ == "NoArgsIsHelpError" and context is not None:
        message = f"a command is missing; expected one of {', '.join(context.command.commands)}."
    cause, parameter = error.__cause__, getattr(error, "param", None)
    if parameter is not None and hasattr(cause, "errors"):
        from selftaught.complaints import complaint

        message = complaint(cause, name=lambda _: _name(parameter), whole=_name(parameter))  # type: ignore[arg-type]
    message += "" if message.endswith((".", "?", "!")) else "."
    if context is not None and "selftaught --help" not in message:
        message += f" See `{context.command_path} --help`."
    return message


def is_wrong_path(error: OSError) -> bool:
    """Whether a path that the user named is at fault, not the machine."""
    return isinstance(error, _USERS) or error.errno in _USERS_NUMBERS


def _process(parameter: Any, process: Callable[[Any, Any], Any], context: Any, raw: Any) -> Any:
    given = list(raw) if isinstance(raw, list | tuple) else [raw]
    if _takes_path(parameter) and any(isinstance(part, str) and not part.strip() for part in given):
        raise ConfigError(f"{_name(parameter)} is ''; expected a path.")
    value = process(context, raw)
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{_name(parameter)} is {value:g}; expected a finite number.")
    return value


def _takes_path(parameter: Any) -> bool:
    annotation = parameter.type_descriptor.annotation
    return annotation is Path or getattr(annotation, "__args__", ())[:1] == (Path,)


def _name(parameter: Any) -> str:
    """``--limit`` of an option, RUN of an argument."""
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name)
