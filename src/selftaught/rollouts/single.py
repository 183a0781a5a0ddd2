"""One problem, one trajectory, in this process: what ``selftaught infer`` does, as a function."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from selftaught.hints import load_library, split_name
from selftaught.problems import render_question
from selftaught.records import Problem, Trajectory
from selftaught.rollouts.checks import check_settings
from selftaught.rollouts.loop import Rollout
from selftaught.rollouts.opening import in_manner, manner_of, open_engine, open_sandbox
from selftaught.rollouts.pieces import Watcher
from selftaught.rollouts.settings import RolloutSettings
from selftaught.rollouts.tools import ToolBox

if TYPE_CHECKING:
    from selftaught.engines.base import Engine
    from selftaught.sandbox import Sandbox


def infer(problem: Problem, model: str, settings: RolloutSettings, watcher: Watcher | None = None) -> Trajectory:
    """Roll one problem out; ``watcher`` sees every piece as it comes. Raises what `run_rollout` raises."""
    return asyncio.run(infer_async(problem, model, settings, watcher))


async def infer_async(
    problem: Problem, model: str, settings: RolloutSettings, watcher: Watcher | None = None
) -> Trajectory:
    """The same inside a running event loop."""
    check_settings(settings, model)
    engine = open_engine(settings, model)
    try:
        if not settings.tools.enabled:
            return await solve(problem, engine, None, settings, watcher)
        async with open_sandbox(settings, model) as sandbox:
            return await solve(problem, engine, sandbox, settings, watcher)
    finally:
        await engine.aclose()


async def solve(
    problem: Problem,
    engine: Engine,
    sandbox: Sandbox | None,
    settings: RolloutSettings,
    watcher: Watcher | None = None,
) -> Trajectory:
    """The same with an engine and a sandbox that are open already; ``sandbox`` is None with tools off."""
    found: list[Trajectory] = []
    path, policy = split_name(settings.hints.policy)
    library = load_library(path)
    library.policy(policy, problem.kind)
    manner = manner_of(engine)
    own = in_manner(settings, manner)
    tools = ToolBox(sandbox, settings) if sandbox is not None else None
    render = partial(render_question, manner=manner)
    rollout = Rollout(engine, own, library, policy, tools, render, found.append, watcher)
    await rollout.run(problem, settings.sampling.first_sample)
    return found[0]
