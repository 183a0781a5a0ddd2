"""Settings that a user writes as YAML: a file of keys, and ``--set a.b=value``. One rule for every verb that takes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from selftaught.errors import ConfigError


def read_mapping(path: Path, what: str) -> dict[str, Any]:
    """The keys of a YAML file. ConfigError in one line when it cannot be read or is no mapping; ``what`` says what it should be."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} cannot be read (byte {error.start + 1} is not UTF-8); expected {what}.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); expected {what}.") from None
    return parse_mapping(text, str(path), what)


def parse_mapping(text: str, where: str, what: str) -> dict[str, Any]:
    """The keys of a YAML text. ConfigError names ``where`` when it is none, or no mapping."""
    import yaml

    try:
        value = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not YAML ({_yaml_fault(error)}); expected {what}.") from None
    if not isinstance(value, dict):
        holds = "nothing" if value is None else "a list" if isinstance(value, list) else repr(value)[:60]
        raise ConfigError(f"{where} holds {holds}; expected {what}.")
    return {str(key): part for key, part in value.items()}


def apply_overrides(content: dict[str, Any], overrides: Iterable[str]) -> None:
    """Set each ``a.b=value`` in ``content``, making mappings on the way; values are read as YAML.

    ConfigError when there is no ``=``, no key or no YAML, or when a key on the way holds something else than a mapping.
    """
    import yaml

    for override in overrides:
        key, equals, value = override.partition("=")
        parts = [part.strip() for part in key.split(".")]
        if not equals or not all(parts):
            raise ConfigError(f"--set {override!r}; expected key=value, or key.sub=value.")
        place = content
        *parents, last = parts
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise ConfigError(f"--set {key}: {parent} is no mapping.")
        try:
            place[last] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ConfigError(
                f"--set {override!r}: the value is not YAML ({_yaml_fault(error)}); put it in quotes to have it as text."
            ) from None


def _yaml_fault(error: Exception) -> str:
    """What is wrong and in which line, without the parser's drawing of it."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    said = problem or next(iter(str(error).splitlines()), type(error).__name__)
    return f"{said}, line {mark.line + 1}" if mark is not None else str(said)
