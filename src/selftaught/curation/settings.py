"""Curation settings from flags and ``a.b=value`` overrides."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from selftaught.complaints import complaint
from selftaught.curation.records import CurateSettings, FilterSettings
from selftaught.errors import ConfigError
from selftaught.overrides import apply_overrides


def read_settings(given: dict[str, Any], overrides: list[str]) -> CurateSettings:
    """Settings from flags, then overrides. ConfigError names the key that is wrong and the nearest known one."""
    content: dict[str, Any] = dict(given)
    apply_overrides(content, overrides)
    try:
        return CurateSettings.model_validate(content)
    except ValidationError as error:
        known = [*CurateSettings.model_fields, *FilterSettings.model_fields]
        raise ConfigError(f"curation setting {complaint(error, known)}") from None
