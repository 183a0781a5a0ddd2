"""Gather graded runs into one ``ReportData``.

``problems + {condition: trajectories, grades} → ReportData``. Numbers only; what the sampling or training cost, the
funnel of curation and the provenance are handed in by whoever knows them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from selftaught.evals.claims import check_claims
from selftaught.evals.columns import Columns
from selftaught.evals.loop import LOOP
from selftaught.evals.paper import paper_figures
from selftaught.evals.records import (
    BENCHMARK_ORDER,
    FunnelRow,
    Provenance,
    ReportData,
    RunRef,
    SampleRef,
    ScalingRow,
    StageRow,
)
from selftaught.evals.rows import OUTCOMES, read_rows
from selftaught.evals.samples import Samples, Slice
from selftaught.evals.tables import (
    condition_row,
    family_rows,
    grid_rows,
    histograms,
    majority_rows,
    paired_row,
    scaling_rows,
    tool_row,
    transition_row,
)
from selftaught.records import Outcome, Problem, ProblemKind
from selftaught.runs.folders import ModelFolder

SMALL_BENCHMARK = 100
"""Below this many problems a note says how large a difference must be to mean anything."""
MAX_GRID_ROWS = 5_000
NUM_SAMPLES_PER_KIND = 4


@dataclass(frozen=True)
class EvalRun:
    """One condition on one benchmark: where its files lie.

    ``scaling`` marks a run recorded round by round (ids ``…@r``).
    """

    condition: str
    trajectories: Path
    grades: Path
    model: str = ""
    decoding: str = ""
    scaling: bool = False
    method: str = "hints"
    """For scaling runs: ``hints`` or ``budget_forcing``."""
    round: int | None = None
    """Count only trajectories that ended at this round: 0 is the model left alone, in a file recorded round by
    round."""


@dataclass(frozen=True)
class BenchmarkRuns:
    """A benchmark with its problems and the runs on it.

    ``name`` is ignored where the problems come in groups (``all``).
    """

    name: str
    problems: Sequence[Problem]
    problems_path: Path
    runs: Sequence[EvalRun]


def build_report(
    benchmarks: Sequence[BenchmarkRuns],
    *,
    base_folder: Path,
    reference: str | None = None,
    ablation_reference: str | None = None,
    pairs: Sequence[tuple[str, str]] = (),
    funnel: Sequence[FunnelRow] = (),
    stages: Sequence[StageRow] = (),
    provenance: Provenance | None = None,
    title: str = "selftaught",
) -> ReportData:
    """Tabulate ``benchmarks``. Paths in the result are relative to ``base_folder``, where ``report.json`` will lie.

    ``reference`` is the condition that all others are compared with; None lets `choose_reference` find it. With
    ``ablation_reference`` every other condition is an ablation of that one. ``pairs`` names further conditions to
    compare, as (a, b) for a − b.
    """
    data = ReportData(
        title=title,
        funnel=list(funnel),
        stages=list(stages),
        provenance=provenance or Provenance(),
        paper=list(paper_figures()),
    )
    for benchmark in benchmarks:
        _add_benchmark(data, benchmark, base_folder, reference, ablation_reference, pairs)
    if {row.name for row in data.conditions} >= {LOOP.base, LOOP.start}:
        data.checks = check_claims(data)
    return data


def choose_reference(samples: Mapping[str, Samples], runs: Sequence[EvalRun], whole: Slice) -> str:
    """The condition that the others are measured against: ``base``; else one without hints, of a model that was not
    trained here; among equals the one given first. Empty without any condition.
    """
    if not samples or LOOP.base in samples:
        return LOOP.base if samples else ""
    trained = {run.condition: ModelFolder(Path(run.model)).summary.is_file() for run in runs}
    given = list(dict.fromkeys(run.condition for run in runs if run.condition in samples))
    return min(given, key=lambda name: (samples[name].mean("num_hints", whole) > 0, trained[name], given.index(name)))


def slices_of(name: str, problems: Sequence[Problem]) -> list[Slice]:
    """The whole, then one slice a group. The embedded reasoner's groups make the whole ``all``."""
    groups: dict[str, set[str]] = {}
    for problem in problems:
        group = problem.metadata.get("group")
        if isinstance(group, str) and group:
            groups.setdefault(group, set()).add(problem.id)
    is_toy = bool(groups) and set(groups) <= set(BENCHMARK_ORDER)
    whole = Slice("all" if is_toy else name, frozenset(problem.id for problem in problems))
    order = [group for group in BENCHMARK_ORDER if group in groups] + sorted(set(groups) - set(BENCHMARK_ORDER))
    return [whole] + [Slice(group if is_toy else f"{name}/{group}", frozenset(groups[group])) for group in order]


