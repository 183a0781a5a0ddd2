"""Known data sets, told by their columns: which one a row belongs to, and how it becomes a row of our own format."""

from __future__ import annotations

from functools import lru_cache

from selftaught.problems.presets.base import Preset
from selftaught.problems.presets.choice import CHOICE_PRESETS
from selftaught.problems.presets.code import CODE_PRESETS
from selftaught.problems.presets.maths import MATHS_PRESETS
from selftaught.problems.presets.nested import NESTED_PRESETS
from selftaught.problems.rows import Row

PRESETS: tuple[Preset, ...] = (*CODE_PRESETS, *CHOICE_PRESETS, *NESTED_PRESETS, *MATHS_PRESETS)
"""In the order in which they are tried. A set whose columns another one has too, and more, comes after it."""


def recognise(row: Row) -> Preset | None:
    """The preset of a row, or None when it is a row of our own format or of none that we know."""
    if "kind" in row and "problem" in row:  # only our own format says the kind
        return None
    return next((preset for preset in _candidates(frozenset(row)) if preset.check(row)), None)


@lru_cache(maxsize=256)
def _candidates(columns: frozenset[str]) -> tuple[Preset, ...]:
    """Rows of one file mostly have the same columns, so this is asked once a file."""
    return tuple(preset for preset in PRESETS if preset.may_match(columns))


__all__ = ["PRESETS", "Preset", "recognise"]
