"""The results as HTML: headline, tables and figures. All words are escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping

from selftaught.evals.loop import LOOP
from selftaught.evals.records import ReportData, SampleRef
from selftaught.report import identity, tables
from selftaught.report.charts import Figure, Palette
from selftaught.report.paper import paper_table
from selftaught.report.tables import Table
from selftaught.report.text import html_text, whole

MAX_LINKS = 60
"""Most problems listed under one heading of links."""


Questions = Mapping[tuple[str, str], str]
"""(benchmark, problem id) → the question on one line, for problems whose text may be shown."""


def results(data: ReportData, figures: dict[str, Figure], palette: Palette, questions: Questions) -> str:
    """The first view, from headline to costs. A section without content is left out."""
    calls = "What the interpreter was used for, how calls ended, and whether those that called were right more often."
    endings = "What an answer costs, and the ways in which a trajectory can end."
    curation = "Every trajectory that curation saw is either kept or has one reason against it."
    fits = "Mean loss over the tokens that count, and the learning rate, by optimizer step."
    parts = [
        _accuracy(data, figures, palette),
        _checks(data),
        _beside_paper(data),
        _figures("rounds", "More thinking time", _SCALING_LEAD, figures, "scaling scaling_time", tables.scaling_table(data)),
        _figures("families", "Where it helps", "Each family of problems on its own.", figures, "families"),
        _changes(data, figures, questions),
        _uplift(data, figures),
        _figures("tools", "Use of Python", calls, figures, "tools", tables.tools_table(data)),
        _figures("tokens", "Tokens and endings", endings, figures, "outcomes tokens"),
        _figures("funnel", "From rollouts to training data", curation, figures, "funnel", tables.funnel_table(data)),
        _figures("training", "Training", fits, figures, "training", tables.training_table(data)),
        _figures("ablations", "Ablations", "Each against its reference, on the same problems.", figures, "ablations", tables.ablations_table(data)),
        section("cost", "Time and tokens", "", html_table(tables.stages_table(data)) if data.stages else ""),
    ]  # fmt: skip
    body = "".join(parts)
    return identity.headline(data) + _contents(body) + body


def about(data: ReportData) -> str:
    """The page about how the numbers were made."""
    rows = identity.provenance_rows(data)
    listed = "".join(f"<dt>{html_text(name)}</dt><dd>{html_text(value)}</dd>" for name, value in rows)
    settings = identity.settings_text(data)
    return (
        '<h1>About this run</h1><p class="lead">What made these numbers, so that somebody else can make them again.</p>'
        f'<section><h2>Provenance</h2><dl class="plain">{listed or "<dt>not recorded</dt>"}</dl></section>'
        + section("files", "Files", "", html_table(identity.files_table(data)))
        + section("settings", "Settings", "", f'<pre class="json">{html_text(settings)}</pre>' if settings else "")
        + section("reading", "How to read a trajectory", identity.reading_help(), " ")
    )


_CONTENTS = re.compile(r'<section id="([a-z]+)"><h2>([^<]*)</h2>')


def _contents(body: str) -> str:
    """Links to the sections that are there."""
    links = "".join(f'<a href="#{anchor}">{heading}</a>' for anchor, heading in _CONTENTS.findall(body))
    return f'<nav class="contents" aria-label="sections">{links}</nav>' if links else ""


_SCALING_LEAD = (
    "When the thinking is about to end, a hint asks for another look with Python. On code it does so only until every "
    "sample case passes. Each round costs tokens. For comparison, where they were measured: budget forcing, which only "
    'says "wait", and votes among samples.'
)


_VERDICTS = {"met": "met", "not met": "unmet", "too few": "few"}
"""Verdict of a claim → class of its word."""


def html_table(table: Table, palette: Palette | None = None) -> str:
    """A table; with a palette the first column carries the condition's colour."""
    if not table.rows:
        return ""
    table = table.without_empty()
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
            if cell in _VERDICTS and i == 0:
                text = f'<span class="{_VERDICTS[cell]}">{text}</span>'
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


