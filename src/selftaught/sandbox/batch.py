"""Batches of sessions, as ``selftaught exec --batch`` reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selftaught.errors import DataError
from selftaught.store import BYTE_ORDER_MARK

_KEYS = {"id", "cells", "timeout_s"}


@dataclass(frozen=True)
class BatchLine:
    """One session: its cells run one after another in one interpreter."""

    id: str | int
    cells: list[str]
    timeout_s: float | None = None


def read_batch(path: Path) -> list[BatchLine]:
    """All lines of ``path``. Raises DataError with the number of the first bad one.

    Not a pydantic model: code may hold lone surrogates, which JSON can carry and pydantic refuses.
    """
    try:
        data = path.read_bytes().removeprefix(BYTE_ORDER_MARK)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); expected a JSON Lines file.") from None
    lines = []
    for number, text in enumerate(data.split(b"\n"), start=1):
        if not text.strip():
            continue
        try:
            lines.append(_line(json.loads(text)))
        except (ValueError, RecursionError) as error:
            raise DataError(f'{path}:{number}: {error}; expected {{"id", "cells": [code, …], "timeout_s"?}}.') from None
    return lines


def _line(value: Any) -> BatchLine:
    if not isinstance(value, dict) or not {"id", "cells"} <= value.keys() <= _KEYS:
        raise ValueError("keys are not id, cells and perhaps timeout_s")
    name, cells, timeout_s = value["id"], value["cells"], value.get("timeout_s")
    if not isinstance(name, str | int):
        raise ValueError(f"id is {name!r}, not a string")
    if not isinstance(cells, list) or not all(isinstance(cell, str) for cell in cells):
        raise ValueError("cells is not a list of strings")
    if timeout_s is not None and not (isinstance(timeout_s, int | float) and 0 < timeout_s < 1e6):
        raise ValueError(f"timeout_s is {timeout_s!r}, not a number of seconds above 0")
    return BatchLine(name, cells, timeout_s)


def needed(modules: Sequence[str], sources: Iterable[str]) -> tuple[str, ...]:
    """Those of ``modules`` that any of ``sources`` names: others need not be imported ahead, they still can be later."""
    missing = list(modules)
    for source in sources:
        missing = [module for module in missing if module not in source]
        if not missing:
            break
    return tuple(module for module in modules if module not in missing)
