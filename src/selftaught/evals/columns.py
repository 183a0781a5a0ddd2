"""Rows of one condition, kept as columns: some seventy bytes a trajectory, so 100,000 of them take a few megabytes.

Readers get `Row` objects, which are made again from the columns, one problem at a time.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from selftaught.evals.rows import OUTCOMES, CallSummary, Row
from selftaught.records import Outcome, trajectory_id

_NO_ROUND = -1


class Columns(Mapping[str, list[Row]]):
    """Problem id → its rows in order of sample. All rows are added first; the first reading ends the adding."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._problems: dict[str, int] = {}
        self._integers = {name: array("q") for name in _INTEGERS}
        self._floats = {name: array("d") for name in _FLOATS}
        self._calls: dict[tuple[tuple[tuple[str, int], ...], ...], int] = {}
        self._call_kinds: list[CallSummary] = []
        self._odd_ids: dict[int, str] = {}
        """Ids that are not made of problem, sample and round."""
        self._groups: dict[str, np.ndarray] | None = None
        self.num_rows = 0
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """Take one row in."""
        assert self._groups is None, "rows are added before they are read"
        if row.trajectory_id != trajectory_id(row.problem_id, row.sample, row.round):
            self._odd_ids[self.num_rows] = row.trajectory_id
        integers = {
            "problem": self._problems.setdefault(row.problem_id, len(self._problems)), "sample": row.sample,
            "round": _NO_ROUND if row.round is None else row.round, "seed": _signed(row.seed), "outcome": OUTCOMES.index(row.outcome),
            "answer": row.answer or 0, "tokens": row.tokens, "model_tokens": row.model_tokens, "thinking_tokens": row.thinking_tokens,
            "num_calls": row.num_calls, "num_hints": row.num_hints, "calls": self._kind_of(row.calls),
        }  # fmt: skip
        for name, value in integers.items():
            self._integers[name].append(value)
        self._floats["seconds"].append(row.seconds)
        self._floats["call_seconds"].append(row.calls.seconds if row.calls else 0.0)
        self.num_rows += 1

    def _kind_of(self, calls: CallSummary | None) -> int:
        """The number of a call summary. Most summaries differ in their seconds only, so each kind is kept once."""
        if calls is None:
            return -1
        key = tuple(tuple(sorted(counts.items())) for counts in (calls.statuses, calls.error_types, calls.modules))
        number = self._calls.setdefault(key, len(self._call_kinds))
        if number == len(self._call_kinds):
            self._call_kinds.append(calls)
        return number

    def _row(self, index: int, problem_id: str) -> Row:
        whole = {name: column[index] for name, column in self._integers.items()}
        kind = whole["calls"]
        calls = None
        if kind >= 0:
            known = self._call_kinds[kind]
            calls = CallSummary(known.statuses, known.error_types, known.modules, self._floats["call_seconds"][index])
        round_ = None if whole["round"] == _NO_ROUND else whole["round"]
        return Row(
            trajectory_id=self._odd_ids.get(index) or trajectory_id(problem_id, whole["sample"], round_), problem_id=problem_id,
            sample=whole["sample"], round=round_, seed=whole["seed"], outcome=OUTCOMES[whole["outcome"]],
            answer=whole["answer"] or None, tokens=whole["tokens"], model_tokens=whole["model_tokens"],
            thinking_tokens=whole["thinking_tokens"], num_calls=whole["num_calls"], num_hints=whole["num_hints"],
            seconds=self._floats["seconds"][index], calls=calls,
        )  # fmt: skip

    def _places(self) -> dict[str, np.ndarray]:
        if self._groups is None:
            problems = (
                np.frombuffer(self._integers["problem"], dtype=np.int64) if self.num_rows else np.zeros(0, np.int64)
            )
            samples = (
                np.frombuffer(self._integers["sample"], dtype=np.int64) if self.num_rows else np.zeros(0, np.int64)
            )
            # By problem, then sample, then order of arrival. Then each problem's rows stand together, and are cut apart
            # at the running sums of how many each problem has.
            order = np.lexsort((np.arange(self.num_rows), samples, problems)).astype(np.int32)
            ends = np.cumsum(np.bincount(problems, minlength=len(self._problems)))
            self._groups = dict(zip(self._problems, np.split(order, ends[:-1]), strict=True)) if self._problems else {}
        return self._groups

    def __getitem__(self, problem_id: str) -> list[Row]:
        return [self._row(int(index), problem_id) for index in self._places()[problem_id]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._problems)

    def __len__(self) -> int:
        return len(self._problems)

    def __contains__(self, problem_id: object) -> bool:
        return problem_id in self._problems

    def column(self, name: str, problem_ids: Iterable[str]) -> np.ndarray:
        """Values of one column (``tokens``, ``outcome``, ``num_calls``, ``seconds``, …) over the rows of some
        problems.
        """
        places = self._places()
        chosen = [places[problem_id] for problem_id in problem_ids]
        source = self._floats[name] if name in self._floats else self._integers[name]
        values = np.asarray(source)
        return values[np.concatenate(chosen)] if chosen else values[:0]

    def share(self, problem_id: str) -> float:
        """Share of right samples of one problem."""
        outcomes = self._integers["outcome"]
        places = self._places()[problem_id]
        return sum(outcomes[int(index)] == CORRECT for index in places) / len(places)

    def num_samples(self, problem_id: str) -> int:
        """Rows of one problem."""
        return len(self._places()[problem_id])


_INTEGERS = (
    "problem sample round seed outcome answer tokens model_tokens thinking_tokens num_calls num_hints calls".split()
)
_FLOATS = ("seconds", "call_seconds")
CORRECT = OUTCOMES.index(Outcome.CORRECT)
"""Value of the column ``outcome`` where the answer is right."""


def _signed(seed: int) -> int:
    """Seeds are 64 bits at most; those above the signed range wrap."""
    return (seed + 2**63) % 2**64 - 2**63
