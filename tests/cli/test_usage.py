"""What no option takes, whatever the verb: an empty path, a number without an end; and bounds with the value in them."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import typer

from selftaught.cli.app import available_verbs, load_command
from selftaught.cli.usage import is_wrong_path
from selftaught.errors import ConfigError


def leaves(command: Any) -> list[Any]:
    parts = getattr(command, "commands", None)
    return [leaf for part in parts.values() for leaf in leaves(part)] if parts else [command]


COMMANDS = [leaf for verb in available_verbs() for leaf in leaves(load_command(verb.name))]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command.name))
def test_no_option_takes_an_empty_path_or_an_endless_number(command: Any) -> None:
    wrong = {Path: "", float: "inf"}
    for parameter in command.params:
        value = wrong.get(parameter.type_descriptor.annotation)
        if value is not None:
            with pytest.raises(
                (ConfigError, typer.BadParameter), match=r"is ''; expected a path|finite number|less than"
            ):
                parameter.process_value(None, value)


@pytest.mark.parametrize(
    ("error", "is_users"),
    [
        (FileNotFoundError(errno.ENOENT, "x"), True),
        (PermissionError(errno.EACCES, "x"), True),
        (IsADirectoryError(errno.EISDIR, "x"), True),
        (OSError(errno.ENAMETOOLONG, "x"), True),
        (OSError(errno.EROFS, "x"), True),
        (OSError(errno.ENOSPC, "x"), False),
        (OSError(errno.EIO, "x"), False),
        (OSError(errno.EMFILE, "x"), False),
    ],
)
def test_a_wrong_path_is_the_users_and_a_full_disk_is_not(error: OSError, is_users: bool) -> None:
    assert is_wrong_path(error) is is_users
