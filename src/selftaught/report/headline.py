"""The top of the page: title, warnings and the few numbers that say what the run showed."""

from __future__ import annotations

from selftaught.evals.records import ReportData
from selftaught.report.numbers import duration, interval, percent, points, points_interval
from selftaught.report.table import paired_with_reference
from selftaught.report.text import html_text

_LOOP_LEAD = (
    "A base reasoner that never calls Python, the same one with hints, and what it becomes when it is trained on its own "
    "hinted successes. Every number is on held-out problems."
)
_EVAL_LEAD = "Every number has its interval, every answer its trajectory."


def headline(data: ReportData) -> str:
    """Title, lead, warnings and facts."""
    notes = "".join(f"<li>{html_text(note)}</li>" for note in data.notes)
    facts = "".join(_fact(*fact) for fact in key_facts(data))
    lead = _LOOP_LEAD if {"base", "start"} <= set(data.condition_names()) else _EVAL_LEAD
    return (
        f'<h1>{html_text(data.title)}</h1><p class="lead">{html_text(lead)}</p>'
        f'<p class="when">{html_text(_when(data))}</p>'
        + (f'<ul class="notes">{notes}</ul>' if notes else "")
        + (f'<dl class="facts">{facts}</dl>' if facts else "")
    )


def _fact(name: str, big: str, small: str) -> str:
    value = f'<span class="big">{html_text(big)}</span><span class="small">{html_text(small)}</span>'
    return f"<div><dt>{html_text(name)}</dt><dd>{value}</dd></div>"


def _when(data: ReportData) -> str:
    words = [f"Made {data.created_at.replace('T', ' ').replace('Z', ' UTC')}"]
    if data.provenance.config_digest:
        words.append(f"configuration {data.provenance.config_digest[:12]}")
    if data.stages:
        words.append(f"all stages {duration(sum(row.seconds for row in data.stages))}")
    return " · ".join(words)


def key_facts(data: ReportData) -> list[tuple[str, str, str]]:
    """The three or four numbers of the run: (what, value, its interval or context)."""
    benchmarks = data.benchmarks()
    if not benchmarks:
        return []
    main = benchmarks[0]
    facts = []
    for name in ("base", "start"):
        row = data.condition(name, main)
        if row is not None:
            facts.append((f"{name}, {main}", f"{percent(row.pass_at_1)} %", f"{interval(row.ci95)}, n = {row.n}"))
    pair = paired_with_reference(data, "start", main)
    if pair is not None:
        facts.append(("START − base", f"{points(pair.diff)}", f"points {points_interval(pair.ci95)}, paired"))
    calls_on = "hard" if "hard" in benchmarks else main
    row = data.condition("start", calls_on)
    if row is not None:
        facts.append(
            (
                f"START calls Python by itself, {calls_on}",
                f"{percent(row.tool_call_rate, 0)} %",
                "of trajectories, no hint",
            )
        )
    if not facts:
        best = data.conditions[0]
        facts = [
            (f"{r.name}, {r.benchmark}", f"{percent(r.pass_at_1)} %", f"{interval(r.ci95)}, n = {r.n}")
            for r in data.conditions[:3] or [best]
        ]
    return facts
