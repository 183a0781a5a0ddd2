"""``selftaught eval``: a model on benchmarks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selftaught.cli.options import Given, settings_from, with_settings
from selftaught.cli.problem_options import DropOption, MapOption

if TYPE_CHECKING:
    from selftaught.evals.evaluate import EvalRequest
    from selftaught.evals.plan import EvalPlan
    from selftaught.evals.records import ReportData
    from selftaught.rollouts import RolloutSettings

SEVERAL = {"temperature": 0.6, "top_p": 0.95}
"""Sampling of several samples a problem, where the model's own manner has none."""

DEFAULTS = {
    "temperature": "0 with one sample, else 0.6",
    "top_p": "1 with one sample, else 0.95",
    "workers": "2; 0 for a GPU",
}
"""Words for the help where this verb decides otherwise than the setting."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("eval")(with_settings(defaults=DEFAULTS, aliases={"samples": ("-n", "--epochs")})(eval_))


def eval_(
    model: Annotated[str, typer.Option("--model", "-m", help="Local folder, hub id, toy, or http://…/v1.")],
    benchmarks: Annotated[
        str,
        typer.Option(
            "--benchmarks",
            "--tasks",
            "-b",
            help="Names or problem files, by commas; aime24:16 takes 16 samples, livecodebench@2024-08-01..2024-11-30 a window.",
        ),
    ],
    given: Given,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Run folder. Default: runs/eval-MODEL-BENCHMARKS.")
    ] = None,
    condition: Annotated[str | None, typer.Option(help="Name in the tables. Default: the model's.")] = None,
    scaling: Annotated[
        int, typer.Option(min=0, help="Also make the curves over 0…N hint rounds and N times budget forcing.")
    ] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N problems.")] = None,
    mapping: MapOption = None,
    drop: DropOption = None,
    reference: Annotated[str | None, typer.Option(help="Condition that others are compared with.")] = None,
    ablation_of: Annotated[
        str | None, typer.Option(help="Table every other condition as an ablation of this one.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Evaluation recipe with several conditions: ablations, trained, or a YAML file (`selftaught ls recipes`)."
        ),
    ] = None,
    inspect: Annotated[
        bool, typer.Option("--inspect", help="Also write Inspect logs (RUN/inspect/*.eval); needs inspect-ai.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print report.json on stdout instead of the table.")] = False,
) -> None:
    """pass@1, pass@k and maj@k of a model on benchmarks, with intervals clustered by problem.

    Examples: selftaught eval --model toy --benchmarks toy-test · selftaught eval --model Qwen/QwQ-32B --benchmarks math500,aime24:16 · selftaught eval --model toy --benchmarks toy-test --recipe ablations --limit 40
    """
    from selftaught.evals.evaluate import EvalRequest, default_out, evaluate, export_inspect
    from selftaught.problems import parse_benchmark

    if inspect:
        _need("inspect_ai")
    specs = [parse_benchmark(text) for text in benchmarks.split(",") if text.strip()]
    several = max([int(given.get("samples", 1)), *(spec.samples or 1 for spec in specs)]) > 1
    settings = _settings(model, given, condition, several)
    conditions: Sequence[tuple[str, RolloutSettings]] = ()
    if recipe is not None:
        plan, conditions = _planned(recipe, model, settings)
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
    from selftaught.progress.bars import bars

    with bars() as show:
        data = evaluate(request, show)
    if inspect:
        for path in export_inspect(request.out):
            print(f"wrote {path}", file=sys.stderr)
    _show(data, request, json_)


def _planned(
    recipe: str, model: str, settings: RolloutSettings
) -> tuple[EvalPlan, Sequence[tuple[str, RolloutSettings]]]:
    """An evaluation recipe and its conditions; those whose model is not there are named and left out."""
    from selftaught.evals.plan import load_plan

    plan, folder = load_plan(recipe)
    conditions, missing = plan.resolve(model, settings, folder)
    if missing:
        print(f"left out, since not trained yet: {', '.join(missing)}", file=sys.stderr)
    return plan, conditions


def _settings(model: str, given: Given, condition: str | None, several: bool) -> RolloutSettings:
    from selftaught.evals.evaluate import default_condition
    from selftaught.rollouts.opening import manner_before

    manner = manner_before(model, given.get("tokenizer"))
    on_gpu = str(given.get("device", "cpu")) != "cpu"
    settings = settings_from(given, manner=manner, workers=0 if on_gpu else 2, **(SEVERAL if several else {}))
    return settings.changed(condition=condition or default_condition(model, settings))


def _need(module: str) -> None:
    """MissingPartError, before the work begins, when an optional package is not installed."""
    import importlib.util

    from selftaught.cli.app import missing_part

    if importlib.util.find_spec(module) is None:
        raise missing_part(module)


def _show(data: ReportData, request: EvalRequest, as_json: bool) -> None:
    if as_json:
        print(data.model_dump_json(indent=2))
    else:
        from rich.console import Console

        from selftaught.report import print_summary

        print_summary(data, Console(width=None if sys.stdout.isatty() else 100))
    from selftaught.cli.next_step import say_next

    say_next("report", request.out)
