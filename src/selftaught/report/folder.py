"""Report data from a folder's own records: made where there is none yet, and made anew when the folder has changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from selftaught.errors import DataError
from selftaught.evals.build import BenchmarkRuns, EvalRun, build_report, slices_of
from selftaught.evals.claims import check_claims
from selftaught.evals.records import ReportData, RunRef
from selftaught.problems import load_file
from selftaught.records import Problem
from selftaught.report.load import read_report_data
from selftaught.report.recorded import training_curves
from selftaught.runs.condition import Condition, Curve
from selftaught.runs.folders import Folder, rollouts_below
from selftaught.runs.found import FoundRollout, find_rollouts, is_one_rollout, problem_file

MAX_TITLE_MODELS = 3
"""A title names at most as many models."""


def report_data(run: Path) -> ReportData:
    """The folder's ``report.json``; built from trajectories and grades where it is missing or older than they are."""
    path = Folder(run).report_json
    if not path.exists():
        return build_from_folder(run)
    data = read_report_data(path)
    if data.gathered:
        return build_from_folder(run) if has_changed(run, data) else data
    if not data.stages and not data.funnel and _has_new_rollouts(run, data):
        return build_from_folder(run)
    return rebuild(run, data) if is_stale(run, data) else data


def is_stale(run: Path, data: ReportData) -> bool:
    """Whether a grade file that ``report.json`` counts is newer than it."""
    return _is_newer([run / ref.grades for ref in data.runs], Folder(run).report_json)


def has_changed(run: Path, data: ReportData) -> bool:
    """Whether a folder holds other rollouts than ``report.json`` counts, or has newer trajectories or grades."""
    folders = [one.folder for one in _rollouts(run)]
    if {folder.trajectories.resolve() for folder in folders} != _counted(run, data):
        return True
    return _is_newer(
        [path for folder in folders for path in (folder.trajectories, folder.grades)], Folder(run).report_json
    )


def _is_newer(files: list[Path], made: Path) -> bool:
    return any(path.exists() and path.stat().st_mtime > made.stat().st_mtime for path in files)


def _counted(run: Path, data: ReportData) -> set[Path]:
    return {(run / ref.trajectories).resolve() for ref in data.runs}


def _has_new_rollouts(run: Path, data: ReportData) -> bool:
    """Whether a graded rollout lies in the folder that ``report.json`` does not count."""
    counted = _counted(run, data)
    if not all(path.exists() for path in counted):
        return False
    found = find_rollouts(run)
    return any(one.folder.grades.exists() and one.folder.trajectories.resolve() not in counted for one in found)


def rebuild(run: Path, data: ReportData) -> ReportData:
    """Count the same files again; what was handed in (funnel, stages, provenance) stays, claims are judged anew."""
    fresh = build_report(
        benchmarks_of(run, data),
        base_folder=run,
        reference=data.compared_with() or None,
        ablation_reference=data.ablations[0].b if data.ablations else None,
        funnel=data.funnel,
        stages=data.stages,
        provenance=data.provenance,
        title=data.title,
    )
    checks = (check_claims(fresh) or data.checks) if data.checks else []
    return fresh.model_copy(update={"checks": checks, "paper": data.paper})


def benchmarks_of(run: Path, data: ReportData) -> list[BenchmarkRuns]:
    """The benchmarks of a document with the files that it counts."""
    decoding = {row.name: row.decoding for row in data.conditions}
    by_benchmark: dict[str, list[RunRef]] = {}
    for ref in data.runs:
        by_benchmark.setdefault(ref.benchmark, []).append(ref)
    groups = []
    for name, refs in by_benchmark.items():
        place = run / refs[0].problems
        group = BenchmarkRuns(name, load_file(place), place, [_eval_run(run, ref, decoding) for ref in refs])
        # Problems whose groups would give the benchmark another name were tabled without them.
        ungrouped = name in data.benchmarks() and slices_of(name, group.problems)[0].name != name
        groups.append(without_groups(group) if ungrouped else group)
    return groups


