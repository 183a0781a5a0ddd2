"""What a check of pydantic's found, in the words of every other message: the key, its value, what was expected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
"""Kind of a bound → words, and the name under which the bound stands in the error."""

_TYPES = (
    ("int_", "a whole number"),
    ("float_", "a number"),
    ("finite_number", "a finite number"),
    ("decimal_", "a number"),
    ("bool_", "true or false"),
    ("string_too_short", "a text that is not empty"),
    ("string_type", "a text"),
    ("list_", "a list"),
    ("tuple_", "a list"),
    ("set_", "a list"),
    ("dict_", "a mapping"),
    ("mapping_", "a mapping"),
    ("model_", "a mapping"),
    ("dataclass_", "a mapping"),
    ("path_", "a path"),
)
"""Start of an error's kind → what was expected."""

_MAX_SHOWN = 80
_MAX_LISTED = 12


def complaint(
    error: ValidationError, known: Iterable[str] = (), *, name: Callable[[str], str] = str, whole: str = "the line"
) -> str:
    """The first mistake in one line with a full stop: ``rules.0.probability is 2; expected at most 1.``

    An unknown key goes before a missing one, which it mostly is, misspelt. ``known`` are the keys that an unknown one may
    stand for, beside those that are missing. ``name`` turns a key into what the user wrote; ``whole`` names the record.
    """
    errors = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"])
    key = name(place) if place else whole
    if first["type"] == "extra_forbidden":
        missing = [str(one["loc"][-1]) for one in errors if one["type"] == "missing"]
        return f"{key}: no such key.{_meant(str(first['loc'][-1]), [*missing, *known])}"
    if first["type"] == "missing":
        return f"{key} is missing."
    if first["type"] == "json_invalid":
        return f"not JSON ({first['msg'].removeprefix('Invalid JSON: ')})."
    if first["type"] in ("value_error", "assertion_error"):
        said = first["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ").rstrip(".")
        return f"{place}: {said}." if place else f"{said}."
    value = first["input"]
    # A bound is only asked about a number; the command line hands it over as text.
    said = value if first["type"] in _BOUNDS and isinstance(value, str) else shown(value)
    return f"{key} is {said}; expected {_expected(first)}."


def shown(value: object) -> str:
    """A value in a message: short, on one line, without Python's names for what YAML and JSON call otherwise."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:g}"
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def _expected(error: Mapping[str, Any]) -> str:
    kind, context = str(error["type"]), error.get("ctx", {})
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"{words} {shown(context[bound])}"
    if kind in ("literal_error", "enum"):
        return f"one of {str(context['expected']).replace(' or ', ', ').replace(chr(39), '')}"
    found = next((words for start, words in _TYPES if kind.startswith(start)), None)
    return found or str(error["msg"]).removeprefix("Input should be ").removesuffix(".")


def _meant(key: str, known: list[str]) -> str:
    """`` Did you mean …?``, or which keys there are where they are few."""
    others = [one for one in dict.fromkeys(known) if one != key]
    near = get_close_matches(key, others, n=1)
    if near:
        return f" Did you mean {near[0]}?"
    return f" Expected one of {', '.join(others)}." if 0 < len(others) <= _MAX_LISTED else ""
