"""A run without hints beside the hinted one: both share every token up to the first hint (`selftaught.rollouts.replay`).

Its folder holds what the run without hints would have written by itself. So the greedy pass of START's first round costs
only the tokens after the first hint.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from selftaught.errors import ConfigError
from selftaught.rollouts.settings import RolloutSettings


@dataclass(frozen=True)
class PlainRun:
    """The same run without hints, recorded beside the hinted one: both share every token up to the first hint."""

    out: Path
    settings: RolloutSettings


def plain_run(out: Path | None, settings: RolloutSettings, *, no_tools: bool = False, ray: int = 0) -> PlainRun:
    """The same run without hints, in ``out``. ConfigError when it cannot be made beside that of ``settings``."""
    if out is None:
        raise ConfigError("plain_no_tools was given without plain; name the folder of the run without hints.")
    if ray:
        raise ConfigError("plain and ray do not go together: workers over Ray do not fork; leave one out.")
    if settings.hints.policy == "none":
        raise ConfigError("plain was given, but hints is none: both runs would be one; name a policy, or leave it out.")
    hints = settings.hints.model_copy(update={"policy": "none", "rounds": 0})
    tools = settings.tools.model_copy(update={"enabled": settings.tools.enabled and not no_tools})
    return PlainRun(out, settings.model_copy(update={"hints": hints, "tools": tools, "condition": "rollout"}))


_SHARED_SAMPLING = ("temperature", "top_p", "samples", "first_sample", "seed", "system", "think_style")
"""Settings of sampling that two runs have in common where they share tokens."""


def check_plain(settings: RolloutSettings, plain: RolloutSettings) -> None:
    """ConfigError when the run ``plain``, without hints, cannot share tokens with the run of ``settings``."""
    if plain.hints.policy != "none":
        raise ConfigError(f"the run without hints has hints {plain.hints.policy!r}; expected none.")
    if settings.hints.record_rounds or plain.hints.record_rounds:
        raise ConfigError("record_rounds and a run without hints beside the hinted one do not go together; drop one.")
    for name in _SHARED_SAMPLING:
        mine, other = getattr(settings.sampling, name), getattr(plain.sampling, name)
        if mine != other:
            raise ConfigError(
                f"{name} is {mine} with hints and {other} without; expected one value, since both runs share tokens."
            )
    if settings.engine != plain.engine:
        raise ConfigError("the run without hints is on another engine than the hinted one; expected the same settings.")
    if plain.tools.enabled and settings.tools != plain.tools:
        raise ConfigError("the run without hints has other tool settings; expected the hinted run's, or tools off.")
    if not plain.tools.enabled and settings.tools.enabled and settings.sampling.temperature > 0:
        raise ConfigError(
            f"temperature is {settings.sampling.temperature:g}: with tools off other tokens are drawn, so nothing can be "
            "shared; expected 0, or the same tool settings."
        )
