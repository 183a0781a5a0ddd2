"""Evaluate a model on benchmarks: rollout, grade, tabulate, resumable at every step.

``OUT/<benchmark>/problems.jsonl``, ``OUT/<benchmark>/<condition>/{trajectories,grades}.jsonl``, ``OUT/report.json``.
Running again with the same folder does only what is missing; another condition in the same folder is added to the same
tables. With ``scaling_rounds`` the matched-budget curves are made too: hint rounds, budget forcing ("Wait" without
tools), and majority votes.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from selftaught.errors import ConfigError, MissingPartError
from selftaught.evals.build import BenchmarkRuns, EvalRun, build_report
from selftaught.evals.records import Provenance, ReportData, StageRow
from selftaught.grading import GRADER, Grader, grade_run
from selftaught.grading.run import shown_by
from selftaught.problems import BENCHMARKS, BenchmarkSpec, file_digest, load_problems, problems_digest
from selftaught.progress import Progress, Reporter, silent
from selftaught.provenance import hardware, versions
from selftaught.records import Problem
from selftaught.runs.condition import Condition, Curve
from selftaught.runs.folders import Folder, RolloutFolder
from selftaught.runs.found import FoundRollout, rollout_at
from selftaught.runs.lock import WriterLock
from selftaught.runs.names import FILES
from selftaught.runs.record import RunKind, RunRecord, claim_anew
from selftaught.store import write_json

if TYPE_CHECKING:
    from selftaught.rollouts import RolloutSettings

MAX_TITLE_NAMES = 5
BUDGET_FORCING = Path(__file__).with_name("budget_forcing.yaml")


@dataclass(frozen=True)
class EvalRequest:
    """What to evaluate.

    ``settings.sampling.samples`` holds where a benchmark names no number of its own (``aime24:16``).
    """

    model: str
    benchmarks: Sequence[BenchmarkSpec]
    out: Path
    settings: RolloutSettings
    limit: int | None = None
    scaling_rounds: int = 0
    reference: str | None = None
    ablation_reference: str | None = None
    conditions: Sequence[tuple[str, RolloutSettings]] = ()
    """(model, settings) of several conditions in the place of ``model`` and ``settings``: an evaluation recipe's."""
    mapping: str | None = None
    """How the columns of problem files are called (``--map``); known benchmarks are read as they are."""
    drop: Sequence[str] = ()
    """Rules for rows of problem files that are left out (``--drop``)."""


def evaluate(request: EvalRequest, progress: Reporter = silent) -> ReportData:
    """Run every benchmark and return the tables, which also lie in ``OUT/report.json``."""
    _check(request)
    folder = Folder(request.out)
    with WriterLock(folder.lock, "eval"):
        claim_anew(folder, RunRecord(kind=RunKind.EVALUATION, model=request.model))
        return _evaluate(request, folder, progress)


def _evaluate(request: EvalRequest, out: Folder, progress: Reporter) -> ReportData:
    """`evaluate` in a folder that is locked and claimed."""
    from selftaught.rollouts.problem_file import keep_problems

    stages: list[StageRow] = []
    with Grader(workers=max(1, request.settings.spread.workers or 1)) as grader:
        for spec in request.benchmarks:
            problems = _problems_of(spec, request)
            folder = request.out / _folder_name(spec.name)
            keep_problems(Folder(folder).problems, problems)
            for model, settings in request.conditions or [(request.model, request.settings)]:
                if spec.samples is not None:
                    settings = settings.changed(samples=spec.samples)
                for name, chosen in _plan(request, settings):
                    place = RolloutFolder(folder / _folder_name(name))
                    stages.append(_run_one(model, problems, place, chosen, grader, spec.name, progress))
    data = tabulate(request.out, reference=request.reference, ablation_reference=request.ablation_reference)
    merged = {stage.name: stage for stage in [*_earlier_stages(out), *stages] if stage.tokens or stage.seconds >= 0.05}
    data.stages = list(merged.values())
    write_json(out.report_json, json.loads(data.model_dump_json()))
    return data


def tabulate(out: Path, *, reference: str | None = None, ablation_reference: str | None = None) -> ReportData:
    """Tables of everything that lies in an evaluation folder. Without ``reference``: see `choose_reference`."""
    benchmarks: list[BenchmarkRuns] = []
    conditions: list[str] = []
    provenance = Provenance(grader=GRADER, versions=versions(), hardware=hardware())
    for name, problems_file, found in evaluated(out):
        problems = load_problems(problems_file)
        runs = [_eval_run(one) for one in found]
        conditions += [run.condition for run in runs if not run.scaling]
        benchmarks.append(BenchmarkRuns(name, problems, problems_file, runs))
        provenance.data[name] = (
            f"{len(problems)} problems, digest {problems_digest(problems)}, sha256 {file_digest(problems_file)[:16]}"
        )
        known = BENCHMARKS.get(name.partition("@")[0])
        if known is not None:
            provenance.licences[name] = known.licence
        for run, one in zip(runs, found, strict=True):
            provenance.models[run.condition] = run.model
            if one.record is not None:
                provenance.git_commit = provenance.git_commit or one.record.made_by.git_commit
                provenance.seeds += [seed for seed in one.record.seeds if seed not in provenance.seeds]
    names = list(dict.fromkeys(conditions))
    shown = ", ".join(names) if len(names) <= MAX_TITLE_NAMES else f"{', '.join(names[:3])} and {len(names) - 3} more"
    title = f"Evaluation of {shown}" if names else "Evaluation"
    return build_report(
        benchmarks,
        base_folder=out,
        reference=reference,
        ablation_reference=ablation_reference,
        provenance=provenance,
        title=title,
    )


