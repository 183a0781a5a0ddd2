"""Two runs on the same problems, paired: which is better, by how much, and could it be noise?

``compare A B`` reads the tables' sources (trajectories and grades) of two evaluation or rollout folders, matches benchmarks and
problems, and gives B − A. With a bar (``--fail-below``) it is a gate for continuous integration.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from selftaught.errors import DataError
from selftaught.evals.build import slices_of
from selftaught.evals.columns import Columns
from selftaught.evals.records import ConditionRow, PairedRow, TransitionRow
from selftaught.evals.rows import read_rows
from selftaught.evals.samples import Samples
from selftaught.evals.tables import condition_row, paired_row, transition_row
from selftaught.grading.folders import GRADES, problems_for, trajectory_files
from selftaught.records import Problem, Record


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


def compare_runs(
    run_a: Path, run_b: Path, condition_a: str | None = None, condition_b: str | None = None
) -> ComparisonReport:
    """Compare every condition of B with the same condition of A, or the two that are named.

    DataError when the runs share no graded problem.
    """
    first, second = _load(run_a), _load(run_b)
    report = ComparisonReport(run_a=str(run_a), run_b=str(run_b), comparisons=[])
    for (benchmark, name_a), (samples_a, problems) in sorted(first.items()):
        for (other, name_b), (samples_b, _) in sorted(second.items()):
            if other != benchmark or not _wanted(name_a, name_b, condition_a, condition_b, first, second, benchmark):
                continue
            common = [
                problem
                for problem in problems
                if problem.id in samples_a.by_problem and problem.id in samples_b.by_problem
            ]
            if not common:
                continue
            if len(common) < max(len(samples_a.by_problem), len(samples_b.by_problem)):
                report.notes.append(f"{benchmark}: only the {len(common)} problems that both runs have are compared.")
            for slice_ in slices_of(benchmark, common):
                paired, change = paired_row(samples_b, samples_a, slice_), transition_row(samples_a, samples_b, slice_)
                row_a, row_b = condition_row(samples_a, slice_), condition_row(samples_b, slice_)
                if paired and change and row_a and row_b:
                    report.comparisons.append(
                        Comparison(
                            benchmark=slice_.name,
                            condition_a=name_a,
                            condition_b=name_b,
                            a=row_a,
                            b=row_b,
                            paired=paired,
                            transition=change,
                        )
                    )
    if not report.comparisons:
        raise DataError(
            f"{run_a} and {run_b} share no graded problems of one condition; name them with --condition-a and --condition-b."
        )
    return report


def _wanted(
    name_a: str,
    name_b: str,
    condition_a: str | None,
    condition_b: str | None,
    first: dict[tuple[str, str], tuple[Samples, list[Problem]]],
    second: dict[tuple[str, str], tuple[Samples, list[Problem]]],
    benchmark: str,
) -> bool:
    """Named conditions, else equal ones, else the only one on each side."""
    if condition_a or condition_b:
        return (condition_a in (None, name_a)) and (condition_b in (None, name_b))
    if name_a == name_b:
        return True
    alone = sum(key[0] == benchmark for key in first) == 1 and sum(key[0] == benchmark for key in second) == 1
    return alone


def _load(run: Path) -> dict[tuple[str, str], tuple[Samples, list[Problem]]]:
    """(benchmark, condition) → its rows and problems. Runs recorded by rounds are left out."""
    found: dict[tuple[str, str], tuple[Samples, list[Problem]]] = {}
    for file in trajectory_files(run):
        grades = file.with_name(GRADES)
        if not grades.is_file():
            raise DataError(f"{file.parent} has no {GRADES}; run `selftaught grade {run}` first.")
        problems = problems_for(file, run)
        known = {problem.id for problem in problems}
        first = next(read_rows(file, grades), None)
        if first is None or first.round is not None:
            continue
        condition = file.parent.name
        benchmark = file.parent.parent.name if file.parent != run else "all"
        if file.parent.parent == run:
            benchmark = "all" if (run / "problems").is_dir() or (run / "problems.jsonl").is_file() else benchmark
        samples = Samples(condition, Columns(row for row in read_rows(file, grades) if row.problem_id in known))
        found[benchmark, condition] = (samples, problems)
    return found