def condition_order(names: Sequence[str]) -> list[str]:
    """START's conditions first, in their order, then others as they came."""
    return [n for n in LOOP.names if n in names] + [n for n in dict.fromkeys(names) if n not in LOOP.names]


def _add_benchmark(
    data: ReportData,
    benchmark: BenchmarkRuns,
    base_folder: Path,
    reference: str | None,
    ablation_reference: str | None,
    pairs: Sequence[tuple[str, str]],
) -> None:
    problems = {problem.id: problem for problem in benchmark.problems}
    slices = slices_of(benchmark.name, benchmark.problems)
    whole = slices[0]
    plain = [run for run in benchmark.runs if not run.scaling]
    samples = _read_conditions(data, benchmark, plain, whole, base_folder, problems)
    reference = reference or choose_reference(samples, plain, whole)
    data.reference = data.reference or reference
    kinds = {problem.kind for problem in benchmark.problems}
    for slice_ in slices:
        only_code = {problems[i].kind for i in slice_.problem_ids} == {ProblemKind.CODE}
        for one in samples.values():
            row = condition_row(one, slice_, kind_is_code=only_code)
            if row is not None:
                waiting = one.num_ungraded(slice_)
                data.conditions.append(row.model_copy(update={"num_ungraded": waiting}))
            used = tool_row(one, slice_)
            if used is not None:
                data.tools.append(used)
        _add_pairs(data, samples, slice_, reference, ablation_reference, pairs)
    for one in samples.values():
        data.families.extend(family_rows(one, whole, problems))
        if kinds != {ProblemKind.CODE}:
            curve = majority_rows(one.condition, whole.name, one, whole)
            if len(curve) > 1:
                data.scaling.extend(curve)
    data.histograms.extend(histograms(list(samples.values()), whole))
    data.grid.extend(grid_rows(list(samples.values()), whole, problems)[:MAX_GRID_ROWS])
    models = {run.condition: run.model for run in plain}
    for run in benchmark.runs:
        if run.scaling:
            run = replace(run, model=run.model or models.get(run.condition, ""))
            ungraded: list[str] = []
            rows, count = _curve(run, whole, problems, ungraded)
            data.scaling.extend(rows)
            data.runs.append(_run_ref(run, whole.name, benchmark, base_folder, count, len(ungraded)))
    if not any(problem.metadata.get("secret") for problem in benchmark.problems):
        data.samples.extend(_samples(samples, whole, reference))
    _note_size(data, whole, samples)


def _read_conditions(
    data: ReportData,
    benchmark: BenchmarkRuns,
    plain: Sequence[EvalRun],
    whole: Slice,
    base_folder: Path,
    problems: Mapping[str, Problem],
) -> dict[str, Samples]:
    """Read the graded rows of each condition, in table order; note what is not graded, missing or failed."""
    order = {name: position for position, name in enumerate(condition_order([run.condition for run in plain]))}
    samples: dict[str, Samples] = {}
    for run in sorted(plain, key=lambda run: order[run.condition]):
        ungraded: list[str] = []
        found = read_rows(run.trajectories, run.grades, ungraded)
        rows = Columns(r for r in found if r.problem_id in problems and run.round in (None, r.round))
        ungraded = [] if run.round is not None else ungraded  # the curve that the round belongs to counts them
        total = rows.num_rows + len(ungraded)
        if not total:
            data.notes.append(f"{run.condition} on {whole.name}: no trajectories; not in the tables.")
            continue
        data.runs.append(_run_ref(run, whole.name, benchmark, base_folder, total, len(ungraded)))
        if ungraded:
            share = f"{len(ungraded)} of {total}" if rows.num_rows else f"all {total}"
            data.notes.append(
                f"{run.condition} on {whole.name}: {share} trajectories are not graded yet and not counted."
            )
        if not rows.num_rows:
            continue
        samples[run.condition] = Samples(run.condition, rows, run.decoding, run.model, ungraded)
        _note_gaps(data, run.condition, whole, rows, problems, ungraded)
    return samples


