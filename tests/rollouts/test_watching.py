"""A trajectory shown while it is made."""

from __future__ import annotations

import re
from typing import Any

import pytest


def test_screen_shows_hint_code_and_output(capsys: pytest.CaptureFixture[str], codec: Any) -> None:
    import asyncio
    import io

    from rich.console import Console

    from selftaught.engines import ScriptedEngine
    from selftaught.hints import load_library
    from selftaught.rollouts.loop import Rollout
    from selftaught.rollouts.tools import ToolBox
    from selftaught.rollouts.watching import Screen

    from .playing import MATHS, PlainPython, settings

    turns = ["It is 41\x1b[31m.</think>", "print(6 * 7)\n```\n", "So 42.</think>\n\\boxed{42}<|im_end|>"]
    for terminal in (False, True):
        page = io.StringIO()
        screen = Screen(
            Console(file=page, force_terminal=terminal, width=80, color_system="standard" if terminal else None)
        )
        engine = ScriptedEngine.from_turns(codec, turns)
        rollout = Rollout(
            engine,
            settings(),
            load_library(),
            "math",
            ToolBox(PlainPython(), settings()),
            lambda one: one.problem,
            lambda one: None,
            screen,
        )
        asyncio.run(rollout.run(MATHS, 0))
        screen.finish("answer 42 · answered")
        raw = page.getvalue()
        text = re.sub(r"\x1b\[[0-9;]*m", "", raw)
        for part in ("It is 41", "hint ", "Wait, ", "output · ok", "42", "\\boxed{42}", "answered"):
            assert part in text
        assert "\x1b[31m." not in raw and "</think>" not in text
