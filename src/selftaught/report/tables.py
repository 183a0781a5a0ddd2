"""The tables of a report as rows of finished words, one shape for terminal, Markdown and page."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from selftaught.evals.forked import UpliftRow, UpliftTable
from selftaught.evals.loop import LOOP
from selftaught.evals.paper import RIGHT_TO_WRONG, WRONG_TO_RIGHT
from selftaught.evals.records import ConditionRow, ReportData
from selftaught.records import Outcome
from selftaught.report.charts.flow import STAGE_TITLE
from selftaught.report.charts.palette import OUTCOME_LABEL
from selftaught.report.text import MINUS, duration, interval, p_value, percent, points, points_interval, whole


@dataclass(frozen=True)
class Table:
    """Headings and rows of finished words.

    The first ``num_labels`` columns are words (left), the others numbers (right).
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    num_labels: int = 1
    note: str = ""
    strong: list[int] = field(default_factory=list)
    """Rows to stand out."""

    def without_empty(self) -> Table:
        """The same without columns in which no row says anything; the first column stays."""
        kept = [i for i in range(len(self.columns)) if i == 0 or any(row[i] not in ("", "–") for row in self.rows)]
        labels = sum(i < self.num_labels for i in kept)
        rows = [[row[i] for i in kept] for row in self.rows]
        return replace(self, columns=[self.columns[i] for i in kept], rows=rows, num_labels=labels)


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
    strong = [index for index, name in enumerate(names) if name == LOOP.start]
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
    """One benchmark in full: accuracy, paired difference from the reference, calls, tokens, outcomes."""
    rows_of = [row for name in data.condition_names() if (row := data.condition(name, benchmark)) is not None]
    seen = [outcome for outcome in Outcome if any(row.outcomes.get(outcome, 0) for row in rows_of)]
    columns = ["condition", "n", "k", "pass@1 [95 %]", "pass@k", "maj@k", f"Δ {data.compared_with()} [95 %]", "p"]
    columns += ["calls %", "tokens", *(OUTCOME_LABEL[outcome] for outcome in seen), "not graded"]
    rows = [_detail_row(data, row, seen) for row in rows_of]
    strong = [index for index, row in enumerate(rows_of) if row.name == LOOP.start]
    notes = ["calls: trajectories with a call; tokens: mean after the prompt"]
    if any(data.against_reference(row.name, benchmark) for row in rows_of):
        notes.insert(0, f"Δ: paired difference from {data.compared_with()} in points")
    absent = [OUTCOME_LABEL[outcome] for outcome in Outcome if outcome not in seen]
    notes += [f"outcomes that did not occur: {', '.join(absent)}"] if absent else []
    return Table(benchmark, columns, rows, note="; ".join(notes) + ".", strong=strong).without_empty()


def _detail_row(data: ReportData, row: ConditionRow, seen: list[Outcome]) -> list[str]:
    pair = data.against_reference(row.name, row.benchmark)
    cells = [row.name, str(row.n), str(row.k), f"{percent(row.pass_at_1)} {interval(row.ci95)}"]
    cells += [percent(row.pass_at_k.get(row.k)) if row.k > 1 else "", percent(row.maj_at_k)]
    if pair is None:
        cells += ["–", "–"]
    else:
        cells += [f"{points(pair.diff)} {points_interval(pair.ci95)}", p_value(pair.p_value)]
    cells += [percent(row.tool_call_rate), whole(row.tokens_mean), *(str(row.outcomes.get(o, 0)) for o in seen)]
    return [*cells, str(row.num_ungraded) if row.num_ungraded else ""]


def pairs_table(data: ReportData) -> Table:
    """Paired differences between conditions other than the reference, on the main benchmark."""
    benchmarks, reference = data.benchmarks(), data.compared_with()
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
    rows = [[check.word, check.name, check.bar, check.measured, check.note] for check in data.checks]
    note = (
        "met: the value reaches the bar, and the 95 % interval excludes the opposite. "
        "too few: the interval holds the bar and its opposite, so more problems are needed."
    )
    columns = ["verdict", "claim", "bar", "measured", "note"]
    return Table("What was claimed, what was measured", columns, rows, num_labels=5, note=note).without_empty()


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
    return Table("Over rounds", columns, rows, num_labels=2).without_empty()


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
    return Table("Interpreter", columns, rows, num_labels=2).without_empty()


