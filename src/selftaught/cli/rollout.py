"""``selftaught rollout PROBLEMS --model M --out RUN``: problems in, trajectories out."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selftaught.cli.options import AllowText, ModelName, Tokenizer
from selftaught.cli.problem_options import DropOption, MapOption

if TYPE_CHECKING:
    from selftaught.rollouts import RolloutProgress


class ProgressLine:
    """One line on stderr: rewritten in place on a terminal, a new one every ten seconds elsewhere."""

    def __init__(self, every_s: float = 10.0) -> None:
        self._live = sys.stderr.isatty()
        self._every_s = every_s
        self._last = 0.0

    def __call__(self, progress: RolloutProgress) -> None:
        """Show a snapshot."""
        now = time.monotonic()
        finished = progress.done >= progress.total
        if self._live:
            print(f"\r\x1b[K{progress.line()}", end="\n" if finished else "", file=sys.stderr, flush=True)
        elif finished or now - self._last >= self._every_s:
            self._last = now
            print(progress.line(), file=sys.stderr, flush=True)


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(name="rollout")
    def rollout(
        problems: Annotated[
            str, typer.Argument(help="A problem file, a folder, a hub id (owner/name) or a benchmark's name.")
        ],
        model: Annotated[str, typer.Option(help="Folder, hub id, `toy`, or http://…/v1 (several, comma-separated).")],
        out: Annotated[Path, typer.Option(help="Run folder; the same folder resumes.")],
        hints: Annotated[
            str, typer.Option(help="none, auto, math, code, end, early, careful, … or a YAML file[:policy].")
        ] = "none",
        rounds: Annotated[int, typer.Option(min=0, help="End-of-thinking rounds.")] = 0,
        record_rounds: Annotated[
            bool, typer.Option("--record-rounds", help="Fork, and keep a trajectory for each round.")
        ] = False,
        tools: Annotated[bool, typer.Option(help="Run the model's Python.")] = True,
        samples: Annotated[int, typer.Option(min=1, help="Samples of each problem.")] = 1,
        temperature: Annotated[float, typer.Option(min=0.0, help="0 is greedy.")] = 0.0,
        top_p: Annotated[float, typer.Option(help="Nucleus of the distribution.")] = 1.0,
        max_tokens: Annotated[int, typer.Option(min=1, help="Most tokens after the prompt.")] = 32_768,
        max_tool_calls: Annotated[int, typer.Option(min=0)] = 6,
        tool_timeout: Annotated[float, typer.Option(min=0.05, help="Seconds a call.")] = 30.0,
        seed: Annotated[int, typer.Option()] = 0,
        language: Annotated[str, typer.Option(help="Of hints and notices: en or zh.")] = "en",
        system: Annotated[str | None, typer.Option(help="System message.")] = None,
        condition: Annotated[str | None, typer.Option(help="Name written into the trajectories.")] = None,
        limit: Annotated[int | None, typer.Option(min=1, help="Only the first problems.")] = None,
        mapping: MapOption = None,
        drop: DropOption = None,
        workers: Annotated[
            int | None, typer.Option(min=0, help="Processes; by default one per core, one for a server or a GPU.")
        ] = None,
        sandbox_workers: Annotated[
            int | None, typer.Option(min=1, help="Calls at once, per worker [default: 2; with a server 8].")
        ] = None,
        max_rows: Annotated[int, typer.Option(min=1, help="Rows that generate at once, per worker.")] = 64,
        dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
        device: Annotated[str | None, typer.Option()] = None,
        model_name: ModelName = None,
        ray: Annotated[
            int, typer.Option(min=0, help="Spread over so many Ray workers, each with its own sandbox; 0: no Ray.")
        ] = 0,
        ray_address: Annotated[
            str | None, typer.Option(help="Of a running Ray cluster, or auto; without it Ray starts here.")
        ] = None,
        tokenizer: Tokenizer = None,
        allow_text: AllowText = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")] = False,
    ) -> None:
        """Roll problems out with hints and Python; the same command resumes.

        Example: selftaught rollout problems.jsonl --model toy --hints auto --out runs/hinted
        """
        from selftaught.cli.next_step import say_next
        from selftaught.errors import IncompleteError
        from selftaught.problems import load_problems
        from selftaught.rollouts import RolloutSettings, run_rollout

        loaded = load_problems(problems, limit=limit, mapping=mapping, drop=drop)
        settings = RolloutSettings(
            condition=condition or ("rollout" if hints == "none" else f"rollout+{Path(hints).name}"),
            hints=hints,
            rounds=rounds,
            record_rounds=record_rounds,
            tools=tools,
            samples=samples,
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            max_tool_calls=max_tool_calls,
            tool_timeout_s=tool_timeout,
            seed=seed,
            language="zh" if language == "zh" else "en",
            system=system,
            workers=default_workers(model, device) if workers is None else workers,
            sandbox_workers=sandbox_workers,
            max_rows=max_rows,
            dtype=dtype,
            device=device,
            model_name=model_name,
            tokenizer=tokenizer,
            allow_text=allow_text,
        )
        if ray:
            from selftaught.pipeline.ray_rollout import summary_over_ray

            summary = summary_over_ray(loaded, model, out, settings, workers=ray, address=ray_address)
        else:
            summary = run_rollout(loaded, model, out, settings, progress=ProgressLine())
        if as_json:
            print(summary.model_dump_json(indent=2))
        else:
            print(out)
            reasons = ", ".join(f"{name} {count}" for name, count in summary.stop_reasons.items()) or "nothing new"
            print(
                f"{summary.num_trajectories} trajectories; {reasons}; calls in {summary.call_rate:.0%}", file=sys.stderr
            )
            if summary.stall is not None:
                print(stall_line(summary.stall), file=sys.stderr)
            say_next("grade", out)
        if summary.num_failed:
            raise IncompleteError(
                f"{summary.num_failed} trajectories ended in an engine or sandbox error; the same command does them again."
            )


def default_workers(model: str, device: str | None) -> int:
    """One process per core for a small local model on a CPU; none apart for a server or a GPU."""
    import os

    from selftaught.tokens.folder import is_url

    if is_url(model) or (device or "cpu") != "cpu":
        return 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def stall_line(stall: object) -> str:
    """Shares of time and the advice, in one line."""
    from selftaught.rollouts.progress import StallReport

    assert isinstance(stall, StallReport)
    return (
        f"time: prefill {stall.prefill:.0%}, decode {stall.decode:.0%}, waiting {stall.idle:.0%}, rest {stall.overhead:.0%}; "
        f"{stall.tool_calls} calls, {stall.tool_calls_run} run. {stall.advice}"
    )
