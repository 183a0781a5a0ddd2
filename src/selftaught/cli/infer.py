"""``selftaught infer "PROBLEM"``: one problem, streamed, with hints, code and output shown."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from selftaught.cli.options import AllowText, ModelName, Tokenizer


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(name="infer")
    def infer(
        question: Annotated[str, typer.Argument(metavar="PROBLEM", help="The problem's text; - reads it from stdin.")],
        model: Annotated[str, typer.Option(help="Folder, hub id, `toy`, or http://…/v1.")] = "toy",
        hints: Annotated[
            str, typer.Option(help="auto, math, code, none, end, early, careful, … or a YAML file[:policy].")
        ] = "auto",
        rounds: Annotated[int, typer.Option(min=0, help="End-of-thinking rounds.")] = 0,
        kind: Annotated[str, typer.Option(help="math, choice or code.")] = "math",
        tools: Annotated[bool, typer.Option(help="Run the model's Python.")] = True,
        temperature: Annotated[float, typer.Option(min=0.0, help="0 is greedy.")] = 0.0,
        top_p: Annotated[float, typer.Option()] = 1.0,
        seed: Annotated[int, typer.Option()] = 0,
        max_tokens: Annotated[int, typer.Option(min=1)] = 32_768,
        max_tool_calls: Annotated[int, typer.Option(min=0)] = 6,
        tool_timeout: Annotated[float, typer.Option(min=0.05, help="Seconds a call.")] = 30.0,
        language: Annotated[str, typer.Option(help="Of hints and notices: en or zh.")] = "en",
        system: Annotated[str | None, typer.Option(help="System message.")] = None,
        raw: Annotated[
            bool, typer.Option("--raw", help="Ask in exactly these words, without a request for the answer's form.")
        ] = False,
        dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
        device: Annotated[str | None, typer.Option()] = None,
        model_name: ModelName = None,
        tokenizer: Tokenizer = None,
        allow_text: AllowText = False,
        as_json: Annotated[
            bool, typer.Option("--json", help="Print the trajectory as one JSON document, and nothing else.")
        ] = False,
    ) -> None:
        """Solve one problem and show how: thinking, hint, code, its output, the answer.

        Example: selftaught infer "What is the remainder when 7^2023 is divided by 1000?"
        """
        from selftaught.errors import ConfigError, IncompleteError
        from selftaught.records import Problem, ProblemKind, question_hash
        from selftaught.rollouts.progress import FAILED
        from selftaught.rollouts.settings import RolloutSettings
        from selftaught.rollouts.single import infer as infer_one

        text = sys.stdin.read() if question == "-" else question
        if not text.strip():
            raise ConfigError("the problem is empty; expected its text.")
        if kind not in list(ProblemKind):
            raise ConfigError(f"kind is {kind!r}; expected math, choice or code.")
        plain = raw or Path(model).name == "toy"
        problem = Problem(
            id=question_hash(text),
            problem=text.strip(),
            kind=ProblemKind(kind),
            metadata={"rendered": True} if plain else {},
        )
        settings = RolloutSettings(
            condition=f"infer+{hints}",
            hints=hints if tools else "none",
            rounds=rounds,
            tools=tools,
            temperature=temperature,
            top_p=top_p,
            seed=seed,
            max_tokens=max_tokens,
            max_tool_calls=max_tool_calls,
            tool_timeout_s=tool_timeout,
            language="zh" if language == "zh" else "en",
            system=system,
            dtype=dtype,
            device=device,
            model_name=model_name,
            tokenizer=tokenizer,
            allow_text=allow_text,
        )
        screen = None
        if not as_json:
            from rich.console import Console

            from selftaught.rollouts.watching import Screen

            screen = Screen(Console(highlight=False))
        trajectory = infer_one(problem, model, settings, screen)
        answer = boxed_answer(trajectory.text_after_prompt())
        if screen is not None:
            calls = trajectory.tool_calls()
            num_tokens = sum(len(span.token_ids) for span in trajectory.spans[1:])
            found = f"answer {answer}" if answer is not None else "no answer"
            screen.finish(
                f"{found} · {trajectory.stop_reason.value} · {len(trajectory.hints())} hints · {len(calls)} calls · "
                f"{num_tokens} tokens · {trajectory.wall_s:.1f} s"
            )
        else:
            print(
                json.dumps(
                    {"problem": problem.problem, "answer": answer, "trajectory": json.loads(trajectory.to_json())},
                    ensure_ascii=False,
                )
            )
        if trajectory.stop_reason in FAILED:
            raise IncompleteError(f"the rollout ended by {trajectory.stop_reason.value}: {trajectory.error}")


def boxed_answer(text: str) -> str | None:
    """What stands in the last ``\\boxed{…}`` after the thinking, for the closing line; grading has its own rules."""
    text = text.rpartition("</think>")[2]
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth, begin = 0, start + len("\\boxed{")
    for at in range(begin - 1, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return text[begin:at].strip()
    return None