MAX_CHANGES = 6
"""Most steps whose effect on each problem is shown, of a run that is not START's loop."""


def loop_pairs() -> list[tuple[str, str]]:
    """Differences that START's loop is about, beside those from the reference: (a, b) for a − b."""
    return [
        (LOOP.start, LOOP.base_hint),
        (LOOP.start, LOOP.start_0),
        (LOOP.start_hint, LOOP.start),
        (LOOP.start_no_tools, LOOP.start),
        (LOOP.start, LOOP.control),
    ]


def loop_changes() -> list[tuple[str, str]]:
    """Steps of START's loop whose effect on each problem is shown: (before, after)."""
    return [
        (LOOP.base, LOOP.base_hint),
        (LOOP.base, LOOP.start),
        (LOOP.base_hint, LOOP.start),
        (LOOP.start, LOOP.start_hint),
        (LOOP.start, LOOP.start_no_tools),
    ]


def _add_pairs(
    data: ReportData,
    samples: Mapping[str, Samples],
    slice_: Slice,
    reference: str,
    ablation_reference: str | None,
    more: Sequence[tuple[str, str]],
) -> None:
    """Every condition against the reference; START against base+hint and its own variants; ablations against theirs."""
    against_reference = [(name, reference) for name in samples if name != reference]
    for a, b in dict.fromkeys([*against_reference, *loop_pairs(), *more]):
        if a in samples and b in samples:
            row = paired_row(samples[a], samples[b], slice_)
            if row is not None:
                data.paired.append(row)
    changes = [pair for pair in loop_changes() if pair[0] in samples and pair[1] in samples]
    others = [(b, a) for a, b in [*more, *against_reference] if a in samples and b in samples]
    for a, b in changes or list(dict.fromkeys(others))[:MAX_CHANGES]:
        change = transition_row(samples[a], samples[b], slice_)
        if change is not None:
            data.transitions.append(change)
    if ablation_reference and ablation_reference in samples:
        for name, one in samples.items():
            if name != ablation_reference:
                row = paired_row(one, samples[ablation_reference], slice_)
                if row is not None:
                    data.ablations.append(row)


def _curve(
    run: EvalRun, whole: Slice, problems: Mapping[str, Problem], ungraded: list[str]
) -> tuple[list[ScalingRow], int]:
    """The points of a curve, and the number of its trajectories."""
    by_round: dict[int, Columns] = {}
    count = 0
    for row in read_rows(run.trajectories, run.grades, ungraded):
        count += 1
        if row.round is not None and row.problem_id in problems:
            by_round.setdefault(row.round, Columns()).add(row)
    points = [(number, Samples(run.condition, rows)) for number, rows in sorted(by_round.items())]
    return scaling_rows(run.condition, whole.name, points, whole, run.method), count + len(ungraded)


def _run_ref(
    run: EvalRun, name: str, benchmark: BenchmarkRuns, base_folder: Path, count: int, num_ungraded: int
) -> RunRef:
    def relative(path: Path) -> str:
        return Path(os.path.relpath(path, base_folder)).as_posix()

    return RunRef(
        condition=run.condition + (f" by rounds ({run.method})" if run.scaling else ""), benchmark=name,
        problems=relative(benchmark.problems_path), trajectories=relative(run.trajectories), grades=relative(run.grades),
        num_trajectories=count, num_ungraded=num_ungraded, model=run.model, round=run.round,
    )  # fmt: skip


