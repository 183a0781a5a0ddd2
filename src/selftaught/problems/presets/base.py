"""What a preset is: a known data set, told by its columns, and how one of its rows becomes a row of our own format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from selftaught.problems.fields import LeftOut
from selftaught.problems.rows import Row


def always(row: Row) -> bool:
    """The columns alone decide."""
    return True


@dataclass(frozen=True)
class Preset:
    """A known data set. ``convert`` gives a row of our format, or raises ``LeftOut`` with a reason that is counted."""

    name: str
    columns: frozenset[str]
    """Columns that must be there."""
    convert: Callable[[Row], Row]
    without: frozenset[str] = frozenset()
    """Columns that must not be there."""
    check: Callable[[Row], bool] = always
    """A last look at values, where columns alone could mean another set."""

    def may_match(self, columns: frozenset[str]) -> bool:
        """Whether rows with these columns can be this set's."""
        return self.columns <= columns and not (self.without & columns)


def last_boxed(text: str) -> str | None:
    """What stands in the last ``\\boxed{…}`` or ``\\fbox{…}`` of a solution, braces balanced; None without one."""
    start = max(text.rfind("\\boxed"), text.rfind("\\fbox"))
    if start < 0:
        return None
    rest = text[start:].removeprefix("\\boxed").removeprefix("\\fbox").lstrip()
    if not rest.startswith("{"):
        # `\boxed 5` as TeX reads it: the next token.
        return rest[:1].strip() or None
    depth = 0
    for index, character in enumerate(rest):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return rest[1:index].strip() or None
    return None


def gold(value: object) -> str | int | float:
    """The answer of a row. ``LeftOut`` when the set says that there is none."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise LeftOut("no answer" if value is None else "an answer that is no text")
    text = str(value).strip()
    if text.lower() in ("", "none", "null", "nan", "n/a", "notfound", "not found"):
        raise LeftOut("no answer")
    if text.lower() == "proof":
        raise LeftOut("proof")
    return value


def picked(row: Row, *names: str) -> Row:
    """The columns worth keeping as metadata: those that are there and hold something."""
    return {name: row[name] for name in names if row.get(name) not in (None, "", [])}


def name_of(value: object) -> str | None:
    """A source's name if it is one: some sets keep a number there."""
    return value if isinstance(value, str) and value.strip() else None
