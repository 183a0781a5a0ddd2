"""How results show themselves in a notebook: plain HTML, escaped, in the colours of the page, light or dark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from selftaught.progress import Progress
from selftaught.records import SpanSource, Trajectory
from selftaught.report.tables import Table
from selftaught.report.text import clip, html_text, one_line

_MAX_SPAN_CHARS = 20_000

_STYLE = """<style>
.selftaught{--paper:#fff;--ink:#1f2328;--dim:#57606a;--line:#d0d7de;--hint:#a0348a;--tool:#0b6e7f;--code:#f3f4f6;--good:#176b2c;--bad:#b3261e;
background:var(--paper);padding:.3em .8em;border-radius:4px;color:var(--ink);font:14px/1.5 system-ui,sans-serif;max-width:60rem}
@media (prefers-color-scheme:dark){.selftaught{--paper:#1b1f24;--ink:#e6edf3;--dim:#9aa4ae;--line:#3d444d;--hint:#e48fd3;--tool:#6fcadb;
--code:#22272e;--good:#6cc983;--bad:#ff8a80}}
.selftaught pre{background:none;color:inherit;border-left:3px solid var(--line);margin:.3em 0;padding:.1em .8em;white-space:pre-wrap;
overflow-wrap:anywhere;font:13px/1.45 ui-monospace,monospace}
.selftaught pre.hint{border-color:var(--hint);color:var(--hint)}.selftaught pre.tool{border-color:var(--tool);background:var(--code)}
.selftaught pre.prompt,.selftaught .dim{color:var(--dim)}.selftaught .good{color:var(--good)}.selftaught .bad{color:var(--bad)}
.selftaught table{border-collapse:collapse;margin:.4em 0;color:inherit}.selftaught th,.selftaught td{padding:.15em .8em .15em 0;
border-bottom:1px solid var(--line);text-align:right;background:none;font-variant-numeric:tabular-nums}
.selftaught .word{text-align:left}.selftaught th{white-space:nowrap}.selftaught progress{width:12em;vertical-align:middle}
</style>"""


def framed(*parts: str) -> str:
    """Parts inside the frame that the style is for."""
    return f'{_STYLE}<div class="selftaught">{"".join(parts)}</div>'


def paragraph(text: str, style: str = "") -> str:
    """One paragraph of text."""
    return f'<p class="{style}">{html_text(text)}</p>' if style else f"<p>{html_text(text)}</p>"


def table_html(table: Table) -> str:
    """A results table."""
    classes = ['class="word"' if index < table.num_labels else "" for index in range(len(table.columns))]
    head = "".join(f"<th {kind}>{html_text(name)}</th>" for kind, name in zip(classes, table.columns, strict=True))
    rows = []
    for number, row in enumerate(table.rows):
        cells = "".join(f"<td {kind}>{html_text(cell)}</td>" for kind, cell in zip(classes, row, strict=True))
        strong = ' style="font-weight:600"' if number in table.strong else ""
        rows.append(f"<tr{strong}>{cells}</tr>")
    title = f"<caption>{html_text(table.title)}</caption>" if table.title else ""
    note = paragraph(table.note, "dim") if table.note else ""
    return f"<table>{title}<tr>{head}</tr>{''.join(rows)}</table>{note}"


def rows_html(rows: Iterable[tuple[str, Any]]) -> str:
    """Names and values, one a line."""
    cells = (
        f'<tr><th class="word">{html_text(name.replace("_", " "))}</th><td class="word">{html_text(_words(value))}</td></tr>'
        for name, value in rows
        if value not in (None, "", [], {}, ())
    )
    return f"<table>{''.join(cells)}</table>"


def record_html(record: BaseModel) -> str:
    """The fields of a record, one a line; records inside it are left out."""
    fields = ((name, getattr(record, name)) for name in type(record).model_fields)
    return framed(rows_html((name, value) for name, value in fields if not isinstance(value, BaseModel)))


def trajectory_html(trajectory: Trajectory, question: str, closing: str, style: str) -> str:
    """A trajectory with each part in the look of its source."""
    parts = [paragraph(question)]
    for span in trajectory.spans:
        text = clip(span.text, _MAX_SPAN_CHARS)
        if span.source is SpanSource.PROMPT:
            parts.append(
                f'<details><summary class="dim">prompt</summary><pre class="prompt">{html_text(text)}</pre></details>'
            )
            continue
        title = ""
        if span.hint is not None:
            title = f"hint {span.hint.id} · {span.hint.reason}"
        elif span.tool is not None:
            title = f"output · {span.tool.status.value} · {span.tool.wall_s:.2f} s"
        parts.append(f'<pre class="{span.source.value}" title="{html_text(title)}">{html_text(text)}</pre>')
    return framed(*parts, f'<p class="{style}"><b>{html_text(closing)}</b></p>')


def progress_html(now: Sequence[Progress], lines: Sequence[str]) -> str:
    """A bar for each work, under the lines that stay."""
    parts = [f'<div class="dim">{html_text(line)}</div>' for line in lines]
    for one in now:
        known = f'value="{one.done}" max="{max(1, one.total)}"' if one.total is not None else ""
        parts.append(f"<div><progress {known}></progress> {html_text(one.line())}</div>")
    return framed(*parts)


def _words(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{one_line(str(getattr(key, 'value', key)))} {_words(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        shown = ", ".join(_words(item) for item in value[:8])
        return shown + (f", … ({len(value)} in all)" if len(value) > 8 else "")
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else one_line(str(getattr(value, "value", value)), 400)
