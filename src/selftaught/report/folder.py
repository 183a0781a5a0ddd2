"""Report data from a folder's own records: made where there is none yet, and made anew when the grades have changed."""

from __future__ import annotations

from pathlib import Path

from selftaught.errors import DataError
from selftaught.evals.build import BenchmarkRuns, EvalRun, build_report
from selftaught.evals.records import Provenance, ReportData, RunRef
from selftaught.problems import load_file
from selftaught.records import Problem
from selftaught.report.load import read_report_data
from selftaught.runs.condition import Condition, Curve
from selftaught.runs.folders import Folder
from selftaught.runs.found import FoundRollout, find_rollouts, is_one_rollout, problem_file


def report_data(run: Path) -> ReportData:
    """The folder's ``report.json``; built from trajectories and grades where it is missing or older than a grade file."""
    path = Folder(run).report_json
    if not path.exists():
        return build_from_folder(run)
    data = read_report_data(path)
    if not data.stages and not data.funnel and _has_new_rollouts(run, data):
        return build_from_folder(run)
    return rebuild(run, data) if is_stale(run, data) else data


def is_stale(run: Path, data: ReportData) -> bool:
    """Whether a grade file that ``report.json`` counts is newer than it."""
    made = Folder(run).report_json.stat().st_mtime
    files = [run / ref.grades for ref in data.runs]
    return any(path.exists() and path.stat().st_mtime > made for path in files)


def _has_new_rollouts(run: Path, data: ReportData) -> bool:
    """Whether a graded rollout lies in the folder that ``report.json`` does not count."""
    counted = {(run / ref.trajectories).resolve() for ref in data.runs}
    if not all(path.exists() for path in counted):
        return False
    found = find_rollouts(run)
    return any(one.folder.grades.exists() and one.folder.trajectories.resolve() not in counted for one in found)


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
    condition = Condition.parse(ref.condition)
    return EvalRun(
        condition.name,
        run / ref.trajectories,
        run / ref.grades,
        ref.model,
        decoding.get(condition.name, ""),
        scaling=condition.curve is not None,
        method=(condition.curve or Curve.HINTS).value,
    )


def build_from_folder(run: Path) -> ReportData:
    """Report data of a folder that rollout and grade wrote; DataError when something has no grade yet."""
    groups: dict[Path, list[FoundRollout]] = {}
    found = find_rollouts(run)
    for one in found:
        if not one.folder.grades.exists():
            raise DataError(
                f"{one.folder.trajectories} has no {one.folder.grades.name} beside it; run `selftaught grade {run}` first."
            )
        if one.first is not None:
            groups.setdefault(problem_file(one), []).append(one)
    if not groups:
        raise DataError(f"{run} holds no trajectories; expected the folder of a rollout or of a run.")
    benchmarks = []
    for path, rollouts in groups.items():
        problems = load_file(path)
        name = _benchmark_name(run, rollouts, found, problems)
        benchmarks.append(BenchmarkRuns(name, problems, path, [_as_eval_run(one) for one in rollouts]))
    return build_report(benchmarks, base_folder=run, provenance=_provenance(found), title=run.resolve().name)


def _as_eval_run(found: FoundRollout) -> EvalRun:
    curve = found.curve
    return EvalRun(
        found.tabled,
        found.folder.trajectories,
        found.folder.grades,
        found.model,
        found.decoding,
        scaling=curve is not None,
        method=(curve or Curve.HINTS).value,
    )


def _benchmark_name(run: Path, rollouts: list[FoundRollout], found: list[FoundRollout], problems: list[Problem]) -> str:
    """What the problems are called: by their source, an evaluation's folder, or the run's own name."""
    named = problems[0].source if problems else None
    if named or is_one_rollout(run, found):
        return named or run.resolve().name
    place = problem_file(rollouts[0]).parent
    return place.name if place != rollouts[0].folder.path else run.resolve().name


def _provenance(found: list[FoundRollout]) -> Provenance:
    """What the records of the rollouts say of how the numbers came about."""
    provenance = Provenance()
    for one in found:
        record = one.record
        if record is None:
            continue
        made = record.made_by
        provenance.config_digest = provenance.config_digest or record.digest
        provenance.git_commit = provenance.git_commit or made.git_commit
        provenance.git_dirty = made.git_dirty if provenance.git_dirty is None else provenance.git_dirty
        provenance.versions = provenance.versions or made.versions
        provenance.hardware = provenance.hardware or made.hardware
        provenance.seeds += [seed for seed in record.seeds if seed not in provenance.seeds]
        provenance.models.setdefault(one.tabled, record.model)
        if len(found) == 1:
            provenance.settings = record.settings
    return provenance
