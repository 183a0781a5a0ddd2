"""Curation settings from flags and ``a.b=value`` overrides."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from selftaught.curate.records import CurateSettings, FilterSettings
from selftaught.errors import ConfigError


def read_settings(given: dict[str, Any], overrides: list[str]) -> CurateSettings:
    """Settings from flags, then overrides. ConfigError names the key that is wrong and the nearest known one."""
    import yaml

    content: dict[str, Any] = dict(given)
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise ConfigError(f"--set {override!r}; expected key=value.")
        place = content
        *parents, last = key.split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = yaml.safe_load(value)
    try:
        return CurateSettings.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        near = get_close_matches(
            str(first["loc"][-1]), [*CurateSettings.model_fields, *FilterSettings.model_fields], n=1
        )
        hint = f" Did you mean {near[0]}?" if first["type"] == "extra_forbidden" and near else ""
        raise ConfigError(f"curation setting {key}: {first['msg']}.{hint}") from None