def ablations_table(data: ReportData) -> Table:
    """Each ablation against its reference."""
    rows = [
        [row.a, row.b, row.benchmark, str(row.n), points(row.diff), points_interval(row.ci95), p_value(row.p_value)]
        for row in data.ablations
    ]
    return Table("Ablations", ["ablation", "against", "benchmark", "n", "Δ", "95 %", "p"], rows, num_labels=3)


def stages_table(data: ReportData) -> Table:
    """Time and tokens of each stage; under them the sum, and the wall time where it is known."""
    rows = [[r.name, r.detail, duration(r.seconds), whole(r.tokens) if r.tokens else "–"] for r in data.stages]
    strong = []
    if len(rows) > 1:
        strong = [len(rows)]
        seconds, tokens = sum(r.seconds for r in data.stages), sum(r.tokens for r in data.stages)
        rows.append(["all stages, summed", "", duration(seconds), whole(tokens) if tokens else "–"])
    if data.wall_s is not None:
        strong.append(len(rows))
        rows.append(["wall time", "", duration(data.wall_s), "–"])
    note = "Stages may run side by side: then the wall time is shorter than the sum." if len(data.stages) > 1 else ""
    columns = ["stage", "result", "time", "tokens"]
    return Table("Stages", columns, rows, num_labels=2, note=note, strong=strong).without_empty()


def uplift_tables(data: ReportData) -> list[Table]:
    """What each hint gains, loses and costs, by hint, place and kind of problem; one table a probe."""
    return [uplift_table(one) for one in data.uplift if one.rows]


def uplift_table(data: UpliftTable, rows: list[UpliftRow] | None = None) -> Table:
    """The table of one probe; ``rows`` in place of its own, and under them a row of all pairs."""
    shown = [*(data.rows if rows is None else rows), *data.total]
    cells = [
        [row.hint or "all hints", row.place.replace("_", " "), row.kind, row.difficulty, row.verdict.value, whole(row.n),
         str(row.gain), str(row.loss), str(row.tie), f"{row.plain_truncated} / {row.hint_truncated}",
         f"{points(row.diff)} {points_interval(row.ci95)}", p_value(row.p_value), p_value(row.p_adjusted),
         percent(row.loss_at_most), f"{row.extra_tokens:+,.0f}".replace("-", MINUS), str(row.accepted),
         whole(row.tokens_per_accepted), whole(row.needed)]
        for row in shown
    ]  # fmt: skip
    columns = [
        "hint",
        "place",
        "kind",
        "difficulty",
        "verdict",
        "pairs",
        "gain",
        "loss",
        "tie",
        "cut off, plain / hinted",
    ]
    columns += ["gain − loss [95 %]", "p", "p, corrected", "loss at most %", "extra tokens", "accepted"]
    columns += ["tokens an accepted", "pairs needed"]
    title = f"Uplift of hints{': ' + data.name if data.name else ''}"
    return Table(title, columns, cells, num_labels=5, note=_UPLIFT_NOTE, strong=[len(cells) - 1]).without_empty()


_UPLIFT_NOTE = (
    "A pair is a hinted and a plain branch of one prefix, with the same random numbers. gain: only the hinted branch is "
    "right; loss: only the plain one; tie: both or neither. A branch that was cut off counts as wrong. Points, weighted by "
    "the inverse probability of the place; Tango's interval, clustered by problem; p: exact McNemar test, or sign flips of "
    "problems with several pairs; corrected by Holm for the rows of the table. too few pairs to say: neither is corrected p "
    "below 0.05, nor lies the interval within 5 points of 0. loss at most: one-sided 95 %. tokens an accepted: sampled for "
    "one sample that enters D_seed, shared prefixes and plain branches once. pairs needed: to find a difference as large as "
    "this four times in five."
)


def training_table(data: ReportData) -> Table:
    """Where each training began and ended."""
    rows = []
    for curve in data.training:
        first, last = curve.points[0], curve.points[-1]
        state = "finished" if curve.finished else "not finished"
        rows.append([curve.name, state, whole(curve.num_steps), f"{first.loss:.3f}", f"{last.loss:.3f}"])
    return Table("Training", ["model", "state", "steps", "first loss", "last loss"], rows, num_labels=2)
