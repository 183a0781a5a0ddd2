"""A served model answers as the same model rolled out: greedy, token for token."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

from selftaught.manner import Manner
from selftaught.problems import load_problems, render_question
from selftaught.records import Trajectory
from selftaught.rollouts.runner import run_rollout
from selftaught.rollouts.settings import RolloutSettings
from selftaught.store import read_jsonl

from .living import Living


@pytest.mark.parametrize("num_problems", [8, pytest.param(200, marks=[pytest.mark.exhaustive, pytest.mark.slow])])
async def test_the_answers_are_those_of_a_rollout(server: Living, tmp_path: Path, num_problems: int) -> None:
    import asyncio

    problems = list(load_problems("toy-dev", limit=num_problems))
    await asyncio.to_thread(run_rollout, problems, "toy", tmp_path, RolloutSettings(max_rows=16))
    rolled = {one.problem_id: one for one in read_jsonl(tmp_path / "trajectories.jsonl", Trajectory)}
    client = openai.AsyncOpenAI(base_url=server.url, api_key="any", max_retries=0, timeout=600)
    gate = asyncio.Semaphore(16)

    async def served(question: str) -> str:
        async with gate:
            done = await client.chat.completions.create(model="toy", messages=[{"role": "user", "content": question}])
        message = done.choices[0].message
        return f"{message.reasoning}|{message.content}"  # type: ignore[attr-defined]

    manner = Manner(question="plain")
    answers = await asyncio.gather(*(served(render_question(problem, manner)) for problem in problems))
    await client.close()
    for problem, answer in zip(problems, answers, strict=True):
        text = rolled[problem.id].text_after_prompt().removesuffix("<|im_end|>")
        thinking, _, after = text.partition("</think>")
        assert answer == f"{thinking}|{after.lstrip()}", problem.id
