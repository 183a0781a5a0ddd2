"""Plays scripted turns through the driver, with an interpreter in this process in place of the sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import io
import traceback
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from selftaught.engines import ScriptedEngine
from selftaught.hints import load_library, split_name
from selftaught.records import ExecStatus, Problem, ProblemKind, StopReason, TestCase, Trajectory
from selftaught.rollouts.loop import Rollout
from selftaught.rollouts.pieces import Event, Piece, Running
from selftaught.rollouts.settings import RolloutSettings
from selftaught.rollouts.tools import ToolBox
from selftaught.rollouts.verify import verify_trajectory
from selftaught.tokens import Codec

MATHS = Problem(id="m", problem="What is 6 times 7?", kind=ProblemKind.MATH, answer="42")
CODE = Problem(
    id="c",
    problem="Write solve(a, b).",
    kind=ProblemKind.CODE,
    fn_name="solve",
    tests=[TestCase(input="3\n20", output="60", public=True), TestCase(input="5\n5", output="25")],
)


@dataclass
class Ran:
    status: ExecStatus
    output: str
    wall_s: float = 0.001
    truncated: bool = False
    tier: str = "none"
    restarted: bool = False


class PlainPython:
    """Runs trusted test code with exec; ``TIMEOUT`` as code times out, ``BROKEN`` breaks the sandbox."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.num_sessions = 0
        self.num_open = 0

    async def run(self, code: str, timeout_s: float | None = None) -> Ran:
        return self._run(code, {})

    def session(self, source: str | None = None) -> Any:
        return self._session(source)

    @contextlib.asynccontextmanager
    async def _session(self, source: str | None) -> AsyncIterator[Any]:
        self.num_sessions += 1
        self.num_open += 1
        scope: dict[str, Any] = {}
        box = self

        class Session:
            async def run(self, code: str) -> Ran:
                return box._run(code, scope)

            def covers(self, code: str) -> bool:
                return source is None or "sympy" in source or "sympy" not in code

        yield Session()
        self.num_open -= 1

    def _run(self, code: str, scope: dict[str, Any]) -> Ran:
        from selftaught.errors import SandboxError

        self.ran.append(code)
        if code.strip() == "TIMEOUT":
            return Ran(ExecStatus.TIMEOUT, "")
        if code.strip() == "BROKEN":
            raise SandboxError("the zygote is gone")
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                exec(code, scope)
        except Exception:
            return Ran(ExecStatus.ERROR, out.getvalue() + traceback.format_exc(limit=0))
        return Ran(ExecStatus.OK, out.getvalue())


def settings(**changes: Any) -> RolloutSettings:
    return RolloutSettings(**{"max_tokens": 4000, "condition": "test", **changes})


async def play_async(
    engine: ScriptedEngine,
    changes: RolloutSettings,
    problem: Problem = MATHS,
    sandbox: PlainPython | None = None,
    sample: int = 0,
) -> list[Trajectory]:
    found: list[Trajectory] = []
    path, policy = split_name(changes.hints.policy)
    tools = ToolBox(sandbox if sandbox is not None else PlainPython(), changes) if changes.tools.enabled else None
    seen: list[Event] = []
    rollout = Rollout(
        engine, changes, load_library(path), policy, tools, lambda one: one.problem, found.append, seen.append
    )
    await rollout.run(problem, sample)
    if not changes.hints.record_rounds:
        check_events(seen, found[0])
    return found


def check_events(events: list[Event], trajectory: Trajectory) -> None:
    """What a watcher saw is what was recorded: the text, the calls, and the program of each."""
    text = trajectory.text_after_prompt()
    shown = "".join(event.text for event in events if isinstance(event, Piece))
    if trajectory.stop_reason is StopReason.TIMEOUT:  # what was drawn last is shown and not recorded
        assert shown.startswith(text)
        return
    loop = next(
        (place for place, span in enumerate(trajectory.spans) if span.hint and "repetition" in span.hint.reason), None
    )
    if loop is not None:  # the repeated stretch was shown before anybody could know that it would be taken back
        before = "".join(span.text for span in trajectory.spans[1:loop])
        assert shown.startswith(before) and shown.endswith(text.removeprefix(before))
        return
    assert shown == text
    calls = [event for event in events if isinstance(event, Running)]
    tools = [event.tool for event in events if isinstance(event, Piece) and event.tool is not None]
    assert tools == trajectory.tool_calls() and len(calls) - len(tools) in (0, 1)
    assert [call.code for call in calls[: len(tools)]] == [tool.code for tool in tools]
    code, step, closed = "", None, ""
    for event in events:
        if isinstance(event, Running):
            assert closed == event.code
        elif event.step == "open":
            assert step in (None, "close", "drop")
            code, step, is_odd = "", "open", event.text.lstrip("`~") == event.text
        elif event.step is not None:
            assert step in ("open", "code")
            step = event.step
            if step == "code":
                code += event.code
            elif step == "close":
                closed = event.code
                assert code == closed or is_odd


def play(
    codec: Codec, turns: Sequence[str], problem: Problem = MATHS, sandbox: PlainPython | None = None, **changes: Any
) -> Trajectory:
    """One trajectory in which the model says ``turns``; its ledger is verified."""
    engine = ScriptedEngine.from_turns(codec, turns)
    (trajectory,) = asyncio.run(play_async(engine, settings(**changes), problem, sandbox))
    mismatch = verify_trajectory(trajectory, codec)
    assert mismatch is None, mismatch
    assert engine.num_closed == len(engine.sequences)
    if engine.sequences:
        assert trajectory.token_ids()[: len(engine.sequences[0].ids)] == engine.sequences[0].ids
    return Trajectory.model_validate_json(trajectory.to_json())


def sources(trajectory: Trajectory) -> list[str]:
    return [span.source.value for span in trajectory.spans]
