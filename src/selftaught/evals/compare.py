"""Two runs on the same problems, paired: which is better, by how much, and could it be noise?

``compare A B`` reads the tables' sources (trajectories and grades) of two folders, whatever made them, matches
conditions and problems, and gives B − A. Of a recipe's run the measured conditions are compared, not what it was
trained on. With a bar (``--fail-below``) it is a gate for continuous integration.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from selftaught.errors import DataError
from selftaught.evals.build import slices_of
from selftaught.evals.columns import Columns
from selftaught.evals.records import ConditionRow, PairedRow, TransitionRow
from selftaught.evals.rows import read_rows
from selftaught.evals.samples import Samples
from selftaught.evals.tables import condition_row, paired_row, transition_row
from selftaught.problems import load_file
from selftaught.records import Problem, Record
from selftaught.runs.folders import same_folder
from selftaught.runs.found import FoundRollout, find_rollouts, is_one_rollout, problem_file


class Comparison(Record):
    """B against A on one benchmark slice. ``paired.diff`` is B − A."""

    benchmark: str
    condition_a: str
    condition_b: str
    a: ConditionRow
    b: ConditionRow
    paired: PairedRow
    transition: TransitionRow


class ComparisonReport(Record):
    """All comparisons of two runs. ``worst_low`` is the lowest end of an interval of a whole benchmark."""

    run_a: str
    run_b: str
    comparisons: list[Comparison]
    notes: list[str] = Field(default_factory=list)

    def whole(self) -> list[Comparison]:
        """The comparisons of whole benchmarks, without those of their groups."""
        seen: set[tuple[str, str]] = set()
        rows = []
        for row in self.comparisons:
            top = row.benchmark.split("/")[0] if row.benchmark not in ("hard", "easy", "code", "choice") else "all"
            if (top, row.condition_b) not in seen:
                seen.add((top, row.condition_b))
                rows.append(row)
        return rows


@dataclass(frozen=True)
class _Side:
    """One condition of one folder on one benchmark."""

    benchmark: str
    condition: str
    samples: Samples
    problems: list[Problem]


def compare_runs(
    run_a: Path, run_b: Path, condition_a: str | None = None, condition_b: str | None = None
) -> ComparisonReport:
    """Compare every condition of B with the same condition of A, or the two that are named.

    DataError when the runs share no graded problem, when a named condition is not there, or when nothing says what of
    one folder is to be compared with what.
    """
    first, second = _load(run_a), _load(run_b)
    _check_names(first, run_a, condition_a, "--condition-a")
    _check_names(second, run_b, condition_b, "--condition-b")
    if same_folder(run_a, run_b) and condition_a == condition_b:
        raise DataError(
            f"{run_a} would be compared with itself; name two of its conditions with --condition-a and --condition-b: "
            f"{', '.join(_names(first))}."
        )
    report = ComparisonReport(run_a=str(run_a), run_b=str(run_b), comparisons=[])
    for a in first:
        for b in second:
            if _same_benchmark(a, b) and _wanted(a, b, condition_a, condition_b, first, second):
                _compare(a, b, report)
    if not report.comparisons:
        raise DataError(
            f"{run_a} ({', '.join(_names(first))}) and {run_b} ({', '.join(_names(second))}) share no graded problems of one "
            "condition; name one of each with --condition-a and --condition-b."
        )
    return report


def _compare(a: _Side, b: _Side, report: ComparisonReport) -> None:
    """Add B − A on the whole benchmark and its groups."""
    has = a.samples.by_problem, b.samples.by_problem
    common = [problem for problem in a.problems if problem.id in has[0] and problem.id in has[1]]
    if not common:
        return
    name = b.benchmark if a.benchmark == WHOLE else a.benchmark
    if len(common) < max(len(a.samples.by_problem), len(b.samples.by_problem)):
        report.notes.append(f"{name}: only the {len(common)} problems that both runs have are compared.")
    for slice_ in slices_of(name, common):
        paired, change = paired_row(b.samples, a.samples, slice_), transition_row(a.samples, b.samples, slice_)
        row_a, row_b = condition_row(a.samples, slice_), condition_row(b.samples, slice_)
        if paired and change and row_a and row_b:
            report.comparisons.append(
                Comparison(
                    benchmark=slice_.name,
                    condition_a=a.condition,
                    condition_b=b.condition,
                    a=row_a,
                    b=row_b,
                    paired=paired,
                    transition=change,
                )
            )


def _wanted(
    a: _Side, b: _Side, condition_a: str | None, condition_b: str | None, first: list[_Side], second: list[_Side]
) -> bool:
    """Named conditions, else equal ones, else the only one on each side."""
    if condition_a or condition_b:
        return condition_a in (None, a.condition) and condition_b in (None, b.condition)
    if a.condition == b.condition:
        return True
    return sum(_same_benchmark(one, b) for one in first) == 1 == sum(_same_benchmark(a, one) for one in second)


def _same_benchmark(a: _Side, b: _Side) -> bool:
    """Whether both may hold the same problems; a rollout on its own does not say what its problems are called."""
    return a.benchmark == b.benchmark or WHOLE in (a.benchmark, b.benchmark)


def _names(sides: list[_Side]) -> list[str]:
    return list(dict.fromkeys(side.condition for side in sides))


def _check_names(sides: list[_Side], run: Path, condition: str | None, option: str) -> None:
    """DataError when a condition that was named is not there."""
    if condition is not None and condition not in _names(sides):
        raise DataError(f"{option} {condition!r} is not in {run}; expected one of {', '.join(_names(sides))}.")


def _load(run: Path) -> list[_Side]:
    """What can be compared in a folder. Curves over rounds are left out: their round 0 lies beside them."""
    found = find_rollouts(run)
    if any(one.is_test for one in found):
        found = [one for one in found if one.is_test]
    plain = [one for one in found if one.curve is None] or found
    sides = []
    for one in plain:
        if not one.folder.grades.is_file():
            raise DataError(f"{one.folder.path} has no {one.folder.grades.name}; run `selftaught grade {run}` first.")
        problems = load_file(problem_file(one))
        known = {problem.id for problem in problems}
        rows = Columns(
            row
            for row in read_rows(one.folder.trajectories, one.folder.grades)
            if row.problem_id in known and not row.round
        )
        if rows.num_rows:
            sides.append(_Side(_benchmark(one, run, found), one.tabled, Samples(one.tabled, rows), problems))
    return sorted(sides, key=lambda side: (side.benchmark, side.condition))


WHOLE = "all"
"""The benchmark of a single rollout, and of a folder with one set of problems."""


def _benchmark(one: FoundRollout, run: Path, found: list[FoundRollout]) -> str:
    """What a rollout was asked: an evaluation's benchmark, or all that a run has."""
    place = problem_file(one).parent
    in_evaluation = place == one.folder.path.resolve().parent or place == one.folder.path.parent
    return place.name if in_evaluation and not is_one_rollout(run, found) else WHOLE
