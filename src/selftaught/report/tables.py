"""The tables of a report as rows of finished words, one shape for terminal, Markdown and page."""

from __future__ import annotations

from selftaught.evals.records import ConditionRow, ReportData
from selftaught.records import Outcome
from selftaught.report.charts.flow import STAGE_TITLE
from selftaught.report.charts.palette import OUTCOME_LABEL
from selftaught.report.numbers import duration, interval, p_value, percent, points, points_interval, whole
from selftaught.report.paper import RIGHT_TO_WRONG, WRONG_TO_RIGHT
from selftaught.report.table import Table, paired_with_reference, reference_of


def accuracy_table(data: ReportData) -> Table:
    """Pass@1 with its interval: conditions down, benchmarks across."""
    benchmarks, names = data.benchmarks(), data.condition_names()
    rows = []
    for name in names:
        cells = [name]
        for benchmark in benchmarks:
            row = data.condition(name, benchmark)
            cells.append("–" if row is None else f"{percent(row.pass_at_1)} {interval(row.ci95)}")
        rows.append(cells)
    sizes = [
        max((row.n for row in data.conditions if row.benchmark == benchmark), default=0) for benchmark in benchmarks
    ]
    columns = ["condition", *(f"{benchmark} (n = {size})" for benchmark, size in zip(benchmarks, sizes, strict=True))]
    strong = [index for index, name in enumerate(names) if name == "start"]
    return Table("Accuracy", columns, rows, note=accuracy_note(data), strong=strong)


def accuracy_note(data: ReportData) -> str:
    """What a reader must know of the accuracy table: metric, samples, decoding, what the sizes can show."""
    ks = sorted({row.k for row in data.conditions})
    decoding = sorted({row.decoding for row in data.conditions if row.decoding})
    parts = ["pass@1 in per cent, 95 % intervals clustered by problem", "k = " + ", ".join(str(k) for k in ks)]
    parts += [" and ".join(decoding)] if decoding else []
    smallest = []
    for benchmark in data.benchmarks():
        found = [
            row.min_detectable_difference
            for row in data.conditions
            if row.benchmark == benchmark and row.min_detectable_difference
        ]
        if found:
            smallest.append(f"{benchmark} {percent(max(found))}")
    if smallest:
        parts.append(
            "smallest difference that a paired test here finds four times in five, in points: " + ", ".join(smallest)
        )
    return "; ".join(parts) + "."


def detail_table(data: ReportData, benchmark: str) -> Table:
    """All about one benchmark: accuracy, paired difference from the base, calls, tokens, the six outcomes."""
    rows_of = [row for name in data.condition_names() if (row := data.condition(name, benchmark)) is not None]
    repeated = any(row.k > 1 for row in rows_of)
    columns = ["condition", "n", "k", "pass@1 [95 %]"]
    columns += ["pass@k", "maj@k"] if repeated else []
    columns += [f"Δ {reference_of(data)} [95 %]", "p", "calls %", "tokens", *OUTCOME_LABEL.values()]
    rows = [_detail_row(data, row, repeated) for row in rows_of]
    strong = [index for index, row in enumerate(rows_of) if row.name == "start"]
    note = (
        "Δ: paired difference from the base in points; calls: trajectories with a call; tokens: mean after the prompt."
    )
    return Table(benchmark, columns, rows, note=note, strong=strong)


def _detail_row(data: ReportData, row: ConditionRow, repeated: bool) -> list[str]:
    pair = paired_with_reference(data, row.name, row.benchmark)
    cells = [row.name, str(row.n), str(row.k), f"{percent(row.pass_at_1)} {interval(row.ci95)}"]
    if repeated:
        cells += [percent(row.pass_at_k.get(row.k)), percent(row.maj_at_k)]
    if pair is None:
        cells += ["–", "–"]
    else:
        cells += [f"{points(pair.diff)} {points_interval(pair.ci95)}", p_value(pair.p_value)]
    return [
        *cells,
        percent(row.tool_call_rate),
        whole(row.tokens_mean),
        *(str(row.outcomes.get(o, 0)) for o in Outcome),
    ]


def pairs_table(data: ReportData) -> Table:
    """Paired differences between conditions other than the reference, on the main benchmark."""
    benchmarks, reference = data.benchmarks(), reference_of(data)
    main = benchmarks[0] if benchmarks else ""
    rows = [
        [f"{row.a} − {row.b}", str(row.n), points(row.diff), points_interval(row.ci95), p_value(row.p_value)]
        for row in data.paired
        if row.benchmark == main and row.b != reference
    ]
    note = f"On {main}, the same problems under both; in points."
    return Table("Between conditions", ["difference", "n", "points", "95 %", "p"], rows, note=note)


def checks_table(data: ReportData) -> Table:
    """Claims held against this run."""
    rows = [
        ["met" if check.passed else "not met", check.name, check.bar, check.measured, check.note]
        for check in data.checks
    ]
    return Table("What was claimed, what was measured", ["", "claim", "bar", "measured", "note"], rows, num_labels=5)


