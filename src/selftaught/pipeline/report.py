"""The report stage: evaluation of all conditions, then the report's files; and what the terminal shows at the end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from selftaught.errors import IncompleteError
from selftaught.evals.records import FunnelRow, Provenance, ReportData, StageRow
from selftaught.pipeline.markers import MARKERS, Marker, StageResult
from selftaught.pipeline.runfile import read_run
from selftaught.pipeline.scheduler import RunOutcome, is_control
from selftaught.pipeline.stages import POOL, TEST, ReportStage, RolloutStage, Stage, describe_decoding
from selftaught.records import Grade, Problem, Trajectory
from selftaught.store import read_jsonl, write_records

if TYPE_CHECKING:
    from selftaught.evals.build import BenchmarkRuns, EvalRun
    from selftaught.pipeline.execute import RunResult


def make_report(run: Path, stage: ReportStage) -> StageResult:
    """Write ``report.json``, ``report.md`` and ``report.html``."""
    data = _gather(run, [_on_test(run, stage)])
    return StageResult(detail=f"{len(data.conditions)} rows", outputs=_write(run, data))


def make_partial_report(run: Path, stages: list[Stage], outcome: RunOutcome) -> None:
    """The same files for a run that a data set without rows ended or left without its control.

    The conditions whose grades are there, and, when START itself could not be trained, the rounds on the pool: how the base
    did without tools and with hints is then what one wants to know.
    """
    done, notes = outcome.markers, list(outcome.empty.values())
    benchmarks = []
    stage = next((s for s in stages if isinstance(s, ReportStage)), None)
    if stage is not None:
        there = {c: f for c, f in stage.conditions.items() if f"{stage.round_folders.get(c, f)}/grade" in done}
        missing = [c for c in stage.conditions if c not in there]
        notes.append(f"Not measured on the test problems: {', '.join(missing)}.")
        if there:
            rounds = {c: f for c, f in stage.round_folders.items() if c in there}
            stage = stage.model_copy(update={"conditions": there, "round_folders": rounds})
            benchmarks.append(_on_test(run, stage))
    if not all(is_control(name) for name in outcome.empty):
        benchmarks += _on_pool(run, [s for s in stages if isinstance(s, RolloutStage) and f"{s.name}/grade" in done])
    data = _gather(run, benchmarks)
    data.notes = [*notes, *data.notes]
    _write(run, data)


def _on_test(run: Path, stage: ReportStage) -> BenchmarkRuns:
    """The evaluated conditions."""
    from selftaught.evals.build import BenchmarkRuns

    return BenchmarkRuns("test", list(read_jsonl(run / TEST, Problem)), run / TEST, eval_runs(run, stage))


def _on_pool(run: Path, rollouts: list[RolloutStage]) -> list[BenchmarkRuns]:
    """Both rounds' rollouts, as far as they went, by model: on the problems that were learned from, not on held-out ones."""
    from selftaught.evals.build import BenchmarkRuns, EvalRun

    runs = []
    for stage in rollouts:
        if stage.problems == POOL and not is_control(stage.name):
            condition = str(stage.options["condition"])
            decoding = describe_decoding(stage.options) + ("" if stage.options.get("tools", True) else ", no tools")
            folder = run / stage.name
            files = folder / "trajectories.jsonl", folder / "grades.jsonl"
            condition = "base" if condition == "greedy" else condition
            runs.append(EvalRun(condition, *files, model=stage.model.removeprefix("stage:"), decoding=decoding))
    if not runs:
        return []
    # Without its groups the pool is one row a condition, and cannot be taken for the test problems' groups.
    problems = [
        p.model_copy(update={"metadata": {k: v for k, v in p.metadata.items() if k != "group"}})
        for p in read_jsonl(run / POOL, Problem)
    ]
    return [BenchmarkRuns("pool", problems, run / POOL, runs)]


