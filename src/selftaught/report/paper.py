"""START's published figures beside ours: another model on other problems, so shapes compare and numbers do not."""

from __future__ import annotations

from selftaught.evals.records import ReportData
from selftaught.report.numbers import percent, points, points_interval
from selftaught.report.table import Table, paired_with_reference, reference_of

WRONG_TO_RIGHT = 0.330
"""Share of the base's wrong answers that a hint made right (secondary account)."""

RIGHT_TO_WRONG = 0.104
"""Share of the base's right answers that a hint made wrong (secondary account)."""

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
    """The paper's table with its mean gain and this run's gain; conditions run on the paper's own benchmarks below it."""
    benchmarks = list(dict.fromkeys(figure.benchmark for figure in data.paper))
    models = list(dict.fromkeys((figure.model, figure.condition) for figure in data.paper))
    if not models:
        return Table("Beside the paper", [], [])
    scores = {(figure.model, figure.benchmark): figure.pass_at_1 for figure in data.paper}
    main = data.benchmarks()[0] if data.benchmarks() else ""
    base_mean = next((_mean(scores, model, benchmarks) for model, condition in models if condition == "base"), None)
    rows = []
    for model, condition in models:
        mean = _mean(scores, model, benchmarks)
        gain = None if mean is None or base_mean is None or condition == "base" else mean - base_mean
        cells = [percent(scores.get((model, benchmark))) for benchmark in benchmarks]
        rows.append([model, condition or "–", *cells, percent(mean), points(gain), *_here(data, condition, main)])
    strong = [
        i for i, (model, condition) in enumerate(models) if condition == "start" and _mean(scores, model, benchmarks)
    ]
    if set(benchmarks) & set(data.benchmarks()):
        for name in data.condition_names():
            found = [data.condition(name, benchmark) for benchmark in benchmarks]
            rows.append(
                [
                    f"this run: {name}",
                    name,
                    *("–" if r is None else percent(r.pass_at_1) for r in found),
                    "",
                    "",
                    "",
                    "",
                ]
            )
    columns = [
        "the paper's model",
        "here",
        *(NAMES.get(b, b) for b in benchmarks),
        "mean",
        "Δ",
        f"here: {main}",
        "Δ here",
    ]
    sources = "; ".join(dict.fromkeys(figure.source for figure in data.paper))
    note = f"{sources}. The paper's models have 32 B parameters; where the problems are others too, compare signs and shapes."
    return Table("Beside the paper", columns, rows, num_labels=2, note=note, strong=strong)


def _mean(scores: dict[tuple[str, str], float], model: str, benchmarks: list[str]) -> float | None:
    """Mean over all benchmarks, None if one is missing."""
    known = [scores[model, benchmark] for benchmark in benchmarks if (model, benchmark) in scores]
    return sum(known) / len(known) if known and len(known) == len(benchmarks) else None


def _here(data: ReportData, condition: str, benchmark: str) -> list[str]:
    """This run's score and paired difference for the condition that a model of the paper plays."""
    row = data.condition(condition, benchmark) if condition else None
    if row is None:
        return ["–", "–"]
    pair = paired_with_reference(data, condition, benchmark)
    if pair is None or condition == reference_of(data):
        return [percent(row.pass_at_1), "–"]
    return [percent(row.pass_at_1), f"{points(pair.diff)} {points_interval(pair.ci95)}"]