def _eval_run(run: Path, ref: RunRef, decoding: dict[str, str]) -> EvalRun:
    condition = Condition.parse(ref.condition)
    name = condition.name if condition.curve is not None else ref.condition
    return EvalRun(
        name,
        run / ref.trajectories,
        run / ref.grades,
        ref.model,
        decoding.get(name, ""),
        scaling=condition.curve is not None,
        method=(condition.curve or Curve.HINTS).value,
        round=ref.round,
    )


def build_from_folder(run: Path) -> ReportData:
    """Report data of what rollout, grade and train have written so far. Trajectories without a grade are told apart.

    DataError when there is no trajectory yet, or when the problems of one are not to be found.
    """
    found = _rollouts(run)
    if not found and not training_curves(run):
        raise DataError(
            f"{run} holds no trajectories yet; expected the folder of a rollout, of a training or of a run."
        )
    by_problems: dict[Path, list[FoundRollout]] = {}
    for one in found:
        by_problems.setdefault(problem_file(one), []).append(one)
    # What measures comes first: its problems may be named by their groups, those to learn from are one row a condition.
    ordered = sorted(by_problems.items(), key=lambda item: not any(one.is_test for one in item[1]))
    groups: list[BenchmarkRuns] = []
    for path, rollouts in ordered:
        problems = load_file(path)
        group = BenchmarkRuns(_benchmark_name(run, rollouts, found, problems), problems, path, _eval_runs(rollouts))
        groups.append(without_groups(group) if groups else group)
    models = dict.fromkeys(one.model.rstrip("/").rsplit("/", 1)[-1] for one in found if one.model)
    named = f": {', '.join(models)}" if 0 < len(models) <= MAX_TITLE_MODELS else ""
    data = build_report(groups, base_folder=run, title=run.resolve().name + named)
    return data.model_copy(update={"gathered": True})


def _rollouts(run: Path) -> list[FoundRollout]:
    """The rollouts of a folder that have at least one trajectory; a training's folder has none."""
    if not any(folder.trajectories.exists() for folder in rollouts_below(run)):
        return []
    return [one for one in find_rollouts(run) if one.first is not None]


def _eval_runs(rollouts: list[FoundRollout]) -> list[EvalRun]:
    """The conditions of rollouts on the same problems. A curve whose plain condition is not there yet gives it as round
    0.

    Several rollouts of one condition are told apart by their folders.
    """
    times = Counter((one.tabled, one.curve) for one in rollouts)
    runs = []
    for one in rollouts:
        twice = times[one.tabled, one.curve] > 1
        name = f"{one.tabled} ({one.folder.path.name})" if twice else one.tabled
        plain = EvalRun(name, one.folder.trajectories, one.folder.grades, one.model, one.decoding)
        if one.curve is None:
            runs.append(plain)
            continue
        runs.append(replace(plain, scaling=True, method=one.curve.value))
        if one.curve is Curve.HINTS and not times[one.tabled, None]:
            runs.append(replace(plain, round=0))
    return runs


def _benchmark_name(run: Path, rollouts: list[FoundRollout], found: list[FoundRollout], problems: list[Problem]) -> str:
    """What the problems are called: a recipe's set, their source, an evaluation's folder, or the run's own name."""
    first = rollouts[0]
    place = problem_file(first)
    if first.run is not None and place.parent == first.run.problem_sets.path:
        return place.stem
    named = problems[0].source if problems else None
    if named or is_one_rollout(run, found):
        return named or run.resolve().name
    return place.parent.name if place.parent != first.folder.path else run.resolve().name


def without_groups(group: BenchmarkRuns) -> BenchmarkRuns:
    """The same problems without their groups, so that they cannot be taken for the tested groups."""
    problems = [
        problem.model_copy(update={"metadata": {k: v for k, v in problem.metadata.items() if k != "group"}})
        for problem in group.problems
    ]
    return replace(group, problems=problems)
