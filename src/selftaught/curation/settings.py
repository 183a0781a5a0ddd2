"""Curation settings from flags and ``a.b=value`` overrides."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from selftaught.complaints import complaint
from selftaught.curation.records import CurateSettings, FilterSettings
from selftaught.errors import ConfigError, first_mistake
from selftaught.overrides import apply_overrides


def read_settings(given: dict[str, Any], overrides: list[str]) -> CurateSettings:
    """Settings from flags, then overrides. ConfigError names the key that is wrong and the nearest known one."""
    content: dict[str, Any] = dict(given)
    apply_overrides(content, overrides)
    try:
        return CurateSettings.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        near = get_close_matches(
            str(first["loc"][-1]), [*CurateSettings.model_fields, *FilterSettings.model_fields], n=1
        )
        hint = f" Did you mean {near[0]}?" if first["type"] == "extra_forbidden" and near else ""
        raise ConfigError(f"curation setting {first_mistake(error)}.{hint}") from None
