"""``selftaught eval``: a model on benchmarks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selftaught.cli.options import Given, flag, with_settings
from selftaught.cli.problem_options import DropOption, MapOption

if TYPE_CHECKING:
    from selftaught.evals.evaluate import EvalRequest
    from selftaught.evals.records import ReportData

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
    from selftaught.evals.evaluate import check_inspect, evaluate, export_inspect
    from selftaught.evals.request import eval_request
    from selftaught.progress.bars import bars

    if inspect:
        check_inspect()
    request, missing = eval_request(
        model,
        benchmarks,
        given,
        out=out,
        condition=condition,
        scaling=scaling,
        limit=limit,
        mapping=mapping,
        drop=drop,
        reference=reference,
        ablation_of=ablation_of,
        recipe=recipe,
        name=flag,
    )
    if missing:
        print(f"left out, since not trained yet: {', '.join(missing)}", file=sys.stderr)
    with bars() as show:
        data = evaluate(request, show)
    if inspect:
        for path in export_inspect(request.out):
            print(f"wrote {path}", file=sys.stderr)
    _show(data, request, json_)


def _show(data: ReportData, request: EvalRequest, as_json: bool) -> None:
    if as_json:
        print(data.model_dump_json(indent=2))
    else:
        from rich.console import Console

        from selftaught.report import print_summary

        print_summary(data, Console(width=None if sys.stdout.isatty() else 100))
    from selftaught.cli.next_step import say_next

    say_next("report", request.out)
