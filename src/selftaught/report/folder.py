"""Report data from a folder's own records: made where there is none yet, and made anew when the grades have changed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from selftaught.errors import DataError
from selftaught.evals.build import BenchmarkRuns, EvalRun, build_report, slices_of
from selftaught.evals.claims import check_claims
from selftaught.evals.records import ReportData, RunRef
from selftaught.grading.folders import GRADES, PROBLEMS, problems_for, trajectory_files
from selftaught.problems import load_file
from selftaught.records import Problem, Trajectory
from selftaught.report.load import read_report_data
from selftaught.store import read_jsonl, write_records

MAX_TITLE_MODELS = 3
"""A title names at most as many models."""

_BY_ROUNDS = re.compile(r"(.*) by rounds \((.*)\)")


def report_data(run: Path, scratch: Path | None = None) -> ReportData:
    """The folder's ``report.json``; built from trajectories and grades where it is missing or older than they are.

    Problems that lie outside the run are copied into ``scratch``, by default the run's own folder of report files.
    """
    path = run / "report.json"
    if not path.exists():
        return build_from_folder(run, scratch)
    data = read_report_data(path)
    if not is_stale(run, data):
        return data
    return build_from_folder(run, scratch) if data.gathered else rebuild(run, data)


def is_stale(run: Path, data: ReportData) -> bool:
    """Whether a grade file that ``report.json`` counts is newer than it; for a document that was gathered from the folder,
    whether any file of trajectories or grades is newer, or is not in it yet."""
    made = (run / "report.json").stat().st_mtime
    files = [run / ref.grades for ref in data.runs]
    if data.gathered:
        there = trajectory_files(run)
        if {path.resolve() for path in there} != {(run / ref.trajectories).resolve() for ref in data.runs}:
            return True
        files += there
    return any(path.exists() and path.stat().st_mtime > made for path in files)


def rebuild(run: Path, data: ReportData) -> ReportData:
    """Count the same files again; what was handed in (funnel, stages, provenance, checks) stays."""
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
    checks = check_claims(fresh) or data.checks
    return fresh.model_copy(update={"checks": checks if data.checks else [], "paper": data.paper})


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
        groups.append(_without_groups(group) if ungrouped else group)
    return groups


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
        round=ref.round,
    )


def build_from_folder(run: Path, scratch: Path | None = None) -> ReportData:
    """Report data of what rollout and grade have written so far. Trajectories without a grade are told apart."""
    groups = gather(run, scratch or run / "report")
    if not groups:
        raise DataError(f"{run} holds no trajectories yet; expected the folder of a rollout or of a run.")
    models = dict.fromkeys(one.model.rstrip("/").rsplit("/", 1)[-1] for group in groups for one in group.runs)
    named = [name for name in models if name]
    title = f"{run.resolve().name}: {', '.join(named)}" if 0 < len(named) <= MAX_TITLE_MODELS else run.resolve().name
    return build_report(groups, base_folder=run, title=title).model_copy(update={"gathered": True})


def gather(run: Path, scratch: Path) -> list[BenchmarkRuns]:
    """The rollouts below a folder, grouped by the problems that they were asked; test problems first."""
    found: dict[tuple[str, ...], BenchmarkRuns] = {}
    for trajectories in trajectory_files(run):
        first = next(iter(read_jsonl(trajectories, Trajectory)), None)
        if first is None:
            continue
        problems, place = _asked(run, trajectories, first)
        key = tuple(problem.id for problem in problems)
        if key not in found:
            stem = place.stem if place is not None and place.parent.name == "problems" else ""
            if place is None:
                place = scratch / f"problems-{len(found)}.jsonl"
                write_records(place, problems)
            name = stem or problems[0].source or run.resolve().name
            found[key] = BenchmarkRuns(name, problems, place, [])
        old = found[key]
        found[key] = replace(old, runs=[*old.runs, *_runs_of(trajectories, first)])
    groups = sorted(found.values(), key=lambda group: group.problems[0].split not in ("test", None))
    return [groups[0], *(_without_groups(group) for group in groups[1:])] if groups else []


def _runs_of(trajectories: Path, first: Trajectory) -> list[EvalRun]:
    """The condition of a trajectory file; recorded round by round, it is a curve, and round 0 is the model left alone."""
    condition = first.condition or trajectories.parent.name
    plain = EvalRun(condition, trajectories, trajectories.with_name(GRADES), first.model)
    if first.round is None:
        return [plain]
    return [replace(plain, scaling=True), replace(plain, round=0)]


def _asked(run: Path, trajectories: Path, first: Trajectory) -> tuple[list[Problem], Path | None]:
    """The problems of a trajectory file, and the file that holds exactly them; None where they come from elsewhere."""
    for folder in (trajectories.parent, *trajectories.parent.parents):
        for path in sorted((folder / "problems").glob("*.jsonl")):
            problems = load_file(path) if path.stat().st_size else []
            if any(problem.id == first.problem_id for problem in problems):
                return problems, path
        if folder == run:
            break
    problems = problems_for(trajectories, run)
    beside = trajectories.with_name(PROBLEMS)
    return problems, beside if beside.exists() else None


def _without_groups(group: BenchmarkRuns) -> BenchmarkRuns:
    """Problems that are not the tested ones as one row a condition, so that they cannot be taken for the tested groups."""
    problems = [
        problem.model_copy(update={"metadata": {k: v for k, v in problem.metadata.items() if k != "group"}})
        for problem in group.problems
    ]
    return replace(group, problems=problems)
