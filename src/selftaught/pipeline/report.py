"""The report stage: evaluation of all conditions, then the report's files; and what the terminal shows at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from selftaught.errors import IncompleteError
from selftaught.evals.records import ReportData
from selftaught.pipeline.markers import StageResult
from selftaught.pipeline.outcome import RunOutcome, RunResult
from selftaught.pipeline.stages import (
    Measured,
    ProblemSet,
    ReportStage,
    RolloutStage,
    Stage,
    model_label,
)
from selftaught.records import Grade, Problem, Trajectory
from selftaught.runs.condition import tabled_as
from selftaught.runs.folders import RolloutFolder, RunFolder
from selftaught.runs.record import peek_record, write_record
from selftaught.runs.stages import random_greedy_rollout, random_rollout
from selftaught.store import read_jsonl, write_records

if TYPE_CHECKING:
    from selftaught.evals.build import BenchmarkRuns, EvalRun


def make_report(run: RunFolder, stage: ReportStage) -> StageResult:
    """Write the report's files."""
    data = _gather(run, [_on_test(run, stage.measured)])
    return StageResult(detail=f"{len(data.conditions)} rows", outputs=_write(run, data))


def make_partial_report(run: RunFolder, stages: list[Stage], outcome: RunOutcome) -> None:
    """The same files for a run that a data set without rows ended or left without its control.

    The conditions whose grades are there, and, when START itself could not be trained, the rounds on the pool: how the
    base did without tools and with hints is then what one wants to know.
    """
    done, notes = outcome.markers, list(outcome.empty.values())
    benchmarks = []
    stage = next((s for s in stages if isinstance(s, ReportStage)), None)
    if stage is not None:
        there = [row for row in stage.measured if row.rolled_out_by.grade.name in done]
        missing = [row.name for row in stage.measured if row not in there]
        notes.append(f"Not measured on the test problems: {', '.join(missing)}.")
        if there:
            benchmarks.append(_on_test(run, there))
    if not all(ref.is_control for ref in outcome.empty):
        graded = [s for s in stages if isinstance(s, RolloutStage) and s.ref.grade.name in done]
        benchmarks += _on_pool(run, graded)
    data = _gather(run, benchmarks)
    data.notes = [*notes, *data.notes]
    _write(run, data)


def _on_test(run: RunFolder, measured: Sequence[Measured]) -> BenchmarkRuns:
    """The evaluated conditions."""
    from selftaught.evals.build import BenchmarkRuns

    file = ProblemSet.TEST.file(run)
    return BenchmarkRuns(ProblemSet.TEST.value, list(read_jsonl(file, Problem)), file, eval_runs(run, measured))


def _on_pool(run: RunFolder, rollouts: list[RolloutStage]) -> list[BenchmarkRuns]:
    """Both rounds' rollouts, as far as they went, by model. They are on the pool, not on held-out problems.

    Those of random insertion beside a learned policy are left out: they would bear the same name.
    """
    from selftaught.evals.build import BenchmarkRuns, EvalRun
    from selftaught.report.folder import without_groups

    random = (random_rollout(), random_greedy_rollout())
    found = []
    for problems in (ProblemSet.REST, ProblemSet.POOL):
        runs = []
        for stage in rollouts:
            if stage.problems is problems and not stage.ref.is_control and stage.ref not in random:
                decoding = stage.options.decoding + ("" if stage.options.value("tools") else ", no tools")
                folder = run.rollout(stage.ref)
                condition, model = tabled_as(stage.condition), model_label(stage.model)
                runs.append(EvalRun(condition, folder.trajectories, folder.grades, model=model, decoding=decoding))
        if runs:
            # One row a condition: its groups have the names of the tested groups, and would stand beside them.
            file = problems.file(run)
            known = list(read_jsonl(file, Problem))
            found.append(without_groups(BenchmarkRuns(problems.value, known, file, runs)))
    return found


def _gather(run: RunFolder, benchmarks: list[BenchmarkRuns]) -> ReportData:
    """The numbers of the report.

    What the folder records of stages, data sets and provenance is added when it is written.
    """
    from selftaught.evals.build import build_report
    from selftaught.evals.claims import check_claims

    data = build_report(benchmarks, base_folder=run.path, title=f"START: {run.path.name}")
    data.checks = check_claims(data)  # also without base or start, for what the rest can show
    return data


def _write(run: RunFolder, data: ReportData) -> list[str]:
    """The report's files, relative to the run."""
    from selftaught.report import write_report

    paths = write_report(run.path, data)
    return [run.relative(path) for path in (paths.json, paths.markdown, paths.html)]


def eval_runs(run: RunFolder, measured: Sequence[Measured]) -> list[EvalRun]:
    """Where each condition's records lie; a model's curve over rounds holds some of its conditions."""
    from selftaught.evals.build import EvalRun

    runs = []
    for row in measured:
        folder = run.rollout(row.folder)
        if row.rounds is not None:
            rounds = run.rollout(row.rounds)
            if row.has_curve:
                runs.append(EvalRun(row.name, rounds.trajectories, rounds.grades, scaling=True))
            copy_round(rounds, row.round, folder)
        runs.append(EvalRun(row.name, folder.trajectories, folder.grades, model=row.model, decoding=row.decoding))
    return runs


def copy_round(rounds: RolloutFolder, number: int, out: RolloutFolder) -> None:
    """Copy the trajectories that ended at round ``number``, their grades and the record; round 0: the model alone."""
    kept = {t.id: t for t in read_jsonl(rounds.trajectories, Trajectory) if t.round == number}
    write_records(out.trajectories, kept.values())
    write_records(out.grades, (g for g in read_jsonl(rounds.grades, Grade) if g.trajectory_id in kept))
    record = peek_record(rounds.path)
    if record is not None:
        problems = record.problem_file(rounds.path)
        record.taken_from = Path(os.path.relpath(rounds.path, out.path)).as_posix()
        record.problems = Path(os.path.relpath(problems, out.path)).as_posix() if problems else ""
        write_record(out.path, record)


def show_report(result: RunResult) -> None:
    """The table on stdout, and where the report lies on stderr.

    IncompleteError when a model had no rows to be trained on.
    """
    run = result.run
    if not run.report_json.exists():
        print(f"All {len(result.stages)} stages of {run.path} are done; the recipe evaluates nothing.", file=sys.stderr)
        return
    from rich.console import Console

    from selftaught.report import print_summary

    data = ReportData.model_validate_json(run.report_json.read_bytes())
    print_summary(data, Console(width=None if sys.stdout.isatty() else 100))
    others = f"{run.report_markdown.name} and {run.report_json.name}"
    print(f"The report: {run.report_page} (also {others} beside it)", file=sys.stderr)
    if result.empty:
        raise IncompleteError(" ".join(result.empty.values()))