def scaling_table(data: ReportData) -> Table:
    """The points of the curves over rounds."""
    rows = []
    for row in data.scaling:
        change = (
            "–" if row.diff_from_first is None else f"{points(row.diff_from_first)} {points_interval(row.diff_ci95)}"
        )
        rate = percent(row.tool_call_rate)
        score = f"{percent(row.pass_at_1)} {interval(row.ci95)}".strip()
        rows.append(
            [row.model, row.method.replace("_", " "), str(row.round), score, change, whole(row.tokens_mean), rate]
        )
    columns = ["condition", "method", "round", "pass@1", "Δ from first", "thinking tokens", "calls %"]
    return Table("Over rounds", columns, rows, num_labels=2)


def transitions_table(data: ReportData) -> Table:
    """Right and wrong before and after, for each pair of conditions."""
    rows = [
        [f"{row.a} → {row.b}", row.benchmark, str(row.n), str(row.wrong_to_right), percent(row.rate_wrong_to_right),
         str(row.right_to_wrong), percent(row.rate_right_to_wrong), str(row.right_to_right), str(row.wrong_to_wrong)]
        for row in data.transitions
    ]  # fmt: skip
    columns = [
        "from → to",
        "benchmark",
        "n",
        "wrong → right",
        "% of wrong",
        "right → wrong",
        "% of right",
        "stay right",
        "stay wrong",
    ]
    note = f"The paper's hints: {percent(WRONG_TO_RIGHT)} % of the wrong, {percent(RIGHT_TO_WRONG)} % of the right."
    return Table("Transitions", columns, rows, num_labels=2, note=note)


def funnel_table(data: ReportData) -> Table:
    """Curation, a row a reason."""
    rows = []
    for row in data.funnel:
        stage = STAGE_TITLE.get(row.stage, row.stage)
        rows.append([stage, "in", whole(row.num_in), "100.0"])
        for reason, count in sorted(row.dropped.items(), key=lambda item: (-item[1], item[0])):
            if count:
                rows.append(
                    [
                        stage,
                        f"dropped: {reason.replace('_', ' ')}",
                        whole(count),
                        percent(count / row.num_in if row.num_in else None),
                    ]
                )
        rows.append([stage, "kept", whole(row.num_kept), percent(row.num_kept / row.num_in if row.num_in else None)])
        for rule, count in sorted(row.modified.items()):
            rows.append(
                [
                    stage,
                    f"kept, edited: {rule.replace('_', ' ')}",
                    whole(count),
                    percent(count / row.num_in if row.num_in else None),
                ]
            )
    return Table("Curation", ["stage", "step", "trajectories", "%"], rows, num_labels=2)


def tools_table(data: ReportData) -> Table:
    """Interpreter use, a row a condition."""
    rows = []
    for row in data.tools:
        ok = row.statuses.get("ok", 0)
        errors = ", ".join(f"{name} {count}" for name, count in list(row.error_types.items())[:3]) or "–"
        modules = ", ".join(f"{name} {count}" for name, count in list(row.modules.items())[:4]) or "–"
        share = row.num_with_call / row.num_trajectories if row.num_trajectories else None
        ok_share = ok / row.num_calls if row.num_calls else None
        cells = [row.condition, row.benchmark, whole(row.num_calls), percent(share), percent(ok_share)]
        cells += [percent(row.accuracy_with_call), percent(row.accuracy_without_call), f"{row.seconds_total:.1f}"]
        rows.append([*cells, errors, modules])
    columns = [
        "condition",
        "benchmark",
        "calls",
        "with a call %",
        "ok %",
        "right with %",
        "right without %",
        "seconds",
        "errors",
        "modules",
    ]
    return Table("Interpreter", columns, rows, num_labels=2)


def ablations_table(data: ReportData) -> Table:
    """Each ablation against its reference."""
    rows = [
        [row.a, row.b, row.benchmark, str(row.n), points(row.diff), points_interval(row.ci95), p_value(row.p_value)]
        for row in data.ablations
    ]
    return Table("Ablations", ["ablation", "against", "benchmark", "n", "Δ", "95 %", "p"], rows, num_labels=3)


def stages_table(data: ReportData) -> Table:
    """Time and tokens of each stage."""
    detailed = any(row.detail for row in data.stages)

    def cells(name: str, seconds: float, tokens: int, detail: str) -> list[str]:
        return [name, *([detail] if detailed else []), duration(seconds), whole(tokens) if tokens else "–"]

    rows = [cells(row.name, row.seconds, row.tokens, row.detail) for row in data.stages]
    strong = []
    if len(rows) > 1:
        strong = [len(rows)]
        rows.append(cells("all stages", sum(r.seconds for r in data.stages), sum(r.tokens for r in data.stages), ""))
    columns = ["stage", *(["result"] if detailed else []), "time", "tokens"]
    return Table("Stages", columns, rows, num_labels=2 if detailed else 1, strong=strong)