def check_inspect() -> None:
    """MissingPartError, before the work begins, when the package that `export_inspect` needs is not installed."""
    if importlib.util.find_spec("inspect_ai") is None:
        raise MissingPartError("this needs inspect_ai, which is not installed; pip install 'selftaught[inspect]'.")


def export_inspect(out: Path) -> list[Path]:
    """Write one Inspect log a condition and benchmark into ``OUT/inspect``. MissingPartError without inspect-ai."""
    from selftaught.evals.inspect_log import write_inspect_log

    written: list[Path] = []
    for name, problems_file, found in evaluated(out):
        problems = {problem.id: problem for problem in load_problems(problems_file)}
        for one in found:
            target = out / FILES.inspect / f"{name}_{one.folder.path.name}.eval"
            if one.curve is None:
                written.append(write_inspect_log(_eval_run(one), name, problems, target))
    return written


def evaluated(out: Path) -> list[tuple[str, Path, list[FoundRollout]]]:
    """(benchmark, its problem file, the rollouts on it) of an evaluation's folder."""
    found = []
    for problems_file in sorted(out.glob(f"*/{FILES.problems}")):
        files = sorted(problems_file.parent.glob(f"*/{FILES.trajectories}"))
        found.append((problems_file.parent.name, problems_file, [rollout_at(path) for path in files]))
    return found


def default_condition(model: str, settings: RolloutSettings) -> str:
    """Name of what is evaluated: the model's short name, ``+hint`` with hints, ``-no-tools`` without tools."""
    name = model.rstrip("/").rsplit("/", 1)[-1] or "model"
    content = settings.content()
    return Condition(name, hints=content["hints"] != "none", tools=bool(content["tools"])).name


def default_out(model: str, benchmarks: Sequence[BenchmarkSpec]) -> Path:
    """``runs/eval-<model>-<benchmarks>``: the same for the same command, so that it resumes."""
    names = "-".join(spec.name for spec in benchmarks)
    return Path("runs") / _folder_name(f"eval-{model.rstrip('/').rsplit('/', 1)[-1]}-{names}")[:120]


# ------------------------------------------------------------------------------------------------------------- pieces


def _check(request: EvalRequest) -> None:
    if not request.benchmarks:
        raise ConfigError("benchmarks is empty; expected names or files, such as math500,aime24:16.")
    names = [spec.name for spec in request.benchmarks]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled:
        raise ConfigError(f"benchmarks names {doubled!r} twice; expected different names.")


def _plan(request: EvalRequest, settings: RolloutSettings) -> list[tuple[str, RolloutSettings]]:
    """Runs of one benchmark: the condition itself, and the two curves if asked for."""
    runs = [(settings.condition, settings)]
    if request.scaling_rounds:
        curve = {"record_rounds": True, "rounds": request.scaling_rounds, "samples": 1}
        condition = Condition.parse(settings.condition)
        by_hints, by_forcing = (replace(condition, curve=one).folder for one in (Curve.HINTS, Curve.BUDGET_FORCING))
        runs.append((by_hints, settings.changed(**curve, hints="end", tools=True)))
        forcing = {**curve, "hints": f"{BUDGET_FORCING}:budget_forcing", "tools": False}
        runs.append((by_forcing, settings.changed(**forcing)))
    return runs


def _run_one(
    model: str,
    problems: Sequence[Problem],
    folder: RolloutFolder,
    settings: RolloutSettings,
    grader: Grader,
    benchmark: str,
    progress: Reporter,
) -> StageRow:
    from selftaught.rollouts import run_rollout

    label = f"{benchmark} · {folder.path.name}"
    summary = run_rollout(
        problems,
        model,
        folder.path,
        settings,
        progress=partial(_open_end, progress),  # one lasting line for each condition, when it is graded
        problem_file=Folder(folder.path.parent).problems,
        what=label,
    )
    grading = shown_by(progress, label, summary.num_trajectories)
    graded = grade_run(problems, folder.trajectories, folder.grades, grader.workers, grader=grader, progress=grading)
    notes = (f"graded {graded.num_new:,} new of {graded.num_total:,}",)
    progress(Progress(label, graded.num_total, graded.num_total, graded.accuracy, notes=notes, finished=True))
    return StageRow(name=label, seconds=round(summary.seconds, 3), tokens=summary.model_tokens)


def _open_end(progress: Reporter, now: Progress) -> None:
    progress(replace(now, finished=False))


def _problems_of(spec: BenchmarkSpec, request: EvalRequest) -> list[Problem]:
    """Problems of one benchmark. A mapping and rules are for the user's own files among them."""
    if spec.source in BENCHMARKS or spec.source.startswith("toy"):
        return load_problems(_source(spec), request.limit)
    return load_problems(_source(spec), request.limit, mapping=request.mapping, drop=request.drop)


def _source(spec: BenchmarkSpec) -> str:
    return f"{spec.source}@{spec.date_from}..{spec.date_to}" if spec.date_from else spec.source


def _folder_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._@+=-]+", "_", name)


def _eval_run(found: FoundRollout) -> EvalRun:
    """A rollout as the tables take it."""
    curve = found.curve
    return EvalRun(
        found.condition,
        found.folder.trajectories,
        found.folder.grades,
        found.model,
        found.decoding,
        scaling=curve is not None,
        method=(curve or Curve.HINTS).value,
    )


def _earlier_stages(out: Folder) -> list[StageRow]:
    try:
        stages = json.loads(out.report_json.read_text(encoding="utf-8"))["stages"]
        return [StageRow.model_validate(stage) for stage in stages]
    except (OSError, ValueError, KeyError):
        return []
