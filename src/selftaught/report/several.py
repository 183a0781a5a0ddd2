"""Several runs in one report: their conditions side by side, paired on the problems that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from selftaught.errors import ConfigError
from selftaught.evals.build import BenchmarkRuns, EvalRun, build_report
from selftaught.evals.records import Provenance, ReportData, TrainingCurve
from selftaught.report.folder import benchmarks_of, report_data
from selftaught.report.recorded import with_records


def run_names(runs: Sequence[Path]) -> list[str]:
    """A short name for each run: its folder's, with as many folders above it as tell them apart.

    ConfigError on one twice.
    """
    paths = [run.resolve() for run in runs]
    if len(set(paths)) < len(paths):
        twice = next(run for run, path in zip(runs, paths, strict=True) if paths.count(path) > 1)
        raise ConfigError(f"{twice} is named twice; expected different runs.")
    names, depth = [path.name for path in paths], 1
    while len(set(names)) < len(names):
        depth += 1
        names = ["/".join(path.parts[-depth:]) for path in paths]
    return names


def default_out(runs: Sequence[Path]) -> Path:
    """Folder for the report of several runs: the same for the same runs."""
    names = "-".join(name.replace("/", "-") for name in run_names(runs))
    return Path("runs") / f"report-{names}"[:100]


def join_runs(runs: Sequence[Path], out: Path) -> ReportData:
    """One document over several runs, for a report in ``out``. A condition is called ``run: condition``.

    All are compared with the first run's reference, and each with its namesake in the first run.
    """
    out.mkdir(parents=True, exist_ok=True)  # paths in the document lead out of it
    groups: dict[frozenset[str], BenchmarkRuns] = {}
    pairs: list[tuple[str, str]] = []
    training: list[TrainingCurve] = []
    notes: list[str] = []
    provenance = Provenance()
    reference, first_name = "", ""
    for run, name in zip(runs, run_names(runs), strict=True):
        data = with_records(run, report_data(run))
        names = data.condition_names()
        reference = reference or f"{name}: {data.compared_with() or (names[0] if names else '')}"
        if first_name:
            pairs += [(f"{name}: {one}", f"{first_name}: {one}") for one in names]
        first_name = first_name or name
        for group in benchmarks_of(run, data):
            _add(groups, group, [replace(one, condition=f"{name}: {one.condition}") for one in group.runs])
        training += [curve.model_copy(update={"name": f"{name}: {curve.name}"}) for curve in data.training]
        notes += [f"{name}: {note}" for note in ([data.unfinished] if data.unfinished else []) + data.notes]
        provenance.models[name] = ", ".join(dict.fromkeys(ref.model for ref in data.runs if ref.model))
        provenance.data[name] = f"{run}, configuration {data.provenance.config_digest or 'not recorded'}"
        provenance.settings[name] = data.provenance.settings
        if data.provenance.command:
            provenance.command += f"{'; ' if provenance.command else ''}{name}: {data.provenance.command}"
    joined = build_report(
        list(groups.values()),
        base_folder=out,
        reference=reference,
        pairs=pairs,
        provenance=provenance,
        title=" · ".join(run_names(runs)),
    )
    return joined.model_copy(update={"training": training, "notes": notes})


def _add(groups: dict[frozenset[str], BenchmarkRuns], group: BenchmarkRuns, runs: list[EvalRun]) -> None:
    """Put runs to those on the same problems; benchmarks of one name with other problems stay apart."""
    key = frozenset(problem.id for problem in group.problems)
    if key in groups:
        groups[key] = replace(groups[key], runs=[*groups[key].runs, *runs])
        return
    taken = [other.name for other in groups.values()]
    name = group.name if group.name not in taken else f"{group.name} ({len(groups) + 1})"
    groups[key] = replace(group, name=name, runs=runs)
