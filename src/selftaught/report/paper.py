"""START's published figures beside ours, where this run measured one of the paper's benchmarks."""

from __future__ import annotations

from selftaught.evals.loop import LOOP
from selftaught.evals.records import ReportData
from selftaught.report.tables import Table
from selftaught.report.text import interval, percent, points

NAMES = {
    "gpqa_diamond": "GPQA",
    "math500": "MATH500",
    "amc23": "AMC23",
    "aime24": "AIME24",
    "aime25": "AIME25",
    "livecodebench": "LCB",
}
"""Column headings of the paper's benchmarks, in its order."""


def paper_table(data: ReportData) -> Table:
    """The paper's table with its mean gain, and below it the conditions of this run.

    Empty unless this run measured at least one of the paper's benchmarks: other problems do not compare.
    """
    benchmarks = list(dict.fromkeys(figure.benchmark for figure in data.paper))
    models = list(dict.fromkeys((figure.model, figure.condition) for figure in data.paper))
    if not set(benchmarks) & set(data.benchmarks()):
        return Table("Beside the paper", [], [])
    scores = {(figure.model, figure.benchmark): figure.pass_at_1 for figure in data.paper}
    base_mean = next((_mean(scores, model, benchmarks) for model, condition in models if condition == LOOP.base), None)
    rows = []
    for model, condition in models:
        mean = _mean(scores, model, benchmarks)
        gain = None if mean is None or base_mean is None or condition == LOOP.base else mean - base_mean
        rows.append([model, *(percent(scores.get((model, b))) for b in benchmarks), percent(mean), points(gain)])
    strong = [index for index, (_, condition) in enumerate(models) if condition == LOOP.start]
    for name in data.condition_names():
        found = [data.condition(name, benchmark) for benchmark in benchmarks]
        cells = ["–" if row is None else f"{percent(row.pass_at_1)} {interval(row.ci95)}" for row in found]
        if any(found):
            rows.append([f"this run: {name}", *cells, "–", "–"])
    columns = ["model", *(NAMES.get(b, b) for b in benchmarks), "mean", "Δ"]
    sources = "; ".join(dict.fromkeys(figure.source for figure in data.paper))
    note = f"{sources}. The paper's models have 32 B parameters. Δ: gain of the mean over QwQ-32B-Preview, in points."
    return Table("Beside the paper", columns, rows, note=note, strong=strong)


def _mean(scores: dict[tuple[str, str], float], model: str, benchmarks: list[str]) -> float | None:
    """Mean over all benchmarks, None if one is missing."""
    known = [scores[model, benchmark] for benchmark in benchmarks if (model, benchmark) in scores]
    return sum(known) / len(known) if known and len(known) == len(benchmarks) else None
