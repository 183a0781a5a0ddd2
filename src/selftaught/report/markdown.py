"""``report.md``: the tables as text that can be pasted into an issue, a model card or a paper's draft."""

from __future__ import annotations

from collections.abc import Callable

from selftaught.evals.records import ReportData
from selftaught.report import tables
from selftaught.report.identity import provenance_rows, run_rows
from selftaught.report.paper import paper_table
from selftaught.report.tables import Table
from selftaught.report.text import markdown_text


def render_markdown(data: ReportData, figures: dict[str, str]) -> str:
    """The report as GitHub-flavoured Markdown; ``figures`` maps a figure's name to its path beside the file."""
    lines = [
        f"# {markdown_text(data.title)}",
        "",
        *(f"- {markdown_text(name)}: {markdown_text(value)}" for name, value in run_rows(data)),
        "- numbers for machines: `report.json`",
        "",
    ]
    notes = [data.unfinished, *data.notes] if data.unfinished else data.notes
    lines += [f"> {markdown_text(note)}" for note in notes] + ([""] if notes else [])

    def add(heading: str, table: Table, figure: str | None = None) -> None:
        if not table.rows:
            return
        table = table.without_empty()
        lines.extend([f"## {markdown_text(heading)}", ""])
        if figure in figures:
            lines.extend([f"![{markdown_text(heading)}]({figures[figure]})", ""])
        lines.extend([*_table(table), ""])
        if table.note:
            lines.extend([markdown_text(table.note), ""])

    if data.conditions:
        add("Accuracy", tables.accuracy_table(data), "accuracy")
    for benchmark in data.benchmarks():
        add(
            f"Details: {benchmark}",
            tables.detail_table(data, benchmark),
            "outcomes" if benchmark == data.benchmarks()[0] else None,
        )
    sections: list[tuple[str, Callable[[ReportData], Table], str | None]] = [
        ("Between conditions", tables.pairs_table, None),
        ("What was claimed, what was measured", tables.checks_table, None),
        ("Beside the paper", paper_table, None),
        ("More thinking time: hint rounds", tables.scaling_table, "scaling"),
        ("What changed, problem by problem", tables.transitions_table, "transitions"),
        ("Ablations", tables.ablations_table, "ablations"),
        ("Use of the interpreter", tables.tools_table, "tools"),
        ("From rollouts to training data", tables.funnel_table, "funnel"),
        ("Training", tables.training_table, "training"),
        ("Time and tokens", tables.stages_table, None),
    ]
    for heading, build, figure in sections:
        add(heading, build(data), figure)
    for number, one in enumerate(tables.uplift_tables(data)):
        add(one.title, one, "uplift" if number == 0 else None)
    lines += ["## Provenance", "", *_provenance(data), ""]
    return "\n".join(lines)


def _table(table: Table) -> list[str]:
    align = ["---" if index < table.num_labels else "---:" for index in range(len(table.columns))]
    rows = [f"| {' | '.join(markdown_text(column) for column in table.columns)} |", f"| {' | '.join(align)} |"]
    for index, row in enumerate(table.rows):
        cells = [markdown_text(cell) for cell in row]
        if index in table.strong:
            cells[0] = f"**{cells[0]}**"
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _provenance(data: ReportData) -> list[str]:
    return [f"- {markdown_text(name)}: {markdown_text(value)}" for name, value in provenance_rows(data)] or [
        "- not recorded"
    ]
