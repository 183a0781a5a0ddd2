"""What a verb does where its caller names nothing: from the settings that were named to all settings.

The order is the same everywhere: what was named, else the model's manner, else the verb's own default, else the
setting's. The command line and the Python interface both come here; they differ in how they call a setting in a message
(``name``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from selftaught.manner import Manner
from selftaught.rollouts.opening import manner_before
from selftaught.rollouts.settings import FLAT, RolloutSettings, checked_settings
from selftaught.tokens.folder import is_url

UNITS = ("_s", "_mb")
"""Endings of settings that their options do without."""

Given = Mapping[str, Any]
"""Settings that were named, by flat key."""
Name = Callable[[str], str]
"""Flat key → what its caller writes."""


def option_name(key: str) -> str:
    """How an option is called: ``tool_timeout_s`` → ``tool_timeout``."""
    for unit in UNITS:
        key = key.removesuffix(unit)
    return key


OPTIONS: dict[str, str] = {option_name(key): key for key in FLAT}
"""Option → flat key."""


def chosen(given: Given, *, manner: Manner | None = None, name: Name = str, **verb: object) -> RolloutSettings:
    """All settings; ``verb`` holds the verb's own defaults. ConfigError in one line when a value is out of bounds."""
    own: dict[str, object] = {}
    if manner is not None and manner.sampling is not None:
        own = manner.sampling.model_dump(exclude_none=True)
    return checked_settings({**verb, **own, **given}, name=lambda key: name(key) if key in given else key)


def for_rollout(given: Given, model: str, condition: str | None = None, name: Name = str) -> RolloutSettings:
    """Settings of ``rollout``."""
    hints = str(given.get("hints", "none"))
    return chosen(
        given,
        manner=manner_before(model, given.get("tokenizer")),
        name=name,
        condition=condition or ("rollout" if hints == "none" else f"rollout+{Path(hints).name}"),
        workers=default_workers(model, given.get("device")),
    )


def for_infer(given: Given, manner: Manner, earlier: Given | None = None, name: Name = str) -> RolloutSettings:
    """Settings of ``infer``; ``earlier`` are those of the run that a problem is asked again from."""
    earlier = earlier or {}
    tools = bool(given.get("tools", earlier.get("tools", True)))
    hints = str(given.get("hints", earlier.get("hints", (manner.hints or "auto") if tools else "none")))
    own = {"max_rows": 1, "sandbox_workers": 1, **earlier, "hints": hints, "condition": f"infer+{hints}"}
    return chosen(given, manner=None if earlier else manner, name=name, **own)


def default_workers(model: str, device: str | None) -> int:
    """One process per core for a small local model on a CPU; none apart for a server or a GPU."""
    if is_url(model) or (device or "cpu") != "cpu":
        return 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