def _note_gaps(
    data: ReportData,
    condition: str,
    whole: Slice,
    rows: Columns,
    problems: Mapping[str, Problem],
    ungraded: Sequence[str] = (),
) -> None:
    missing = len(problems.keys() - set(rows) - set(ungraded))
    if missing:
        data.notes.append(f"{condition} on {whole.name}: {missing} of {len(problems)} problems have no trajectory.")
    errors = int((rows.column("outcome", rows) == OUTCOMES.index(Outcome.ERROR)).sum())
    if errors:
        data.notes.append(
            f"{condition} on {whole.name}: {errors} of {rows.num_rows} trajectories ended in an engine or sandbox error."
        )
    counts = {rows.num_samples(problem_id) for problem_id in rows}
    if len(counts) > 1:
        data.notes.append(f"{condition} on {whole.name}: {min(counts)} to {max(counts)} samples a problem.")


def _note_size(data: ReportData, whole: Slice, samples: Mapping[str, Samples]) -> None:
    size = len(whole.problem_ids)
    rows = [row for row in data.conditions if row.benchmark == whole.name and row.min_detectable_difference is not None]
    if size < SMALL_BENCHMARK and rows:
        largest = max(row.min_detectable_difference or 0.0 for row in rows)
        data.notes.append(
            f"{whole.name} has {size} problems: a difference below about {100 * largest:.0f} points between two conditions cannot be told from noise."
        )
    if not samples:
        data.notes.append(f"{whole.name}: nothing is graded yet.")


# ------------------------------------------------------------------------------------------------- samples to look at


def _samples(samples: Mapping[str, Samples], whole: Slice, reference: str) -> list[SampleRef]:
    """A few problems of each telling kind, spread over families by taking them in order of id."""
    picked: list[SampleRef] = []
    seen: set[str] = set()

    def pick(why: str, ids: Sequence[str], count: int = NUM_SAMPLES_PER_KIND) -> None:
        fresh = [i for i in ids if i not in seen]
        step = max(1, len(fresh) // count)
        for problem_id in fresh[::step][:count]:
            seen.add(problem_id)
            shown = {
                name: one.by_problem[problem_id][0].trajectory_id
                for name, one in samples.items()
                if problem_id in one.by_problem
            }
            picked.append(SampleRef(problem_id=problem_id, benchmark=whole.name, why=why, trajectories=shown))

    shares = {name: one.shares(whole) for name, one in samples.items()}
    best = next((name for name in (LOOP.start, LOOP.start_0, LOOP.base_hint) if name in shares), None)
    base = shares.get(reference)
    if base is not None and best is not None and best != reference:
        ids = sorted(base.keys() & shares[best].keys())
        pick("fixed", [i for i in ids if base[i] <= 0.5 < shares[best][i]])
        pick("broken", [i for i in ids if shares[best][i] <= 0.5 < base[i]])
        if LOOP.base_hint in shares and best != LOOP.base_hint:
            hinted = shares[LOOP.base_hint]
            pick("hint helped", [i for i in ids if i in hinted and base[i] <= 0.5 < hinted[i]])
            pick("hint hurt", [i for i in ids if i in hinted and hinted[i] <= 0.5 < base[i]], 2)
        pick("both wrong", [i for i in ids if base[i] <= 0.5 and shares[best][i] <= 0.5])
        pick("both right", [i for i in ids if base[i] > 0.5 and shares[best][i] > 0.5], 2)
    for name, one in samples.items():
        failing = [
            i
            for i, rows in sorted(one.by_problem.items())
            if rows[0].calls and set(rows[0].calls.statuses) - {"ok"} and i in whole.problem_ids
        ]
        pick(f"tool error ({name})", failing, 1)
    if not picked:
        every = sorted(i for one in samples.values() for i in one.by_problem if i in whole.problem_ids)
        pick("typical", list(dict.fromkeys(every)), 12)
    return picked
