"""``selftaught rollout PROBLEMS --model M --out RUN``: problems in, trajectories out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selftaught.cli.options import Given, flag, with_settings
from selftaught.cli.problem_options import DropOption, MapOption, ModelOption, ProblemsArgument, refuse_failed

if TYPE_CHECKING:
    from selftaught.records import Problem
    from selftaught.rollouts import PlainRun, RolloutSettings, RolloutSummary
    from selftaught.rollouts.progress import StallReport

DEFAULT_WORKERS = "one for each core; 0 for a server or a GPU"


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(name="rollout")
    @with_settings(defaults={"workers": DEFAULT_WORKERS})
    def rollout(
        problems: ProblemsArgument,
        model: ModelOption,
        out: Annotated[Path, typer.Option(help="Run folder; the same folder resumes.")],
        given: Given,
        condition: Annotated[str | None, typer.Option(help="Name written into the trajectories.")] = None,
        limit: Annotated[int | None, typer.Option(min=1, help="Only the first problems.")] = None,
        mapping: MapOption = None,
        drop: DropOption = None,
        plain: Annotated[
            Path | None,
            typer.Option(help="Folder for the same run without hints: both share every token up to the first hint."),
        ] = None,
        plain_no_tools: Annotated[
            bool,
            typer.Option("--plain-no-tools", help="With --plain: that run is without Python, as START's greedy one."),
        ] = False,
        ray: Annotated[
            int, typer.Option(min=0, help="Spread over so many Ray workers, each with its own sandbox; 0: no Ray.")
        ] = 0,
        ray_address: Annotated[
            str | None, typer.Option(help="Of a running Ray cluster, or auto; without it Ray starts here.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")] = False,
    ) -> None:
        """Roll problems out with hints and Python; the same command resumes.

        Example: selftaught rollout problems.jsonl --model toy --hints auto --out runs/hinted
        """
        from selftaught.problems import load_problems
        from selftaught.rollouts.defaults import for_rollout
        from selftaught.rollouts.plain import plain_run

        settings = for_rollout(given, model, condition, name=flag)
        loaded = load_problems(problems, limit=limit, mapping=mapping, drop=drop)
        beside = plain_run(plain, settings, no_tools=plain_no_tools, ray=ray) if plain or plain_no_tools else None
        summary = _roll(loaded, model, out, settings, ray, ray_address, beside)
        if as_json:
            print(summary.model_dump_json(indent=2))
        else:
            _tell(summary, out)
        refuse_failed(summary.num_failed)


def stall_line(stall: StallReport) -> str:
    """Shares of time and the advice, in one line."""
    return (
        f"time: prefill {stall.prefill:.0%}, decode {stall.decode:.0%}, waiting {stall.idle:.0%}, rest {stall.overhead:.0%}; "
        f"{stall.tool_calls} calls, {stall.tool_calls_run} run. {stall.advice}"
    )


def _roll(
    problems: list[Problem],
    model: str,
    out: Path,
    settings: RolloutSettings,
    ray: int,
    ray_address: str | None,
    plain: PlainRun | None,
) -> RolloutSummary:
    from selftaught.progress.bars import bars
    from selftaught.rollouts import run_rollout

    with bars() as show:
        if ray:
            from selftaught.pipeline.ray_rollout import summary_over_ray
            from selftaught.progress import counted

            count = counted(show, "rollout")
            return summary_over_ray(problems, model, out, settings, workers=ray, address=ray_address, progress=count)
        return run_rollout(problems, model, out, settings, progress=show, plain=plain)


def _tell(summary: RolloutSummary, out: Path) -> None:
    from selftaught.cli.next_step import say_next

    print(out)
    reasons = ", ".join(f"{name} {count}" for name, count in summary.stop_reasons.items()) or "nothing new"
    print(f"{summary.num_trajectories} trajectories; {reasons}; calls in {summary.call_rate:.0%}", file=sys.stderr)
    if summary.num_beside:
        shared = summary.shared_tokens / (summary.model_tokens + summary.shared_tokens)
        print(
            f"{summary.num_beside} trajectories without hints beside them; {summary.model_tokens:,} tokens sampled for both, "
            f"{shared:.0%} fewer than apart",
            file=sys.stderr,
        )
    if summary.stall is not None:
        print(stall_line(summary.stall), file=sys.stderr)
    say_next("grade", out)
