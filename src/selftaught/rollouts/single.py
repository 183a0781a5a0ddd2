"""One problem, one trajectory, in this process: what ``selftaught infer`` does, as a function."""

from __future__ import annotations

import asyncio
from functools import partial

from selftaught.hints import load_library, split_name
from selftaught.problems import render_question
from selftaught.records import Problem, Trajectory
from selftaught.rollouts.checks import check_settings
from selftaught.rollouts.loop import Rollout, Watcher
from selftaught.rollouts.opening import in_manner, manner_of, open_engine, open_sandbox
from selftaught.rollouts.settings import RolloutSettings
from selftaught.rollouts.tools import ToolBox


def infer(problem: Problem, model: str, settings: RolloutSettings, watcher: Watcher | None = None) -> Trajectory:
    """Roll one problem out; ``watcher`` sees every piece as it comes. Raises what `run_rollout` raises."""
    return asyncio.run(infer_async(problem, model, settings, watcher))


async def infer_async(
    problem: Problem, model: str, settings: RolloutSettings, watcher: Watcher | None = None
) -> Trajectory:
    """The same inside a running event loop."""
    check_settings(settings, model)
    found: list[Trajectory] = []
    path, policy = split_name(settings.hints.policy)
    library = load_library(path)
    library.policy(policy, problem.kind)
    engine = open_engine(settings, model)

    async def roll(tools: ToolBox | None) -> None:
        manner = manner_of(engine)
        render = partial(render_question, manner=manner)
        chosen = in_manner(settings, manner)
        rollout = Rollout(engine, chosen, library, policy, tools, render, found.append, watcher)
        await rollout.run(problem, settings.sampling.first_sample)

    try:
        if settings.tools.enabled:
            async with open_sandbox(settings, model) as sandbox:
                await roll(ToolBox(sandbox, settings))
        else:
            await roll(None)
    finally:
        await engine.aclose()
    return found[0]
