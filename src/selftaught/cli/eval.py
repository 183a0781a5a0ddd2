"""``selftaught eval``: a model on benchmarks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from selftaught.cli.options import AllowText, ModelName
from selftaught.cli.problem_options import DropOption, MapOption


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("eval")
    def eval_(
        model: str = typer.Option(..., "--model", "-m", help="Local folder, hub id, toy, or http://…/v1."),
        benchmarks: str = typer.Option(
            ...,
            "--benchmarks",
            "--tasks",
            "-b",
            help="Names or problem files, by commas; aime24:16 takes 16 samples, livecodebench@2024-08-01..2024-11-30 a window.",
        ),
        out: Path | None = typer.Option(
            None, "--out", "-o", help="Run folder. Default: runs/eval-MODEL-BENCHMARKS.", show_default=False
        ),
        condition: str | None = typer.Option(
            None, "--condition", help="Name in the tables. Default: the model's.", show_default=False
        ),
        hints: str = typer.Option("none", "--hints", help="Hint policy or YAML file (none, auto, math, code, end, …)."),
        tools: bool = typer.Option(True, "--tools/--no-tools", help="Run model-written Python."),
        rounds: int = typer.Option(0, "--rounds", min=0, help="Extra end-of-thinking rounds."),
        scaling: int = typer.Option(
            0, "--scaling", min=0, help="Also make the curves over 0…N hint rounds and N times budget forcing."
        ),
        samples: int = typer.Option(1, "--samples", "-n", "--epochs", min=1, help="Samples a problem."),
        temperature: float | None = typer.Option(
            None, "--temperature", min=0, help="Default: 0 with one sample, else 0.6.", show_default=False
        ),
        top_p: float | None = typer.Option(
            None, "--top-p", min=0, max=1, help="Default: 1 with one sample, else 0.95.", show_default=False
        ),
        max_tokens: int | None = typer.Option(
            None, "--max-tokens", min=1, help="Most tokens after the prompt.", show_default=False
        ),
        max_tool_calls: int = typer.Option(6, "--max-tool-calls", min=0, help="Most calls a trajectory."),
        tool_timeout: float | None = typer.Option(
            None, "--tool-timeout", min=0.05, help="Seconds a call.", show_default=False
        ),
        seed: int = typer.Option(0, "--seed", help="Seed of sampling and hints."),
        limit: int | None = typer.Option(None, "--limit", min=1, help="Only the first N problems.", show_default=False),
        mapping: MapOption = None,
        drop: DropOption = None,
        workers: int = typer.Option(2, "--workers", min=0, help="Worker processes; 0 works in this one."),
        model_name: ModelName = None,
        allow_text: AllowText = False,
        reference: str | None = typer.Option(
            None, "--reference", help="Condition that others are compared with.", show_default=False
        ),
        ablation_of: str | None = typer.Option(
            None, "--ablation-of", help="Table every other condition as an ablation of this one.", show_default=False
        ),
        recipe: str | None = typer.Option(
            None,
            "--recipe",
            help="Evaluation recipe with several conditions: ablations, trained, or a YAML file (`selftaught ls recipes`).",
            show_default=False,
        ),
        inspect: bool = typer.Option(
            False, "--inspect", help="Also write Inspect logs (RUN/inspect/*.eval); needs inspect-ai."
        ),
        json_: bool = typer.Option(False, "--json", help="Print report.json on stdout instead of the table."),
    ) -> None:
        """pass@1, pass@k and maj@k of a model on benchmarks, with intervals clustered by problem.

        Examples: selftaught eval --model toy --benchmarks toy-test · selftaught eval --model Qwen/QwQ-32B --benchmarks math500,aime24:16 · selftaught eval --model toy --benchmarks toy-test --recipe ablations --limit 40
        """
        from selftaught.evals.evaluate import EvalRequest, default_condition, default_out, evaluate
        from selftaught.problems import parse_benchmark
        from selftaught.rollouts import RolloutSettings

        specs = [parse_benchmark(text) for text in benchmarks.split(",") if text.strip()]
        several = max([samples, *(spec.samples or 1 for spec in specs)]) > 1
        settings = RolloutSettings(
            hints=hints,
            tools=tools,
            rounds=rounds,
            samples=samples,
            temperature=temperature if temperature is not None else (0.6 if several else 0.0),
            top_p=top_p if top_p is not None else (0.95 if several else 1.0),
            max_tool_calls=max_tool_calls,
            seed=seed,
            workers=workers,
            model_name=model_name,
            allow_text=allow_text,
            **_given(max_tokens=max_tokens, tool_timeout_s=tool_timeout),
        )
        settings = settings.model_copy(update={"condition": condition or default_condition(model, settings)})
        conditions: Sequence[tuple[str, RolloutSettings]] = ()
        if recipe is not None:
            from selftaught.evals.plan import load_plan

            plan, folder = load_plan(recipe)
            conditions, missing = plan.resolve(model, settings, folder)
            if missing:
                print(f"left out, since not trained yet: {', '.join(missing)}", file=sys.stderr)
            reference, ablation_of = reference or plan.reference, ablation_of or plan.ablation_of
        where = out or default_out(f"{model}-{Path(recipe).stem}" if recipe else model, specs)
        request = EvalRequest(
            model,
            specs,
            where,
            settings,
            limit,
            scaling,
            reference,
            ablation_of,
            conditions,
            mapping,
            tuple(drop or ()),
        )
        data = evaluate(request, _Talk())
        if inspect:
            from selftaught.evals.evaluate import export_inspect

            for path in export_inspect(request.out):
                print(f"wrote {path}", file=sys.stderr)
        _show(data, request.out, json_)


def _given(**options: object) -> dict[str, object]:
    return {name: value for name, value in options.items() if value is not None}


class _Talk:
    """Progress on stderr: one line that is rewritten on a terminal; elsewhere a line now and then."""

    def __init__(self) -> None:
        import time

        self._stream = sys.stderr
        self._is_terminal = sys.stderr.isatty()
        self._clock = time.monotonic
        self._last = 0.0

    def __call__(self, line: str) -> None:
        final = "graded" in line
        if self._is_terminal:
            print(f"\r\x1b[K{line[:150]}", end="\n" if final else "", file=self._stream, flush=True)
        elif final or self._clock() - self._last >= 10:
            self._last = self._clock()
            print(line, file=self._stream, flush=True)


def _show(data: object, out: Path, as_json: bool) -> None:
    from selftaught.evals.records import ReportData

    assert isinstance(data, ReportData)
    if as_json:
        print(data.model_dump_json(indent=2))
    else:
        from rich.console import Console

        from selftaught.report import print_summary

        print_summary(data, Console(width=None if sys.stdout.isatty() else 100))
    from selftaught.cli.next_step import say_next

    say_next("report", out)
