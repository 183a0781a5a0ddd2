"""What a served model is asked with where neither the command nor the request says it: its own sampling values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from selftaught.manner import Manner
from selftaught.rollouts.defaults import chosen
from selftaught.rollouts.settings import RolloutSettings
from selftaught.tokens.files import read_json_object
from selftaught.tokens.folder import is_url

MAX_ROWS = 64


def for_serve(
    given: Mapping[str, Any],
    manner: Manner,
    generation_config: Mapping[str, Any] | None = None,
    name: Callable[[str], str] = str,
    model: str = "",
) -> RolloutSettings:
    """Settings of ``serve``: what was named, else the manner's sampling, else the model's ``generation_config``."""
    own = sampling_of(generation_config or {})
    workers = {} if is_url(model) else {"sandbox_workers": 4}
    return chosen(given, manner=manner, name=name, condition="serve", max_rows=MAX_ROWS, **workers, **own)


def sampling_of(generation_config: Mapping[str, Any]) -> dict[str, float]:
    """Temperature and top-p of a model's ``generation_config.json``; greedy where it says nothing, or no sampling."""
    if not generation_config.get("do_sample"):
        return {}
    temperature, top_p = generation_config.get("temperature"), generation_config.get("top_p")
    found = {"temperature": float(temperature) if isinstance(temperature, int | float) else 1.0}
    if isinstance(top_p, int | float) and 0 < top_p <= 1:
        found["top_p"] = float(top_p)
    return found


def generation_config_of(folder: Any) -> dict[str, Any]:
    """The ``generation_config.json`` of a model's folder; empty where there is none."""
    return read_json_object(folder / "generation_config.json") if folder.is_dir() else {}
