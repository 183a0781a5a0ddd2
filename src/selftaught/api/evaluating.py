"""Measuring as functions: evaluate, report, compare, verify. Arguments are called as the command's options."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Unpack

from selftaught.api.background import without_loop
from selftaught.api.model import Model
from selftaught.api.notebook import shown
from selftaught.api.options import Columns, Folder, Rules, RunSettings, flat_keys, in_words, path_or_none
from selftaught.api.results import CompareResult, EvalResult, ReportResult, tables_in
from selftaught.api.stages import model_name
from selftaught.rollouts.verify_folder import LedgerCheck, verify_folder


def evaluate(
    *,
    model: Folder | Model,
    benchmarks: str | Sequence[str],
    out: Folder | None = None,
    condition: str | None = None,
    scaling: int = 0,
    limit: int | None = None,
    map: Columns = None,
    drop: Rules = None,
    reference: str | None = None,
    ablation_of: str | None = None,
    recipe: str | None = None,
    inspect: bool = False,
    quiet: bool = False,
    **settings: Unpack[RunSettings],
) -> EvalResult:
    """pass@1, pass@k and maj@k of ``model`` on benchmarks or problem files, with intervals clustered by problem.

    Called again it does only what is missing in ``out`` (by default ``runs/eval-MODEL-BENCHMARKS``).
    """
    from selftaught.evals.evaluate import check_inspect, evaluate, export_inspect
    from selftaught.evals.request import eval_request

    if inspect:
        check_inspect()
    request, missing = eval_request(
        model_name(model),
        benchmarks,
        flat_keys(settings),
        out=path_or_none(out),
        condition=condition,
        scaling=scaling,
        limit=limit,
        mapping=map,
        drop=drop,
        reference=reference,
        ablation_of=ablation_of,
        recipe=recipe,
        name=in_words,
    )

    def work() -> EvalResult:
        with shown(quiet) as show:
            if missing:
                show.say(f"left out, since not trained yet: {', '.join(missing)}")
            return tables_in(request.out, evaluate(request, show))

    result = without_loop(work)
    if inspect:
        export_inspect(request.out)
    return result


def report(
    runs: Folder | Sequence[Folder],
    *,
    out: Folder | None = None,
    gated_text: bool = False,
    publish: Folder | None = None,
) -> ReportResult:
    """Write report.html, report.md and report.json of one run into its folder, or one report of several runs into ``out``."""
    from selftaught.report.make import make_report

    places = [Path(runs)] if isinstance(runs, str | PathLike) else [Path(run) for run in runs]
    made = make_report(places, path_or_none(out), gated_text=gated_text, publish=path_or_none(publish))
    paths = made.paths
    assert paths.data is not None
    return ReportResult.of(
        paths.data,
        out=str(paths.json.parent),
        html=str(paths.html),
        markdown=str(paths.markdown),
        json_file=str(paths.json),
        num_trajectories=paths.num_trajectories,
        num_total=paths.num_total,
        published=str(made.published.folder) if made.published is not None else None,
    )


def compare(
    run_a: Folder, run_b: Folder, *, condition_a: str | None = None, condition_b: str | None = None
) -> CompareResult:
    """B − A on the problems that both runs have, paired: difference, 95 % interval, exact test, fixed and broken problems."""
    from selftaught.evals.compare import compare_runs

    return CompareResult.of(compare_runs(Path(run_a), Path(run_b), condition_a, condition_b))


def verify(run: Folder, *, model: Folder | Model | None = None) -> LedgerCheck:
    """Decode, re-encode and re-check every trajectory of a run; the result's truth value says whether the ledger holds."""
    return verify_folder(Path(run), model_name(model) if model is not None else None)
