"""``--map problem=question,answer=reward_model.ground_truth``: rows of any shape become rows of our own format.

A target is one of our keys or ``metadata.NAME``; a source is a column, or a dotted path into it. What is not mapped
stays as metadata if it is short: columns of generated solutions would swell every record after this.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from selftaught.errors import ConfigError
from selftaught.problems.fields import LeftOut, at_path
from selftaught.problems.formats import OWN_KEYS
from selftaught.problems.presets.base import last_boxed
from selftaught.problems.rows import Row

MAX_METADATA_CHARS = 200
"""Longest text that an unmapped column may have to be kept as metadata."""

_EXAMPLE = "problem=question,answer=final_answer"


@dataclass(frozen=True)
class FieldMap:
    """Targets with the paths that fill them, in the order given. Empty: rows are read as they are."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, given: str | Mapping[str, str] | None) -> FieldMap:
        """From the text of an option, or the mapping of a recipe.

        ConfigError for an unknown target or an empty path.
        """
        if not given:
            return cls()
        if isinstance(given, str):
            items = [item.strip() for item in given.split(",") if item.strip()]
            wrong = next((item for item in items if "=" not in item), None)
            if wrong is not None:
                raise ConfigError(f"map has {wrong!r}; expected KEY=COLUMN pairs by commas, such as {_EXAMPLE}.")
            pairs = [(left.strip(), right.strip()) for left, _, right in (item.partition("=") for item in items)]
        else:
            pairs = [(str(left), str(right)) for left, right in given.items()]
        for target, path in pairs:
            if target not in OWN_KEYS and not target.startswith("metadata."):
                near = difflib.get_close_matches(target, OWN_KEYS, n=1)
                hint = f" Did you mean {near[0]}?" if near else ""
                swapped = f" The key comes first: {path}={target}." if path in OWN_KEYS and not near else ""
                raise ConfigError(
                    f"map sets {target!r}; expected one of {', '.join(OWN_KEYS)} or metadata.NAME.{hint}{swapped}"
                )
            if not path:
                raise ConfigError(f"map gives no column for {target!r}; expected KEY=COLUMN, such as {_EXAMPLE}.")
        doubled = next((t for t, _ in pairs if [target for target, _ in pairs].count(t) > 1), None)
        if doubled is not None:
            raise ConfigError(f"map sets {doubled!r} twice; expected each key once.")
        return cls(tuple(pairs))

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def text(self) -> str:
        """As on the command line."""
        return ",".join(f"{target}={path}" for target, path in self.pairs)

    def apply(self, row: Row) -> Row:
        """A row of our own format. ValueError when a path leads nowhere in this row."""
        used = {path.split(".")[0] for _, path in self.pairs} | {path for _, path in self.pairs}
        mapped: Row = {key: row[key] for key in OWN_KEYS if key in row and key not in used and key != "metadata"}
        metadata = {
            key: value for key, value in row.items() if key not in OWN_KEYS and key not in used and _is_short(value)
        }
        given = row.get("metadata")
        if isinstance(given, dict) and "metadata" not in used:
            metadata.update(given)
        for target, path in self.pairs:
            value = at_path(row, path)
            if value is None and target in ("problem",):
                names = ", ".join(map(str, list(row)[:12]))
                raise ValueError(f"`{path}` (mapped to {target}) is missing; the row has {names}")
            if target.startswith("metadata."):
                metadata[target.removeprefix("metadata.")] = value
            elif target == "metadata" and isinstance(value, dict):
                metadata.update(value)
            else:
                mapped[target] = _fitted(target, value)
        return {**mapped, "metadata": metadata} if metadata else mapped


def _is_short(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= MAX_METADATA_CHARS)


def _fitted(target: str, value: Any) -> Any:
    """What data sets hold in the place of a plain value: a list of one answer, a solution that ends in a box."""
    if target in ("answer", "problem") and isinstance(value, list) and len(value) == 1:
        value = value[0]
    if target == "answer" and isinstance(value, str) and "\n" in value.strip():
        boxed = last_boxed(value)
        if boxed is None and len(value) > MAX_METADATA_CHARS:
            raise LeftOut("an answer that is a text without a box")
        return boxed or value
    if target in ("starter_code", "fn_name", "source", "split") and value == "":
        return None
    return value
