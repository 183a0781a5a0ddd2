"""Evaluate a model on benchmarks: rollout, grade, tabulate, resumable at every step.

``OUT/<benchmark>/problems.jsonl``, ``OUT/<benchmark>/<condition>/{trajectories,grades}.jsonl``, ``OUT/report.json``. Running again
with the same folder does only what is missing; another condition in the same folder is added to the same tables. With
``scaling_rounds`` the matched-budget curves are made too: hint rounds, budget forcing ("Wait" without tools), and majority votes.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selftaught.errors import ConfigError
from selftaught.evals.build import BenchmarkRuns, EvalRun, build_report
from selftaught.evals.records import Provenance, ReportData, StageRow
from selftaught.grading import GRADER, Grader, grade_run
from selftaught.grading.folders import GRADES, PROBLEMS, TRAJECTORIES
from selftaught.grading.run import GradeSummary
from selftaught.problems import BENCHMARKS, BenchmarkSpec, file_digest, load_problems, problems_digest
from selftaught.problems.load import has_secret
from selftaught.progress import Meter, Progress, Reporter, silent
from selftaught.records import Problem
from selftaught.store import write_json, write_records

if TYPE_CHECKING:
    from selftaught.rollouts import RolloutSettings

ROUNDS_SUFFIX, FORCING_SUFFIX = ".rounds", ".forcing"
"""Folders of the curves: ``<condition>.rounds`` (end-of-thinking hints) and ``<condition>.forcing`` ("Wait", no tools)."""
MAX_TITLE_NAMES = 5
BUDGET_FORCING = Path(__file__).with_name("budget_forcing.yaml")


@dataclass(frozen=True)
class EvalRequest:
    """What to evaluate. ``settings.sampling.samples`` holds where a benchmark names no number of its own (``aime24:16``)."""

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


def evaluate(request: EvalRequest, progress: Reporter = silent) -> ReportData:
    """Run every benchmark and return the tables, which also lie in ``OUT/report.json``."""
    _check(request)
    stages: list[StageRow] = []
    with Grader(workers=max(1, request.settings.spread.workers or 1)) as grader:
        for spec in request.benchmarks:
            problems = load_problems(_source(spec), request.limit)
            folder = request.out / _folder_name(spec.name)
            _write_problems(folder / PROBLEMS, problems)
            for model, settings in request.conditions or [(request.model, request.settings)]:
                if spec.samples is not None:
                    settings = settings.changed(samples=spec.samples)
                for name, chosen in _plan(request, settings):
                    place = folder / _folder_name(name)
                    stages.append(_run_one(model, problems, place, chosen, grader, spec.name, progress))
    data = tabulate(request.out, reference=request.reference, ablation_reference=request.ablation_reference)
    merged = {
        stage.name: stage for stage in [*_earlier_stages(request.out), *stages] if stage.tokens or stage.seconds >= 0.05
    }
    data.stages = list(merged.values())
    write_json(request.out / "report.json", json.loads(data.model_dump_json()))
    return data


def tabulate(out: Path, *, reference: str | None = None, ablation_reference: str | None = None) -> ReportData:
    """Tables of everything that lies in an evaluation folder. ``reference`` defaults to ``base``, else the first condition."""
    benchmarks: list[BenchmarkRuns] = []
    conditions: list[str] = []
    provenance = Provenance(grader=GRADER, versions=_versions(), hardware=_hardware())
    for problems_file in sorted(out.glob(f"*/{PROBLEMS}")):
        folder = problems_file.parent
        problems = load_problems(problems_file)
        runs = [run for run in (_found(path) for path in sorted(folder.glob(f"*/{TRAJECTORIES}"))) if run is not None]
        conditions += [run.condition for run in runs if not run.scaling]
        name = folder.name
        benchmarks.append(BenchmarkRuns(name, problems, problems_file, runs))
        provenance.data[name] = (
            f"{len(problems)} problems, digest {problems_digest(problems)}, sha256 {file_digest(problems_file)[:16]}"
        )
        known = BENCHMARKS.get(name.partition("@")[0])
        if known is not None:
            provenance.licences[name] = known.licence
        for run in runs:
            manifest = _manifest(run.trajectories.parent)
            provenance.models[run.condition] = str(manifest.get("model", ""))
            provenance.git_commit = provenance.git_commit or str(manifest.get("git_commit") or "")
            seed = manifest.get("configuration", {}).get("settings.seed")
            if isinstance(seed, int) and seed not in provenance.seeds:
                provenance.seeds.append(seed)
    if reference is None:
        reference = "base" if "base" in conditions or not conditions else conditions[0]
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


def export_inspect(out: Path) -> list[Path]:
    """Write one Inspect log a condition and benchmark into ``OUT/inspect``. MissingPartError without inspect-ai."""
    from selftaught.evals.inspect_log import write_inspect_log

    written: list[Path] = []
    for problems_file in sorted(out.glob(f"*/{PROBLEMS}")):
        problems = {problem.id: problem for problem in load_problems(problems_file)}
        for file in sorted(problems_file.parent.glob(f"*/{TRAJECTORIES}")):
            target = out / "inspect" / f"{problems_file.parent.name}_{file.parent.name}.eval"
            run = _found(file)
            if run is not None and not run.scaling:
                written.append(write_inspect_log(run, problems_file.parent.name, problems, target))
    return written


def default_condition(model: str, settings: RolloutSettings) -> str:
    """Name of what is evaluated: the model's short name, ``+hint`` with hints, ``-no-tools`` without tools."""
    name = model.rstrip("/").rsplit("/", 1)[-1] or "model"
    if settings.hints.policy != "none":
        name += "+hint"
    return name if settings.tools.enabled else name + "-no-tools"


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
        runs.append((settings.condition + ROUNDS_SUFFIX, settings.changed(**curve, hints="end", tools=True)))
        forcing = {**curve, "hints": f"{BUDGET_FORCING}:budget_forcing", "tools": False}
        runs.append((settings.condition + FORCING_SUFFIX, settings.changed(**forcing)))
    return runs