def _gather(run: Path, benchmarks: list[BenchmarkRuns]) -> ReportData:
    """The report's document."""
    from selftaught.evals.build import build_report
    from selftaught.evals.claims import check_claims

    data = build_report(
        benchmarks,
        base_folder=run,
        funnel=funnel_rows(run),
        stages=stage_rows(run),
        provenance=provenance(run),
        title=f"START: {run.name}",
    )
    data.checks = check_claims(data)  # also without base or start, for what the rest can show
    return data


def _write(run: Path, data: ReportData) -> list[str]:
    """The report's files, relative to the run."""
    from selftaught.report import write_report

    paths = write_report(run, data)
    return [str(path.relative_to(run)) for path in (paths.json, paths.markdown, paths.html)]


def eval_runs(run: Path, stage: ReportStage) -> list[EvalRun]:
    """Where each condition's records lie; a model's curve over rounds holds its plain condition as round 0."""
    from selftaught.evals.build import EvalRun

    runs = []
    for condition, folder in stage.conditions.items():
        if condition in stage.round_folders:
            rounds = run / stage.round_folders[condition]
            runs.append(EvalRun(condition, rounds / "trajectories.jsonl", rounds / "grades.jsonl", scaling=True))
            first_round(rounds, run / folder)
        place, model = run / folder, stage.models[condition]
        files = place / "trajectories.jsonl", place / "grades.jsonl"
        runs.append(EvalRun(condition, *files, model=model, decoding=stage.decoding[condition]))
    return runs


def first_round(rounds: Path, out: Path) -> None:
    """Copy the trajectories that ended at round 0 and their grades: the model left alone."""
    kept = {t.id: t for t in read_jsonl(rounds / "trajectories.jsonl", Trajectory) if t.round == 0}
    write_records(out / "trajectories.jsonl", kept.values())
    write_records(
        out / "grades.jsonl", (g for g in read_jsonl(rounds / "grades.jsonl", Grade) if g.trajectory_id in kept)
    )


def funnel_rows(run: Path) -> list[FunnelRow]:
    """One row a data set of the run."""
    from selftaught.curation.records import Funnel

    rows = []
    for path in sorted(run.glob("*/*/funnel.json")):
        funnel = Funnel.model_validate_json(path.read_text("utf-8"))
        rows.append(
            FunnelRow(
                stage=funnel.dataset,
                num_in=funnel.num_in,
                num_kept=funnel.num_kept,
                dropped=funnel.dropped,
                modified=funnel.modified,
            )
        )
    return sorted(rows, key=lambda row: ("d_size", "d_seed", "d_start", "d_rft").index(row.stage))


def stage_rows(run: Path) -> list[StageRow]:
    """One row a finished stage, in the order in which they ended."""
    markers = [Marker.model_validate_json(path.read_text("utf-8")) for path in (run / MARKERS).glob("*.json")]
    markers.sort(key=lambda marker: (marker.finished_at, marker.name))
    return [StageRow(name=m.name, seconds=m.seconds, tokens=m.tokens, detail=m.detail) for m in markers]


def provenance(run: Path) -> Provenance:
    """What ``run.json`` says of how the numbers came about."""
    info = read_run(run)
    if info is None:
        return Provenance()
    return Provenance(
        config_digest=info.config_digest,
        seeds=info.seeds,
        git_commit=info.git_commit,
        git_dirty=info.git_dirty,
        versions=info.versions,
        hardware=info.hardware,
        models=info.models,
        data=info.data,
        sandbox_tier=info.sandbox_tier,
        settings=info.recipe.model_dump(mode="json"),
    )


def show_report(result: RunResult) -> None:
    """The table on stdout, and where the report lies on stderr. IncompleteError when a model had no rows to be trained on."""
    path = result.run / "report.json"
    if not path.exists():
        print(
            f"All {len(result.stages)} stages of {result.run} are done; the recipe evaluates nothing.", file=sys.stderr
        )
        return
    from rich.console import Console

    from selftaught.report import print_summary

    data = ReportData.model_validate_json(path.read_bytes())
    print_summary(data, Console(width=None if sys.stdout.isatty() else 100))
    print(f"The report: {result.run / 'report.html'} (also report.md and report.json beside it)", file=sys.stderr)
    if result.empty:
        raise IncompleteError(" ".join(result.empty.values()))
