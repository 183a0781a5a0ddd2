"""CSV tables for spreadsheets and plots: plain numbers (shares in [0, 1]), one file a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence

from selftaught.evals.records import Interval, ReportData
from selftaught.records import Outcome
from selftaught.report.text import csv_text

Cell = str | int | float | None


def _document(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow(
            [
                "" if c is None else csv_text(c) if isinstance(c, str) else round(c, 6) if isinstance(c, float) else c
                for c in row
            ]
        )
    return out.getvalue()


def _ends(ci95: Interval | None) -> tuple[float | None, float | None]:
    return ci95 if ci95 is not None else (None, None)


def conditions(data: ReportData) -> str:
    """The headline table."""
    header = [
        "condition",
        "benchmark",
        "n",
        "k",
        "pass_at_1",
        "ci95_low",
        "ci95_high",
        "tool_call_rate",
        "tokens_mean",
        "tool_calls_mean",
    ]
    header += [f"outcome_{outcome.value}" for outcome in Outcome]
    return _document(
        header,
        (
            [r.name, r.benchmark, r.n, r.k, r.pass_at_1, *r.ci95, r.tool_call_rate, r.tokens_mean, r.tool_calls_mean,
             *(r.outcomes.get(outcome, 0) for outcome in Outcome)]
            for r in data.conditions
        ),
    )  # fmt: skip


def paired(data: ReportData) -> str:
    """Paired differences, ablations among them."""
    header = ["a", "b", "benchmark", "n", "diff", "ci95_low", "ci95_high", "p_value", "test"]
    rows = [*data.paired, *data.ablations]
    return _document(header, ([r.a, r.b, r.benchmark, r.n, r.diff, *r.ci95, r.p_value, r.test] for r in rows))


def scaling(data: ReportData) -> str:
    """Curves over rounds."""
    header = [
        "model",
        "method",
        "benchmark",
        "round",
        "n",
        "pass_at_1",
        "ci95_low",
        "ci95_high",
        "tokens_mean",
        "seconds_mean",
    ]
    rows = (
        [r.model, r.method, r.benchmark, r.round, r.n, r.pass_at_1, *_ends(r.ci95), r.tokens_mean, r.seconds_mean]
        for r in data.scaling
    )
    return _document(header, rows)


def transitions(data: ReportData) -> str:
    """Right and wrong before and after."""
    header = ["a", "b", "benchmark", "n", "wrong_to_right", "right_to_wrong", "right_to_right", "wrong_to_wrong"]
    rows: list[list[Cell]] = [
        [r.a, r.b, r.benchmark, r.n, r.wrong_to_right, r.right_to_wrong, r.right_to_right, r.wrong_to_wrong]
        for r in data.transitions
    ]
    return _document(header, rows)


def families(data: ReportData) -> str:
    """Accuracy by family."""
    header = ["benchmark", "group", "family", "condition", "n", "pass_at_1", "ci95_low", "ci95_high", "tool_call_rate"]
    return _document(
        header,
        (
            [r.benchmark, r.group, r.family, r.condition, r.n, r.pass_at_1, *r.ci95, r.tool_call_rate]
            for r in data.families
        ),
    )


def funnel(data: ReportData) -> str:
    """Curation, a row a step."""
    rows: list[Sequence[Cell]] = []
    for r in data.funnel:
        rows.append([r.stage, "in", "", r.num_in])
        rows += [[r.stage, "dropped", reason, count] for reason, count in sorted(r.dropped.items())]
        rows.append([r.stage, "kept", "", r.num_kept])
        rows += [[r.stage, "modified", rule, count] for rule, count in sorted(r.modified.items())]
    return _document(["stage", "step", "reason", "count"], rows)


def problems(data: ReportData) -> str:
    """The problem × condition grid: share of right samples."""
    names = data.condition_names()
    rows = ([r.benchmark, r.problem_id, r.group, r.family, *(r.cells.get(name) for name in names)] for r in data.grid)
    return _document(["benchmark", "problem", "group", "family", *names], rows)


def uplift(data: ReportData) -> str:
    """What each hint gains and loses, by hint, place and kind."""
    header = ["probe", "hint", "place", "kind", "difficulty", "n", "problems", "gain", "loss", "both", "neither"]
    header += ["plain_truncated", "hint_truncated", "diff", "ci95_low", "ci95_high", "loss_at_most", "p_value"]
    header += ["p_adjusted", "verdict", "accepted", "tokens", "extra_tokens"]
    rows: list[list[Cell]] = [
        [table.name, r.hint, r.place, r.kind, r.difficulty, r.n, r.num_problems, r.gain, r.loss, r.both, r.neither,
         r.plain_truncated, r.hint_truncated, r.diff, *r.ci95, r.loss_at_most, r.p_value, r.p_adjusted,
         r.verdict.value, r.accepted, r.tokens, r.extra_tokens]
        for table in data.uplift
        for r in table.rows
    ]  # fmt: skip
    return _document(header, rows)


ALL: dict[str, Callable[[ReportData], str]] = {
    "conditions": conditions,
    "paired": paired,
    "scaling": scaling,
    "transitions": transitions,
    "families": families,
    "funnel": funnel,
    "problems": problems,
    "uplift": uplift,
}
"""File stem → writer."""