def _run_one(
    model: str,
    problems: Sequence[Problem],
    folder: Path,
    settings: RolloutSettings,
    grader: Grader,
    benchmark: str,
    progress: Reporter,
) -> StageRow:
    from selftaught.rollouts import run_rollout

    label = f"{benchmark} · {folder.name}"
    show = partial(_open_end, progress)  # one lasting line for each condition, when it is graded
    summary = run_rollout(problems, model, folder, settings, progress=show, what=label)
    meter = Meter(label, summary.num_trajectories)

    def grading(done: int, so_far: GradeSummary) -> None:
        progress(meter.at(done, right=so_far.accuracy, notes=("grading",)))

    graded = grade_run(
        problems, folder / TRAJECTORIES, folder / GRADES, grader.workers, grader=grader, progress=grading
    )
    notes = (f"graded {graded.num_new:,} new",)
    progress(Progress(label, graded.num_total, graded.num_total, graded.accuracy, notes=notes, finished=True))
    return StageRow(name=label, seconds=round(summary.seconds, 3), tokens=summary.model_tokens)


def _open_end(progress: Reporter, now: Progress) -> None:
    progress(replace(now, finished=False))


def _source(spec: BenchmarkSpec) -> str:
    return f"{spec.source}@{spec.date_from}..{spec.date_to}" if spec.date_from else spec.source


def _folder_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._@+=-]+", "_", name)


def _write_problems(path: Path, problems: Sequence[Problem]) -> None:
    """Keep the problems with the run, so that it can be regraded anywhere. ConfigError when the folder holds others."""
    if path.is_file():
        there = {problem.id: problem for problem in load_problems(path)}
        changed = next((p.id for p in problems if p.id in there and there[p.id].problem != p.problem), None)
        if changed is not None:
            raise ConfigError(f"{path} holds another text for problem {changed!r}; choose another --out.")
        if set(there) >= {problem.id for problem in problems}:
            return
        problems = [*there.values(), *(problem for problem in problems if problem.id not in there)]
    write_records(path, problems)
    if has_secret(list(problems)):
        note = "This folder holds questions whose authors ask that they are not shown in plain text on the web. Do not publish it.\n"
        (path.parent / "DO-NOT-PUBLISH").write_text(note, encoding="utf-8")


def _found(trajectories: Path) -> EvalRun | None:
    folder = trajectories.parent
    manifest = _manifest(folder)
    configuration = manifest.get("configuration", {})
    decoding = _decoding(configuration)
    name, scaling, method = folder.name, False, "hints"
    for suffix, curve in ((ROUNDS_SUFFIX, "hints"), (FORCING_SUFFIX, "budget_forcing")):
        if name.endswith(suffix):
            name, scaling, method = name.removesuffix(suffix), True, curve
    condition = str(configuration.get("settings.condition") or name)
    return EvalRun(condition, trajectories, folder / GRADES, str(manifest.get("model", "")), decoding, scaling, method)


def _decoding(configuration: dict[str, Any]) -> str:
    temperature = configuration.get("settings.temperature")
    if temperature is None:
        return ""
    how = "greedy" if not temperature else f"T {temperature:g}, top-p {configuration.get('settings.top_p', 1):g}"
    return f"{how}, at most {configuration.get('settings.max_tokens')} tokens"


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _earlier_stages(out: Path) -> list[StageRow]:
    try:
        stages = json.loads((out / "report.json").read_text(encoding="utf-8"))["stages"]
        return [StageRow.model_validate(stage) for stage in stages]
    except (OSError, ValueError, KeyError):
        return []


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("selftaught", "torch", "transformers", "tokenizers", "math-verify", "sympy", "numpy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _hardware() -> dict[str, str]:
    return {
        "machine": platform.machine(),
        "cpus": str(os.cpu_count()),
        "system": platform.system(),
        "executable": Path(sys.executable).name,
    }
