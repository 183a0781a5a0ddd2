"""Rows of a source become problems: mapped or told by a preset, dropped by rule, each kept once. Every loss is counted.

The same question twice without ids is one problem when the answers agree; with another answer the file is refused,
since nobody could tell which one is right. In a known public set, which its user cannot mend, such a question is left
out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from pydantic import ValidationError

from selftaught.complaints import complaint
from selftaught.errors import DataError, shorten
from selftaught.problems.drop import DropRule
from selftaught.problems.fields import LeftOut
from selftaught.problems.formats import problem_from_row
from selftaught.problems.mapping import FieldMap
from selftaught.problems.presets import recognise
from selftaught.problems.rows import Row, SourceRow
from selftaught.records import Problem, question_hash


@dataclass(frozen=True)
class ReadProblem:
    """A problem, and the very bytes of its line when that was JSON in our own format already.

    Nothing else of the row is kept: sets with generated solutions have rows a hundred times as long as their question.
    """

    problem: Problem
    line: bytes | None = None


@dataclass
class ReadCounts:
    """What became of the rows."""

    num_rows: int = 0
    num_kept: int = 0
    presets: Counter[str] = field(default_factory=Counter)
    """Preset → rows that were read by it."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Reason → rows that a preset left out."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Rule of ``--drop`` → rows."""
    repeated: int = 0
    """Rows whose question and answer stood there before."""
    contradicting: int = 0
    """Rows of a known set whose question stands there with another answer; neither is kept."""

    def lines(self, source: str) -> list[str]:
        """One line a preset or mapping with what was left out, for the user; none when every row was kept as it is."""
        reasons = [f"{count} {reason}" for reason, count in self.left_out.most_common()]
        reasons += [f"{count} by drop {rule!r}" for rule, count in self.dropped.most_common()]
        reasons += [f"{self.repeated} repeated"] if self.repeated else []
        reasons += [f"{self.contradicting} with contradicting answers"] if self.contradicting else []
        if not self.presets and not reasons:
            return []
        known = f"{source}: read as {' and '.join(self.presets)}" if self.presets else source
        left = f"; left out: {', '.join(reasons)}" if reasons else ""
        return [f"{known}: {self.num_kept} problems from {self.num_rows} rows{left}."]

    def losses(self) -> dict[str, int]:
        """Reason → rows that did not become a problem, for a summary on disk."""
        named = {f"drop {rule}": count for rule, count in self.dropped.items()}
        found = {**self.left_out, **named, "repeated": self.repeated, "contradicting answers": self.contradicting}
        return {reason: count for reason, count in found.items() if count}


class ProblemReader:
    """Reads rows by one mapping and one list of rules, and remembers what it has seen."""

    def __init__(self, fields: FieldMap | None = None, rules: Iterable[DropRule] = ()) -> None:
        self.counts = ReadCounts()
        self._fields = fields or FieldMap()
        self._rules = tuple(rules)
        self._first: dict[str, tuple[Problem, str]] = {}
        self._contradicting: set[str] = set()

    def read(self, rows: Iterable[SourceRow], limit: int | None = None) -> list[ReadProblem]:
        """Problems in order, the first ``limit`` of them. DataError names the first bad place."""
        found: list[ReadProblem] = []
        for item in self._problems(rows):
            found.append(item)
            if limit is not None and len(found) - len(self._contradicting) >= limit:
                break
        if self._contradicting:
            found = [item for item in found if item.problem.id not in self._contradicting]
            self.counts.contradicting += len(self._contradicting)
        self.counts.num_kept = len(found)
        return found

    def _problems(self, rows: Iterable[SourceRow]) -> Iterator[ReadProblem]:
        for item in rows:
            self.counts.num_rows += 1
            try:
                row, preset = self._own_row(item.row)
                rule = next((rule for rule in self._rules if rule.matches(item.row, row)), None)
                if rule is not None:
                    self.counts.dropped[rule.text] += 1
                    continue
                problem = problem_from_row(row)
            except LeftOut as reason:
                self.counts.left_out[str(reason)] += 1
                continue
            except ValidationError as error:
                raise DataError(f"{item.place}: {complaint(error)}") from None
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
                detail = f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)
                raise DataError(f"{item.place}: {_ended(detail)}") from None
            has_id = row.get("id") not in (None, "")
            kept = self._once(problem, item.place, has_id=has_id, is_public=preset is not None)
            if kept is not None:
                is_own = preset is None and not self._fields
                yield ReadProblem(kept, item.line if is_own else None)

    def _own_row(self, row: Row) -> tuple[Row, str | None]:
        """The row in our own format, and the preset that made it so."""
        if self._fields:
            return self._fields.apply(row), None
        preset = recognise(row)
        if preset is None:
            return row, None
        # A rule of the user goes first: what it drops is never judged by the preset.
        rule = next((rule for rule in self._rules if rule.matches(row, row)), None)
        if rule is not None:
            return row, None
        self.counts.presets[preset.name] += 1
        return preset.convert(row), preset.name

    def _once(self, problem: Problem, place: str, *, has_id: bool, is_public: bool) -> Problem | None:
        """The problem, if it is not there yet; None for a repetition. DataError when two rows contradict each other."""
        there = self._first.get(problem.id)
        if there is None:
            self._first[problem.id] = (problem, place)
            return problem
        first, first_place = there
        if problem.id in self._contradicting:
            self.counts.contradicting += 1
            return None
        same_question = (
            question_hash(first.problem) == question_hash(problem.problem) and first.choices == problem.choices
        )
        if same_question and _same_answer(first, problem):
            self.counts.repeated += 1
            return None
        if not has_id and first.choices != problem.choices:
            # The same words over other options are another question.
            renamed = problem.model_copy(update={"id": f"q-{question_hash(repr((problem.problem, problem.choices)))}"})
            return self._once(renamed, place, has_id=True, is_public=is_public)
        if not same_question:
            raise DataError(
                f"{place}: id {problem.id!r} stands in {_line(first_place)} already, with another question; "
                "expected unique ids."
            )
        if is_public:
            self._contradicting.add(problem.id)
            self.counts.contradicting += 1
            return None
        raise DataError(
            f"{place}: the question of {_line(first_place)} with another answer ({_shown(problem)}, there {_shown(first)}); "
            "mend or delete one of the two rows."
        )


def _same_answer(a: Problem, b: Problem) -> bool:
    if (a.kind, a.tests, a.fn_name) != (b.kind, b.tests, b.fn_name):
        return False
    if a.metadata.get("check_code") != b.metadata.get("check_code"):
        return False
    return a.answer == b.answer or (a.answer is not None and b.answer is not None and _same_number(a.answer, b.answer))


def _same_number(a: str, b: str) -> bool:
    """``5``, ``5.0`` and ``10/2`` are one answer; whatever is no plain number is compared as text."""
    try:
        return Fraction(a.strip(" $")) == Fraction(b.strip(" $"))
    except (ValueError, ZeroDivisionError):
        return "".join(a.split()).strip("$") == "".join(b.split()).strip("$")


def _line(place: str) -> str:
    """``line 3`` for ``file.jsonl:3``, the place itself otherwise."""
    _, colon, number = place.rpartition(":")
    return f"line {number}" if colon and number.isdigit() else place


def _shown(problem: Problem) -> str:
    if problem.answer is None:
        return f"{len(problem.tests or [])} tests"
    return repr(shorten(problem.answer, 40))


def _ended(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."
