"""Which run this is: the top of the page, with its few chief numbers, and the page about how they were made."""

from __future__ import annotations

import json

from selftaught.evals.loop import LOOP
from selftaught.evals.records import ReportData
from selftaught.report.tables import Table
from selftaught.report.text import duration, html_text, interval, one_line, percent, points, points_interval, whole
from selftaught.sandbox.settings import Tier

MAX_FACTS = 4
"""Most conditions among the chief numbers."""

MAX_NAMED = 8
"""With more conditions than this the models are listed without them."""

_LOOP_LEAD = (
    "A base reasoner that never calls Python, the same one with hints, and what it becomes when it is trained on its own "
    "hinted successes. Every number is on held-out problems."
)
_EVAL_LEAD = "Every number has its interval, every answer its trajectory."

_READING = (
    "A trajectory is a list of spans. Each span has one source: the prompt, the model, a hint, the Python interpreter, or the "
    "runner. The bar at a block's left has its source's colour. Beside it stand the number of tokens and the weight that "
    "they have in the training loss under the run's own recipe. Where a recipe names none, the weights are model 1, hint 1, "
    "Python 0, prompt 0. Code stands in the block of whoever wrote it; a hint may open a code block that the model goes on "
    "writing. Invisible and direction-changing characters are written out as codes."
)

_TIERS = {
    Tier.FULL: "full: namespaces, own file system root, Landlock, seccomp, resource limits",
    Tier.REDUCED: "reduced: Landlock, seccomp, resource limits; no user namespaces",
    Tier.UNSAFE: "unsafe: resource limits only",
}


def sandbox_words(tier: str) -> str:
    """What a tier's number or name means: ``1`` → ``tier 1, full: namespaces, …``. Anything else stays as it is."""
    for known, words in _TIERS.items():
        if tier.strip().lower() in (str(int(known)), known.name.lower()):
            return f"tier {int(known)}, {words}"
    return tier


def headline(data: ReportData) -> str:
    """Title, lead, what was run, warnings and facts."""
    notes = [data.unfinished] if data.unfinished else []
    warned = "".join(f"<li>{html_text(note)}</li>" for note in [*notes, *data.notes])
    facts = "".join(_fact(*fact) for fact in key_facts(data))
    lead = _LOOP_LEAD if {LOOP.base, LOOP.start} <= set(data.condition_names()) else _EVAL_LEAD
    run = "".join(f"<dt>{html_text(name)}</dt><dd>{html_text(value)}</dd>" for name, value in run_rows(data))
    return (
        f'<h1>{html_text(data.title)}</h1><p class="lead">{html_text(lead)}</p>'
        + (f'<dl class="plain run">{run}</dl>' if run else "")
        + (f'<ul class="notes">{warned}</ul>' if warned else "")
        + (f'<dl class="facts">{facts}</dl>' if facts else "")
    )


def run_rows(data: ReportData) -> list[tuple[str, str]]:
    """Model, command, time and configuration of the run, as far as they are known: what the first screen says."""
    source = data.provenance
    digest = source.config_digest[:12]
    made = f"report made {data.created_at.replace('T', ' ').replace('Z', ' UTC')}"
    commit = f"commit {source.git_commit[:9]}" if source.git_commit else ""
    rows = [
        ("model", models(data)),
        ("command", one_line(source.command, 300)),
        ("time", _time(data)),
        ("configuration", " · ".join(word for word in (digest, commit, made) if word)),
    ]
    return [(name, value) for name, value in rows if value]


def models(data: ReportData) -> str:
    """Each model with the conditions that it was asked under: ``toy (base, base+hint); runs/m1 (m1)``."""
    by_model: dict[str, dict[str, None]] = {}
    for ref in data.runs:
        if ref.model:
            by_model.setdefault(ref.model, {})[ref.condition] = None
    if sum(map(len, by_model.values())) > MAX_NAMED:
        return "; ".join(by_model)
    listed = [(model, [name for name in data.condition_names() if name in names]) for model, names in by_model.items()]
    return "; ".join(
        f"{model} ({', '.join(names)})" if names and names != [model] else model for model, names in listed
    )


