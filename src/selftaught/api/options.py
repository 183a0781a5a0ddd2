"""The settings that functions take by name, for type checkers, and from these names to flat keys.

The fields are the options of the command line (``--max-tokens`` is ``max_tokens``); a test compares both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any, TypedDict

from selftaught.errors import ConfigError
from selftaught.problems import ProblemQuery
from selftaught.rollouts.defaults import OPTIONS, option_name

Folder = str | PathLike[str]
"""A folder or file by its name."""
Overrides = Mapping[str, Any] | Sequence[str] | None
"""Other settings: ``{"packing": True}``, or ``["packing=true"]`` as on the command line."""
Columns = str | Mapping[str, str] | None
"""Which column is what: ``{"problem": "question"}``, or ``"problem=question"``."""
Rules = str | Sequence[str] | None
"""Rows that are left out: ``"level < 3"``."""


class AskSettings(TypedDict, total=False):
    """Settings of one question. What is not given is as on the command line (``docs/cli.md``)."""

    temperature: float
    top_p: float
    max_tokens: int
    first_sample: int
    seed: int
    system: str
    think_style: str
    repetition_window: int
    logprobs: str
    trajectory_timeout: float
    tools: bool
    max_tool_calls: int
    at_call_cap: str
    last_block: str
    figures: int
    tool_timeout: float
    tool_memory: int
    max_output_chars: int
    max_code_bytes: int
    preload: Sequence[str]
    keep_state: bool
    cache_tools: bool
    hints: str
    rounds: int
    language: str
    model_name: str
    tokenizer: str
    allow_text: bool
    dtype: str
    device: str
    threads: int
    sandbox_workers: int
    max_rows: int


class RunSettings(AskSettings, total=False):
    """Settings of many trajectories."""

    samples: int
    record_rounds: bool
    workers: int


def flat_keys(given: Mapping[str, Any], without: Sequence[str] = ()) -> dict[str, Any]:
    """Settings by flat key; None is not given. ConfigError on a name that is no setting, or is one of ``without``."""
    result = {}
    for name, value in given.items():
        key = OPTIONS.get(name, name)
        if key not in OPTIONS.values() or key in without:
            near = get_close_matches(name, [option for option in OPTIONS if OPTIONS[option] not in without], n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{name}: no such argument.{hint}")
        if key == "preload" and isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if value is not None:
            result[key] = value
    return result


def in_words(key: str) -> str:
    """How an argument is called in a message."""
    return option_name(key)


def override_texts(overrides: Overrides) -> list[str]:
    """``key=value`` texts."""
    if isinstance(overrides, Mapping):
        import json

        return [f"{key}={json.dumps(value)}" for key, value in overrides.items()]
    return list(overrides or ())


def path_or_none(place: Folder | None) -> Path | None:
    """A path from a name."""
    return None if place is None else Path(place).expanduser()


def query_or_none(source: Folder | None, mapping: Columns, drop: Rules) -> ProblemQuery | None:
    """The problems that are named; ConfigError for ``map`` or ``drop`` without them."""
    if source is None:
        if mapping or drop:
            raise ConfigError("map and drop say how a problem file is read; name it with problems.")
        return None
    return ProblemQuery.of(Path(source) if isinstance(source, PathLike) else source, mapping=mapping, drop=drop)
