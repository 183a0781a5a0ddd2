"""What log-probabilities cost: the same rollouts with ``logprobs`` none, triggers and tokens, alternated in one process.

``python benchmarks/logprobs.py --model toy --count 48`` prints the engine's seconds of each setting, and the median of the
ratios of neighbouring runs. CPU time of this process is what counts: on a shared machine the wall clock says little.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from functools import partial
from typing import Any

from selftaught.hints import load_library
from selftaught.problems import load_problems, render_question
from selftaught.records import Problem
from selftaught.rollouts import RolloutSettings
from selftaught.rollouts.loop import Rollout
from selftaught.rollouts.opening import in_manner, manner_of, open_engine

SETTINGS = ("none", "triggers", "tokens")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="toy")
    parser.add_argument("--problems", default="toy-test")
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=5, help="alternations")
    parser.add_argument("--max-tokens", type=int, default=400)
    parser.add_argument("--max-rows", type=int, default=32)
    parser.add_argument("--hints", default="paragraph", help="policy of the library; blocks are not run")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = asyncio.run(measure(arguments))
    print(json.dumps(found, indent=2) if arguments.json else table(found))


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """CPU seconds of each run by setting, and tokens of one run."""
    problems = load_problems(arguments.problems, limit=arguments.count)
    common: dict[str, Any] = {
        "max_tokens": arguments.max_tokens,
        "max_rows": arguments.max_rows,
        "tools": False,
        "hints": arguments.hints,
    }
    engine = open_engine(RolloutSettings(**common), arguments.model)
    seconds: dict[str, list[float]] = {name: [] for name in SETTINGS}
    tokens = 0
    for turn in range(arguments.rounds + 1):
        for name in SETTINGS if turn % 2 else reversed(SETTINGS):
            engine.reset_stats()
            settings = RolloutSettings(**common, logprobs=name)
            took = await roll(engine, settings, problems)
            tokens = engine.stats.decode_tokens
            if turn:  # the first turn warms up
                seconds[name].append(took)
    await engine.aclose()
    return {"model": arguments.model, "count": len(problems), "tokens": tokens, "cpu_s": seconds}


async def roll(engine: Any, settings: RolloutSettings, problems: list[Problem]) -> float:
    """CPU seconds of rolling all problems out at once."""
    manner = manner_of(engine)
    settings = in_manner(settings, manner)
    render = partial(render_question, manner=manner)
    rollout = Rollout(
        engine, settings, load_library(), settings.hints.policy, None, render, lambda trajectory: trajectory.to_json()
    )
    started = time.process_time()
    async with asyncio.TaskGroup() as group:
        for problem in problems:
            group.create_task(rollout.run(problem, 0))
    return time.process_time() - started


def table(found: dict[str, Any]) -> str:
    """One line a setting: median seconds, tokens a second, and what it costs beside ``none``."""
    seconds = found["cpu_s"]
    lines = [f"{found['model']}, {found['count']} problems, {found['tokens']:,} tokens, CPU seconds of this process"]
    for name in SETTINGS:
        ratios = [own / plain - 1 for own, plain in zip(seconds[name], seconds["none"], strict=True)]
        median = statistics.median(seconds[name])
        lines.append(
            f"{name:>9}  {median:8.2f} s  {found['tokens'] / median:8,.0f} tokens/s  {statistics.median(ratios):+7.1%} "
            f"({min(ratios):+.1%} to {max(ratios):+.1%})"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
