"""Report data from a folder's own records: made where there is none yet, and made anew when the grades have changed."""

from __future__ import annotations

import re
from pathlib import Path

from selftaught.errors import DataError
from selftaught.evals.build import BenchmarkRuns, EvalRun, build_report
from selftaught.evals.records import ReportData, RunRef
from selftaught.grading.folders import GRADES, PROBLEMS, problems_for, trajectory_files
from selftaught.problems import load_file
from selftaught.records import Trajectory
from selftaught.report.load import read_report_data
from selftaught.store import read_jsonl, write_records

_BY_ROUNDS = re.compile(r"(.*) by rounds \((.*)\)")


def report_data(run: Path) -> ReportData:
    """The folder's ``report.json``; built from trajectories and grades where it is missing or older than a grade file."""
    path = run / "report.json"
    if not path.exists():
        return build_from_folder(run)
    data = read_report_data(path)
    return rebuild(run, data) if is_stale(run, data) else data


def is_stale(run: Path, data: ReportData) -> bool:
    """Whether a grade file that ``report.json`` counts is newer than it."""
    made = (run / "report.json").stat().st_mtime
    files = [run / ref.grades for ref in data.runs]
    return any(path.exists() and path.stat().st_mtime > made for path in files)


def rebuild(run: Path, data: ReportData) -> ReportData:
    """Count the same files again; what was handed in (funnel, stages, provenance, checks) stays."""
    decoding = {row.name: row.decoding for row in data.conditions}
    by_benchmark: dict[str, list[RunRef]] = {}
    for ref in data.runs:
        by_benchmark.setdefault(ref.benchmark, []).append(ref)
    groups = [
        BenchmarkRuns(
            name,
            load_file(run / refs[0].problems),
            run / refs[0].problems,
            [_eval_run(run, ref, decoding) for ref in refs],
        )
        for name, refs in by_benchmark.items()
    ]
    fresh = build_report(
        groups,
        base_folder=run,
        ablation_reference=data.ablations[0].b if data.ablations else None,
        funnel=data.funnel,
        stages=data.stages,
        provenance=data.provenance,
        title=data.title,
    )
    return fresh.model_copy(update={"checks": data.checks, "paper": data.paper})


def _eval_run(run: Path, ref: RunRef, decoding: dict[str, str]) -> EvalRun:
    rounds = _BY_ROUNDS.fullmatch(ref.condition)
    condition, method = rounds.groups() if rounds else (ref.condition, "hints")
    return EvalRun(
        condition,
        run / ref.trajectories,
        run / ref.grades,
        ref.model,
        decoding.get(condition, ""),
        scaling=rounds is not None,
        method=method,
    )


def build_from_folder(run: Path) -> ReportData:
    """Report data of a folder that rollout and grade wrote; DataError when something has no grade yet."""
    groups: dict[tuple[str, ...], BenchmarkRuns] = {}
    for trajectories in trajectory_files(run):
        grades = trajectories.with_name(GRADES)
        if not grades.exists():
            raise DataError(f"{trajectories} has no {GRADES} beside it; run `selftaught grade {run}` first.")
        problems = problems_for(trajectories, run)
        first = next(iter(read_jsonl(trajectories, Trajectory)), None)
        if first is None:
            continue
        condition = first.condition or trajectories.parent.name
        runs = [EvalRun(condition, trajectories, grades, first.model)]
        if first.round is not None:
            runs = [EvalRun(condition, trajectories, grades, first.model, scaling=True)]
        key = tuple(problem.id for problem in problems)
        if key in groups:
            old = groups[key]
            groups[key] = BenchmarkRuns(old.name, old.problems, old.problems_path, [*old.runs, *runs])
        else:
            place = trajectories.with_name(PROBLEMS)
            if not place.exists():
                place = run / "report" / f"problems-{len(groups)}.jsonl"
                write_records(place, problems)
            groups[key] = BenchmarkRuns(_benchmark_name(run, problems[0].source), problems, place, runs)
    if not groups:
        raise DataError(f"{run} holds no trajectories; expected the folder of a rollout or of a run.")
    return build_report(list(groups.values()), base_folder=run, title=run.resolve().name)


def _benchmark_name(run: Path, source: str | None) -> str:
    return source or run.resolve().name
