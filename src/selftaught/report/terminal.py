"""The results table on a terminal, narrow enough for 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selftaught.evals.loop import LOOP
from selftaught.evals.records import ReportData
from selftaught.records import Outcome
from selftaught.report.tables import accuracy_note
from selftaught.report.text import interval, one_line, percent, points, points_interval, whole

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_SHORT = {
    Outcome.CORRECT: "right",
    Outcome.WRONG: "wrong",
    Outcome.NO_ANSWER: "none",
    Outcome.TRUNCATED: "cut",
    Outcome.TIMED_OUT: "time",
    Outcome.ERROR: "err",
}
"""Headings of the outcomes; the line under the table spells them out."""

_KEY = (
    "calls: % of trajectories that call Python; none: no answer; cut: token or call budget used up; time: timed out.\n"
)


_VERDICT_STYLE = {"met": "green", "not met": "red", "too few": "yellow"}


def print_summary(data: ReportData, console: Console) -> None:
    """Print accuracy by condition and benchmark, then differences, calls, tokens and outcomes, then the claims."""
    from rich.text import Text

    benchmarks = data.benchmarks()
    if not benchmarks:
        console.print("No graded trajectory yet.")
        _print_notes(data, console)
        return
    console.print(Text("Accuracy: pass@1 in per cent", style="bold"))
    console.print(_accuracy(data, benchmarks))
    if any(row.k > 1 for row in data.conditions):
        console.print(Text("\nSeveral samples a problem: per cent", style="bold"))
        console.print(_several(data))
    console.print(Text(f"\nOn {one_line(benchmarks[0], 30)}: paired difference, behaviour, outcomes", style="bold"))
    console.print(_behaviour(data, benchmarks[0]))
    console.print()
    console.print(Text(_KEY + accuracy_note(data), style="dim"))
    for check in data.checks:
        line = Text.assemble(
            (f"  {check.word:<9}", _VERDICT_STYLE.get(check.word, "")),
            f"{one_line(check.name)}: {one_line(check.measured)}",
            (f"  (bar: {one_line(check.bar)})", "dim"),
        )
        console.print(line)
    _print_notes(data, console)


def _print_notes(data: ReportData, console: Console) -> None:
    from rich.text import Text

    for note in [data.unfinished, *data.notes] if data.unfinished else data.notes:
        console.print(Text.assemble(("  note     ", "yellow"), one_line(note, 400)))


def _table() -> Table:
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)


def _accuracy(data: ReportData, benchmarks: list[str]) -> Table:
    table = _table()
    table.add_column("condition", no_wrap=True)
    for index, benchmark in enumerate(benchmarks):
        size = max((row.n for row in data.conditions if row.benchmark == benchmark), default=0)
        table.add_column(
            f"{one_line(benchmark, 18)}\n(n={size})", justify="left" if index == 0 else "right", no_wrap=index == 0
        )
    for name in data.condition_names():
        cells = [one_line(name, 24)]
        for index, benchmark in enumerate(benchmarks):
            row = data.condition(name, benchmark)
            text = "–" if row is None else percent(row.pass_at_1)
            cells.append(f"{text:>5} {interval(row.ci95)}" if row is not None and index == 0 else text)
        table.add_row(*cells, style="bold" if name == LOOP.start else None)
    return table


def _several(data: ReportData) -> Table:
    """pass@k and maj@k, where there are k samples a problem."""
    table = _table()
    for heading in ("condition", "benchmark", "k", "pass@1", "pass@k", "maj@k"):
        table.add_column(heading, justify="left" if heading in ("condition", "benchmark") else "right", no_wrap=True)
    for row in data.conditions:
        if row.k > 1:
            shares = (row.pass_at_1, row.pass_at_k.get(row.k), row.maj_at_k)
            names = (one_line(row.name, 24), one_line(row.benchmark, 18))
            table.add_row(*names, str(row.k), *(percent(share) for share in shares))
    return table


def _behaviour(data: ReportData, benchmark: str) -> Table:
    table = _table()
    seen = [o for o in Outcome if any(row.outcomes.get(o, 0) for row in data.conditions if row.benchmark == benchmark)]
    table.add_column("condition", no_wrap=True)
    pairs = {name: data.against_reference(name, benchmark) for name in data.condition_names()}
    compared = any(pairs.values())
    if compared:
        table.add_column(f"Δ {one_line(data.compared_with(), 16)} [95 %]", no_wrap=True)
    for heading in ("calls", "tokens", *(_SHORT[outcome] for outcome in seen)):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in data.condition_names():
        row = data.condition(name, benchmark)
        if row is None:
            continue
        pair = pairs[name]
        change = "–" if pair is None else f"{points(pair.diff):>5} {points_interval(pair.ci95)}"
        cells = [
            one_line(name, 24),
            *([change] if compared else []),
            percent(row.tool_call_rate, 0),
            whole(row.tokens_mean),
        ]
        cells += [str(row.outcomes.get(outcome, 0)) for outcome in seen]
        table.add_row(*cells, style="bold" if name == LOOP.start else None)
    return table
