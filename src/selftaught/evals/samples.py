"""The graded rows of one condition by problem, and the parts of a benchmark that tables look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selftaught.evals.columns import Columns
from selftaught.evals.rows import Row


@dataclass(frozen=True)
class Slice:
    """A benchmark, or the problems of one group of it."""

    name: str
    problem_ids: frozenset[str]


class Samples:
    """The rows of one condition on one benchmark, by problem."""

    def __init__(
        self,
        condition: str,
        rows: Columns | Sequence[Row],
        decoding: str = "",
        model: str = "",
        ungraded: Sequence[str] = (),
    ) -> None:
        self.condition = condition
        self.decoding = decoding
        self.model = model
        self.by_problem: Columns = rows if isinstance(rows, Columns) else Columns(rows)
        self._ungraded = ungraded

    def ids(self, slice_: Slice) -> list[str]:
        """The slice's problems that have rows, in a fixed order."""
        return sorted(problem_id for problem_id in self.by_problem if problem_id in slice_.problem_ids)

    def num_ungraded(self, slice_: Slice) -> int:
        """Trajectories on the slice's problems that have no grade yet."""
        return sum(problem_id in slice_.problem_ids for problem_id in self._ungraded)

    def groups(self, slice_: Slice) -> Iterator[list[Row]]:
        """Rows of the slice's problems, one list a problem, in a fixed order; made while they are asked for."""
        return (self.by_problem[problem_id] for problem_id in self.ids(slice_))

    def mean(self, name: str, slice_: Slice) -> float:
        """Mean of one column over the slice's rows; 0 without any."""
        values = self.by_problem.column(name, self.ids(slice_))
        return float(values.mean()) if values.size else 0.0

    def call_rate(self, slice_: Slice) -> float:
        """Share of the slice's rows with a call."""
        calls = self.by_problem.column("num_calls", self.ids(slice_))
        return float((calls > 0).mean()) if calls.size else 0.0

    def shares(self, slice_: Slice) -> dict[str, float]:
        """Problem → share of right samples."""
        return {problem_id: self.by_problem.share(problem_id) for problem_id in self.ids(slice_)}


def share(rows: Sequence[Row]) -> float:
    """Share of right samples of one problem."""
    return sum(row.correct for row in rows) / len(rows)
