"""Settings of a rollout: groups, flat keys, what is kept on disk, bounds and their messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from selftaught.errors import ConfigError
from selftaught.manner import ThinkStyle
from selftaught.rollouts.settings import (
    FLAT,
    GROUPS,
    HintSettings,
    RolloutSettings,
    SamplingSettings,
    ToolSettings,
    checked_settings,
    choices_of,
    expected,
    nested,
)

CONTENT = {
    "at_call_cap": "notice", "cache_tools": True, "condition": "base", "dtype": "float32", "first_sample": 0,
    "hints": "none", "keep_state": True, "language": "en", "max_code_bytes": 100000, "max_output_chars": 4000,
    "max_tokens": 32768, "max_tool_calls": 6, "model_name": None, "preload": None, "record_rounds": False,
    "repetition_window": 240, "rounds": 0, "samples": 1, "seed": 0, "system": None, "temperature": 0.0,
    "think_style": "auto", "tokenizer": None, "tool_memory_mb": None, "tool_timeout_s": 30.0, "tools": True,
    "top_p": 1.0, "trajectory_timeout_s": None,
}  # fmt: skip
"""What run folders of version 0 hold: they resume only while it stays."""

CHANGED = {"hints": "auto", "tools": False, "temperature": 0.5, "preload": ["numpy"], "think_style": "tags"}


def test_what_is_kept_on_disk_stays() -> None:
    new = {"last_block": "auto", "logprobs": "none", "figures": 0}
    assert RolloutSettings(dtype="float32").content() == {**CONTENT, **new}
    spread = {"workers": 3, "device": "cpu", "max_rows": 7, "threads": 2, "sandbox_workers": 1, "allow_text": True}
    assert RolloutSettings.model_validate({**CHANGED, **spread}).content() == {
        **CONTENT,
        **new,
        **CHANGED,
        "dtype": "auto",
    }
    assert RolloutSettings.model_validate(CONTENT) == RolloutSettings(dtype="float32")
    assert set(CONTENT) | set(new) | set(spread) == {"condition", *FLAT}


def test_groups_and_flat_keys_are_one() -> None:
    flat = RolloutSettings.model_validate({"condition": "x", "hints": "auto", "tools": False, "samples": 4})
    grouped = RolloutSettings(
        condition="x",
        hints=HintSettings(policy="auto"),
        tools=ToolSettings(enabled=False),
        sampling=SamplingSettings(samples=4),
    )
    assert flat == grouped
    assert nested({"tools": {"max_tool_calls": 2}, "tool_timeout_s": 1.0})["tools"] == {
        "max_tool_calls": 2,
        "tool_timeout_s": 1.0,
    }
    assert RolloutSettings.model_validate_json(flat.model_dump_json()) == flat
    assert RolloutSettings.model_validate(json.loads(json.dumps(flat.content()))) == flat
    assert RolloutSettings.model_validate(flat.flat()) == flat


def test_a_changed_copy() -> None:
    settings = RolloutSettings().changed(samples=3, hints="end", think_style="tags")
    assert settings.sampling.samples == 3 and settings.hints.policy == "end"
    assert settings.sampling.think_style is ThinkStyle.TAGS
    assert settings.changed(samples=1, hints="none", think_style="auto") == RolloutSettings()
    with pytest.raises(TypeError, match="samples"):
        settings.model_copy(update={"samples": 2})
    assert settings.model_copy(update={"condition": "y"}).condition == "y"


@pytest.mark.parametrize("key", FLAT)
def test_every_setting_is_described_and_bounded(key: str) -> None:
    group, name, field = FLAT[key]
    assert group in GROUPS and field.description and len(field.description) > 10, "its docstring is its help"
    plain = repr(field.annotation)
    is_free = any(kind in plain for kind in ("int", "float", "str")) and not choices_of(field.annotation)
    assert not is_free or "metadata" in repr(field) or "Field" in plain or field.metadata, f"{name} has no bounds"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"top_p": 2}, "top_p is 2; expected above 0, at most 1."),
        ({"temperature": -1}, "temperature is -1; expected at least 0, at most 10."),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"dtype": "fp99"}, "dtype is 'fp99'; expected one of auto, float32, bfloat16, float16"),
        ({"language": "fr"}, "language is 'fr'; expected one of en, zh"),
        ({"device": "banana"}, "device is 'banana'; expected cpu, cuda, cuda:N, mps or xpu"),
        ({"samples": 0}, "samples is 0; expected at least 1"),
        ({"tool_timeout_s": 0}, "tool_timeout_s is 0; expected at least 0.05"),
        ({"tool_memory_mb": 1}, "tool_memory_mb is 1; expected at least 16"),
        ({"hints": ""}, "hints is ''"),
        ({"temprature": 1}, "Did you mean temperature"),
        ({"sampling": {"temprature": 1}}, "Did you mean temperature"),
        ({"think_style": "x"}, "expected one of auto, tags, whole_turn"),
        ({"max_tokens": 1 << 40}, "max_tokens is"),
        ({"max_tokens": "many"}, "max_tokens is 'many'; expected at least 1"),
        ({"preload": 3}, "preload is 3"),
    ],
)
def test_a_mistake_is_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked_settings(values)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_mistake_is_named_as_the_user_wrote_it() -> None:
    with pytest.raises(ConfigError, match="^recipe: --top-p is 2"):
        checked_settings({"top_p": 2}, name=lambda key: "--" + key.replace("_", "-"), where="recipe: ")
    assert expected("top_p") == "above 0, at most 1" and expected("seed") == ""
