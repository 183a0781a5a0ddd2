"""The results as HTML: headline, tables and figures. All words are escaped."""

from __future__ import annotations

import re

from selftaught.evals.records import ReportData, SampleRef
from selftaught.report import headline, tables
from selftaught.report.charts import Figure, Palette
from selftaught.report.numbers import whole
from selftaught.report.paper import paper_table
from selftaught.report.table import Table
from selftaught.report.text import html_text

MAX_LINKS = 60
"""Most problems listed under one heading of links."""


def results(data: ReportData, figures: dict[str, Figure], palette: Palette) -> str:
    """The first view, from headline to funnel."""
    parts = [headline.headline(data), _accuracy(data, figures, palette), _checks(data), _beside_paper(data)]
    parts.append(
        _figures(
            "rounds", "More thinking time", _SCALING_LEAD, figures, "scaling scaling_time", tables.scaling_table(data)
        )
    )
    parts.append(_figures("families", "Where it helps", "Each family of problems on its own.", figures, "families"))
    parts.append(_changes(data, figures))
    lead = "What the interpreter was used for, how calls ended, and whether those that called were right more often."
    parts.append(_figures("tools", "Use of Python", lead, figures, "tools", tables.tools_table(data)))
    parts.append(
        _figures(
            "tokens",
            "Tokens and endings",
            "What an answer costs, and the six ways in which a trajectory can end.",
            figures,
            "outcomes tokens",
        )
    )
    lead = "Every trajectory that curation saw is either kept or has one reason against it."
    parts.append(
        _figures("funnel", "From rollouts to training data", lead, figures, "funnel", tables.funnel_table(data))
    )
    lead = "Each against its reference, on the same problems."
    parts.append(_figures("ablations", "Ablations", lead, figures, "ablations", tables.ablations_table(data)))
    if data.stages:
        parts.append(section("cost", "Time and tokens", "", html_table(tables.stages_table(data))))
    body = "".join(parts[1:])
    return parts[0] + _contents(body) + body


_CONTENTS = re.compile(r'<section id="([a-z]+)"><h2>([^<]*)</h2>')


def _contents(body: str) -> str:
    """Links to the sections that are there."""
    links = "".join(f'<a href="#{anchor}">{heading}</a>' for anchor, heading in _CONTENTS.findall(body))
    return f'<nav class="contents" aria-label="sections">{links}</nav>' if links else ""


_SCALING_LEAD = (
    "When the thinking is about to end, a hint asks for another look with Python; on code, only until every sample "
    "case passes. Each round costs tokens; on the base accuracy should rise with them, on START little is left to gain. "
    "Where they were measured: budget forcing, "
    'which only says "wait", and votes among samples, at the tokens that they cost.'
)


def html_table(table: Table, palette: Palette | None = None) -> str:
    """A table; with a palette the first column carries the condition's colour."""
    if not table.rows:
        return ""
    head = "".join(
        f"<th{' class=w' if i < table.num_labels else ''}>{html_text(name)}</th>"
        for i, name in enumerate(table.columns)
    )
    body = []
    for number, row in enumerate(table.rows):
        cells = []
        for i, cell in enumerate(row):
            text = html_text(cell)
            if "[" in cell and i >= table.num_labels:
                value, bracket, rest = text.partition("[")
                text = f'{value}<span class="range">{bracket}{rest}</span>'
            if i == 0 and palette is not None:
                text = f'<span class="dot d-{palette.condition(cell)}"></span>{text}'
            if cell in ("met", "not met"):
                text = f'<span class="{"met" if cell == "met" else "unmet"}">{text}</span>'
            classes = " ".join(name for name, on in (("w", i < table.num_labels), ("wrap", len(cell) > 44)) if on)
            cells.append(f'<td class="{classes}">{text}</td>' if classes else f"<td>{text}</td>")
        body.append(f"<tr{' class=strong' if number in table.strong else ''}>{''.join(cells)}</tr>")
    note = f'<p class="note">{html_text(table.note)}</p>' if table.note else ""
    size = " class=slim" if len(table.columns) <= 6 else " class=dense" if len(table.columns) >= 12 else ""
    return f'<div class="wide"><table{size}><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>{note}'


def section(anchor: str, heading: str, lead: str, *bodies: str) -> str:
    """A part with its heading and lead; nothing when it has no body."""
    content = "".join(body for body in bodies if body)
    if not content:
        return ""
    words = f'<p class="lead">{html_text(lead)}</p>' if lead else ""
    return f'<section id="{anchor}"><h2>{html_text(heading)}</h2>{words}{content}</section>'