def _time(data: ReportData) -> str:
    """Wall time beside the sum over stages, which may overlap."""
    summed = sum(row.seconds for row in data.stages)
    words = [f"{duration(data.wall_s)} wall time"] if data.wall_s is not None else []
    if len(data.stages) > 1:
        words.append(f"{duration(summed)} summed over {len(data.stages)} stages")
    cores = data.provenance.hardware.get("cores") or data.provenance.hardware.get("num_cpus")
    if words and cores:
        words.append(f"on {cores.removesuffix(' cores')} cores")
    return ", ".join(words)


def _fact(name: str, big: str, small: str) -> str:
    value = f'<span class="big">{html_text(big)}</span><span class="small">{html_text(small)}</span>'
    return f"<div><dt>{html_text(name)}</dt><dd>{value}</dd></div>"


def key_facts(data: ReportData) -> list[tuple[str, str, str]]:
    """The three or four numbers of the run: (what, value, its interval or context)."""
    benchmarks = data.benchmarks()
    if not benchmarks:
        return []
    main = benchmarks[0]
    facts = []
    for name in (LOOP.base, LOOP.start):
        row = data.condition(name, main)
        if row is not None:
            facts.append((f"{name}, {main}", f"{percent(row.pass_at_1)} %", f"{interval(row.ci95)}, n = {row.n}"))
    pair = data.against_reference(LOOP.start, main)
    if pair is not None:
        change = f"points {points_interval(pair.ci95)}, paired"
        facts.append((f"START − {data.compared_with()}", points(pair.diff), change))
    calls_on = "hard" if "hard" in benchmarks else main
    row = data.condition(LOOP.start, calls_on)
    if row is not None:
        calls = f"{percent(row.tool_call_rate, 0)} %"
        facts.append((f"START calls Python by itself, {calls_on}", calls, "of trajectories, no hint"))
    if data.condition(LOOP.start, main) is None:
        facts = [
            (f"{row.name}, {main}", f"{percent(row.pass_at_1)} %", f"{interval(row.ci95)}, n = {row.n}")
            for name in data.condition_names()
            if (row := data.condition(name, main)) is not None
        ][:MAX_FACTS]
    return facts


def provenance_rows(data: ReportData) -> list[tuple[str, str]]:
    """What made the numbers, as (name, value) pairs; empty values are left out."""
    source = data.provenance
    dirty = {True: " (with uncommitted changes)", False: "", None: ""}[source.git_dirty]
    rows = [
        ("command", source.command),
        ("configuration", source.config_digest),
        ("commit", f"{source.git_commit}{dirty}" if source.git_commit else ""),
        ("seeds", ", ".join(str(seed) for seed in source.seeds)),
        ("time", _time(data)),
        ("grader", source.grader),
        ("sandbox", sandbox_words(source.sandbox_tier)),
    ]
    for label, mapping in (("models", source.models), ("data", source.data), ("licences", source.licences)):
        rows += [(f"{label}: {key}", value) for key, value in mapping.items()]
    rows.append(("hardware", ", ".join(f"{key} {value}" for key, value in source.hardware.items())))
    rows.append(("versions", ", ".join(f"{key} {value}" for key, value in source.versions.items())))
    return [(name, value) for name, value in rows if value]


def files_table(data: ReportData) -> Table:
    """Where the trajectories of each condition lie."""
    rows = [
        [
            ref.condition,
            ref.benchmark,
            whole(ref.num_trajectories),
            whole(ref.num_ungraded) if ref.num_ungraded else "",
            ref.model,
            ref.trajectories,
        ]
        for ref in data.runs
    ]
    columns = ["condition", "benchmark", "trajectories", "not graded", "model", "file"]
    return Table("Files", columns, rows, num_labels=6).without_empty()


def settings_text(data: ReportData) -> str:
    """The run's resolved configuration as indented JSON; empty where it was not kept."""
    settings = data.provenance.settings
    return json.dumps(settings, indent=2, ensure_ascii=False, default=str) if settings else ""


def reading_help() -> str:
    """How to read a trajectory."""
    return _READING


def footer(data: ReportData) -> str:
    """Last line of the page."""
    digest = data.provenance.config_digest[:12]
    words = "One self-contained page: no network, no tracking. report.md and report.json hold the same numbers."
    return html_text(f"{words} Configuration {digest}." if digest else words)
