"""One problem, one trajectory, in this process: what ``selftaught infer`` does, as a function."""

from __future__ import annotations

import asyncio

from selftaught.engines import load_engine
from selftaught.hints import load_library, split_name
from selftaught.problems import render_question
from selftaught.records import Problem, Trajectory
from selftaught.rollouts.loop import Rollout, Watcher
from selftaught.rollouts.settings import RolloutSettings
from selftaught.rollouts.tools import ToolBox


def infer(problem: Problem, model: str, settings: RolloutSettings, watcher: Watcher | None = None) -> Trajectory:
    """Roll one problem out; ``watcher`` sees every piece as it comes. Raises what `run_rollout` raises."""
    return asyncio.run(infer_async(problem, model, settings, watcher))


async def infer_async(
    problem: Problem, model: str, settings: RolloutSettings, watcher: Watcher | None = None
) -> Trajectory:
    """The same inside a running event loop."""
    found: list[Trajectory] = []
    path, policy = split_name(settings.hints)
    library = load_library(path)
    library.policy(policy, problem.kind)
    engine = load_engine(
        model,
        threads=settings.threads,
        dtype=settings.dtype,
        model_name=settings.model_name,
        tokenizer=settings.tokenizer,
        allow_text=settings.allow_text,
        max_rows=1,
        device=settings.device,
    )

    async def roll(tools: ToolBox | None) -> None:
        rollout = Rollout(engine, settings, library, policy, tools, render_question, found.append, watcher)
        await rollout.run(problem, settings.first_sample)

    try:
        if settings.tools:
            from selftaught.sandbox import Sandbox, SandboxSettings

            preload = {} if settings.preload is None else {"preload": settings.preload}
            async with Sandbox(SandboxSettings(workers=1, timeout_s=settings.tool_timeout_s, **preload)) as sandbox:
                await roll(ToolBox(sandbox, settings))
        else:
            await roll(None)
    finally:
        await engine.aclose()
    return found[0]