def _figure(figure: Figure, titled: bool) -> str:
    title = f'<span class="title">{html_text(figure.title)}</span>' if titled else ""
    caption = f"<figcaption>{html_text(figure.caption)}</figcaption>"
    return f'<figure>{title}<div class="wide">{figure.inline()}</div>{caption}</figure>'


def _figures(
    anchor: str, heading: str, lead: str, figures: dict[str, Figure], names: str, table: Table | None = None
) -> str:
    wanted = [figures[name] for name in names.split() if name in figures]
    drawn = "".join(_figure(figure, titled=len(wanted) > 1) for figure in wanted)
    fold = ""
    if table is not None and table.rows:
        fold = f'<div class="folds"><details><summary>The numbers</summary>{html_table(table)}</details></div>'
    return section(anchor, heading, lead, drawn, fold)


def _accuracy(data: ReportData, figures: dict[str, Figure], palette: Palette) -> str:
    if not data.conditions:
        return ""
    figure = _figure(figures["accuracy"], titled=False) if "accuracy" in figures else ""
    names = data.benchmarks()
    tabs = "".join(
        f'<button type="button" class="quiet" data-tab="tab-{i}">{html_text(name)}</button>'
        for i, name in enumerate(names)
    )
    bodies = "".join(
        f'<div id="tab-{i}">{html_table(tables.detail_table(data, name), palette)}</div>'
        for i, name in enumerate(names)
    )
    note = f'<p class="note">{html_text(tables.accuracy_note(data))}</p>'
    pairs = html_table(tables.pairs_table(data))
    fold = f'<div class="folds"><details><summary>Differences between other conditions</summary>{pairs}</details></div>'
    tables_ = f'<div><div class="tabs" hidden>{tabs}</div>{bodies}</div>'
    return (
        section("accuracy", "Accuracy", "", figure)
        + f'<section id="details"><h2>In numbers</h2>{tables_}{note}{fold if pairs else ""}</section>'
    )


def _checks(data: ReportData) -> str:
    return section("checks", "What was claimed, what was measured", "", html_table(tables.checks_table(data)))


def _beside_paper(data: ReportData) -> str:
    return section("paper", "Beside the paper", "", html_table(paper_table(data))) if data.conditions else ""


def _changes(data: ReportData, figures: dict[str, Figure]) -> str:
    drawn = _figure(figures["transitions"], titled=False) if "transitions" in figures else ""
    folds = []
    benchmark = data.benchmarks()[0] if data.benchmarks() else "all"
    for row in data.transitions:
        if row.benchmark != benchmark or row.b not in ("start", "base+hint"):
            continue
        for words, ids, count in (
            ("became right", row.fixed, row.wrong_to_right),
            ("became wrong", row.broken, row.right_to_wrong),
        ):
            if ids:
                summary = f"{whole(count)} {words} from {row.a} to {row.b}"
                folds.append(f"<details><summary>{html_text(summary)}</summary>{_links(ids)}</details>")
    lists = f'<div class="folds">{"".join(folds)}</div>' if folds else ""
    return section("changes", "What changed, problem by problem", "", drawn, lists, _samples(data))


def _link(problem_id: str, benchmark: str = "", pair: tuple[str, ...] = ()) -> str:
    """A button that opens a problem's page, with the trajectories of ``pair`` side by side."""
    name = html_text(problem_id)
    shown = f' data-pair="{html_text(chr(10).join(pair))}"' if pair else ""
    return f'<button type="button" data-problem="{name}" data-benchmark="{html_text(benchmark)}"{shown}>{name}</button>'


def _pair(sample: SampleRef) -> tuple[str, ...]:
    """The two conditions that a sample is about; none where base and START are meant."""
    if sample.why.startswith("hint"):
        return ("base", "base+hint")
    named = re.fullmatch(r"tool error \((.*)\)", sample.why)
    return ("base", named.group(1)) if named and named.group(1) != "base" else ()


def _links(ids: list[str]) -> str:
    shown = "".join(_link(problem_id) for problem_id in ids[:MAX_LINKS])
    more = f"<span class=count>and {len(ids) - MAX_LINKS} more under Problems</span>" if len(ids) > MAX_LINKS else ""
    return f'<div class="links">{shown}{more}</div>'


def _samples(data: ReportData) -> str:
    by_why: dict[str, list[str]] = {}
    for sample in data.samples:
        by_why.setdefault(sample.why, []).append(_link(sample.problem_id, sample.benchmark, _pair(sample)))
    if not by_why:
        return ""
    rows = "".join(
        f"<dt>{html_text(why)}</dt><dd><div class=links>{''.join(buttons[:12])}</div></dd>"
        for why, buttons in by_why.items()
    )
    return f'<h3>Worth reading</h3><dl class="plain reading">{rows}</dl>'