def _uplift(data: ReportData, figures: dict[str, Figure]) -> str:
    lead = "Forks of one prefix, with a hint and without: where a hint helps, where it harms, and where nobody can say yet."
    drawn = _figure(figures["uplift"], titled=True) if "uplift" in figures else ""
    found = tables.uplift_tables(data)
    folds = "".join(
        f"<details><summary>{html_text('The numbers' if len(found) == 1 else one.title)}</summary>{html_table(one)}</details>"
        for one in found
    )
    return section("uplift", "What hints do", lead, drawn, f'<div class="folds">{folds}</div>' if folds else "")


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
    switch = f'<div class="tabs" hidden>{tabs}</div>' if len(names) > 1 else ""
    tables_ = f"<div>{switch}{bodies}</div>"
    return (
        section("accuracy", "Accuracy", "", figure)
        + f'<section id="details"><h2>In numbers</h2>{tables_}{note}{fold if pairs else ""}</section>'
    )


def _checks(data: ReportData) -> str:
    return section("checks", "What was claimed, what was measured", "", html_table(tables.checks_table(data)))


def _beside_paper(data: ReportData) -> str:
    return section("paper", "Beside the paper", "", html_table(paper_table(data))) if data.conditions else ""


def _changes(data: ReportData, figures: dict[str, Figure], questions: Questions) -> str:
    drawn = _figure(figures["transitions"], titled=False) if "transitions" in figures else ""
    folds = []
    benchmark = data.benchmarks()[0] if data.benchmarks() else "all"
    whole_name = data.grid[0].benchmark if data.grid else benchmark
    for row in data.transitions:
        if row.benchmark != benchmark or row.b not in (LOOP.start, LOOP.base_hint):
            continue
        for words, ids, count in (
            ("became right", row.fixed, row.wrong_to_right),
            ("became wrong", row.broken, row.right_to_wrong),
        ):
            if ids:
                summary = f"{whole(count)} {words} from {row.a} to {row.b}"
                links = _links(ids, whole_name, questions)
                folds.append(f"<details><summary>{html_text(summary)}</summary>{links}</details>")
    lists = f'<div class="folds">{"".join(folds)}</div>' if folds else ""
    heading = "What changed, problem by problem" if drawn or folds else "Worth reading"
    return section("changes", heading, "", drawn, lists, _samples(data, questions, titled=bool(drawn or folds)))


def _link(problem_id: str, benchmark: str, questions: Questions, pair: tuple[str, ...] = ()) -> str:
    """A button that opens a problem's page, with the trajectories of ``pair`` side by side.

    It shows the question's start.
    """
    name = html_text(problem_id)
    shown = f' data-pair="{html_text(chr(10).join(pair))}"' if pair else ""
    question = questions.get((benchmark, problem_id), "")
    words = f"<span data-tex>{html_text(question)}</span>" if question else name
    return (
        f'<button type="button" title="{name}" data-problem="{name}" data-benchmark="{html_text(benchmark)}"{shown}>'
        f"{words}</button>"
    )


def _pair(sample: SampleRef) -> tuple[str, ...]:
    """The two conditions that a sample is about; none where base and START are meant."""
    if sample.why.startswith("hint"):
        return (LOOP.base, LOOP.base_hint)
    named = re.fullmatch(r"tool error \((.*)\)", sample.why)
    return (LOOP.base, named.group(1)) if named and named.group(1) != LOOP.base else ()


def _links(ids: list[str], benchmark: str, questions: Questions) -> str:
    shown = "".join(_link(problem_id, benchmark, questions) for problem_id in ids[:MAX_LINKS])
    more = f"<span class=count>and {len(ids) - MAX_LINKS} more under Problems</span>" if len(ids) > MAX_LINKS else ""
    return f'<div class="links">{shown}{more}</div>'


def _samples(data: ReportData, questions: Questions, titled: bool) -> str:
    by_why: dict[str, list[str]] = {}
    for sample in data.samples:
        link = _link(sample.problem_id, sample.benchmark, questions, _pair(sample))
        by_why.setdefault(sample.why, []).append(link)
    if not by_why:
        return ""
    rows = "".join(
        f"<dt>{html_text(why)}</dt><dd><div class=links>{''.join(buttons[:12])}</div></dd>"
        for why, buttons in by_why.items()
    )
    return ("<h3>Worth reading</h3>" if titled else "") + f'<dl class="plain reading">{rows}</dl>'
