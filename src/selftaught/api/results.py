"""What the verbs return: the records of the parts, which show themselves in a notebook."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel

from selftaught.api.html import framed, paragraph, record_html, rows_html, table_html
from selftaught.curation.records import Funnel
from selftaught.evals.compare import ComparisonReport
from selftaught.evals.records import ReportData
from selftaught.records import Record
from selftaught.report.push import PushPlan
from selftaught.report.tables import Table, accuracy_table, detail_table
from selftaught.report.text import percent, points, points_interval
from selftaught.rollouts import RolloutSummary
from selftaught.training.settings import TrainingSummary


class Shown(BaseModel):
    """Something that shows itself in a notebook as a table of its fields."""

    @classmethod
    def of(cls, record: BaseModel, **more: Any) -> Self:
        """The same content, with ``more`` fields."""
        fields = {name: getattr(record, name) for name in type(record).model_fields}
        made: Any = cls.model_construct(None, **fields, **more)
        return made

    def _repr_html_(self) -> str:
        return record_html(self)


class RolloutResult(Shown, RolloutSummary):
    """Counts of a rollout; ``out`` is its folder."""


class GradeResult(Shown, Record):
    """Counts of one rollout's grades."""

    folder: str
    trajectories: str
    grades: str
    new: int
    """Graded now."""
    total: int
    ungraded: int
    """Trajectories without a reference."""
    accuracy: float
    """Share of right ones among all, 0 to 1."""
    outcomes: dict[str, int]
    """Over all."""
    paths: dict[str, int]
    """Which rule decided; over the new ones."""


class CurateResult(Shown, Funnel):
    """Counts at every step of a curation."""

    out: str
    """Folder of the data set."""
    tokenizer: str
    """Model whose tokenizer was used; empty when it is not on this machine."""

    def __repr__(self) -> str:
        return f"<CurateResult {self.out}: {self.num_kept:,} kept of {self.num_in:,}, dropped {self.dropped}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        rows = [[step.step, f"{step.num_in:,}", f"{step.num_dropped:,}", f"{step.num_out:,}"] for step in self.steps]
        table = Table(f"{self.num_kept:,} kept of {self.num_in:,}", ["step", "in", "dropped", "out"], rows)
        return framed(table_html(table), paragraph(self.out, "dim"))


class TrainResult(Shown, TrainingSummary):
    """What came out of a training."""

    out: str
    """The model's folder."""


class EvalResult(Shown, ReportData):
    """The tables of a report. ``condition(name, benchmark)`` gives a row, ``conditions`` all rows."""

    out: str
    """Folder that holds it, as ``report.json``."""

    def __repr__(self) -> str:
        from rich.console import Console

        from selftaught.report import print_summary

        console = Console(file=StringIO(), width=100, highlight=False)
        with console.capture() as caught:
            print_summary(self, console)
        return f"<{type(self).__name__} {self.out}>\n{caught.get()}"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        benchmarks = self.benchmarks()
        if not benchmarks:
            return framed(paragraph("No graded trajectory yet."))
        detail = detail_table(self, benchmarks[0]).without_empty()
        return framed(table_html(accuracy_table(self)), table_html(detail), paragraph(self.out, "dim"))


class ReportResult(EvalResult):
    """The tables of a report, and the files that were written."""

    html: str
    markdown: str
    json_file: str
    num_trajectories: int
    """Trajectories that the page carries."""
    num_total: int
    published: str | None = None
    """Folder of the copy that may be put on the web."""


class CompareResult(Shown, ComparisonReport):
    """Paired comparisons of two runs."""

    def _repr_html_(self) -> str:
        columns = ["benchmark", "A", "B", "n", "A %", "B %", "B − A [95 %]", "fixed", "broken"]
        rows = [
            [
                row.benchmark,
                row.condition_a,
                row.condition_b,
                str(row.paired.n),
                percent(row.a.pass_at_1),
                percent(row.b.pass_at_1),
                f"{points(row.paired.diff)} {points_interval(row.paired.ci95)}",
                str(row.transition.wrong_to_right),
                str(row.transition.right_to_wrong),
            ]
            for row in self.comparisons
        ]
        notes = [paragraph(note, "dim") for note in self.notes]
        return framed(table_html(Table("", columns, rows, num_labels=3)), *notes)


class PushResult(Shown, PushPlan):
    """What goes to the hub, or went there: then ``url`` is set."""


class RunResult(Shown, Record):
    """A recipe's run."""

    out: str
    stages: list[str]
    was_done: bool
    """Nothing was left to do."""
    empty: list[str]
    """Why a model had no rows to be trained on, if one had none."""
    html: str | None
    """The report's page; None when the recipe evaluates nothing."""
    results: EvalResult | None
    """The report's tables."""

    def _repr_html_(self) -> str:
        head = rows_html(
            (("out", self.out), ("stages", len(self.stages)), ("report", self.html), ("empty", self.empty))
        )
        return framed(head, self.results._repr_html_() if self.results is not None else "")


def tables_in(folder: Path, data: ReportData) -> EvalResult:
    """Tables with their folder."""
    return EvalResult.of(data, out=str(folder))
