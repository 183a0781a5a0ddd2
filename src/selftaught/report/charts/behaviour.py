"""Charts of what a condition does: its outcomes, its tokens, its use of the interpreter."""

from __future__ import annotations

from selftaught.evals.loop import LOOP
from selftaught.evals.records import ReportData, ToolRow
from selftaught.records import ExecStatus, Outcome
from selftaught.report.charts.accuracy import ROW_PX, WIDTH, label_width, legend, percent
from selftaught.report.charts.palette import OUTCOME_LABEL, Palette
from selftaught.report.charts.svg import Canvas, Figure, Scale, linear, short, ticks


def main_benchmark(data: ReportData) -> str:
    """The benchmark that one-benchmark charts show: ``all`` if there is one, else the first."""
    names = data.benchmarks()
    return names[0] if names else "all"


def _bar(
    canvas: Canvas,
    x: float,
    y: float,
    width: float,
    height: float,
    parts: list[tuple[str, float, str, str]],
    min_px: float = 26,
) -> None:
    """A 100 % bar of (label, share, css, tip); a share that has the room carries its number."""
    at = x
    for label, share, css, tip in parts:
        part = share * width
        canvas.rect(at, y, max(part - 1, 0.5 if share > 0 else 0), height, css=css, radius=1.5, tip=tip)
        if part >= min_px and label:
            canvas.text(at + part / 2 - 0.5, y + height / 2 + 4, label, css="f-paper", size=11, anchor="middle")
        at += part


def outcomes(data: ReportData, palette: Palette) -> Figure | None:
    """The six outcomes of each condition as 100 % bars."""
    benchmark, names = main_benchmark(data), data.condition_names()
    rows = [row for name in names if (row := data.condition(name, benchmark)) is not None]
    if not rows:
        return None
    left, top, right = label_width(names, 12.5), 34, 64
    canvas = Canvas(WIDTH, top + ROW_PX * len(rows) + 4)
    seen = [outcome for outcome in Outcome if any(row.outcomes.get(outcome, 0) for row in rows)]
    legend(canvas, left, 14, [(OUTCOME_LABEL[outcome], f"f-o-{outcome.value}") for outcome in seen])
    for index, row in enumerate(rows):
        y = top + ROW_PX * index
        total = sum(row.outcomes.values()) or 1
        canvas.text(left - 12, y + 17, row.name, css="f-ink", size=12.5, anchor="end", bold=row.name == LOOP.start)
        parts = [
            (percent(count / total, 0), count / total, f"f-o-{outcome.value}",
             f"{row.name}: {OUTCOME_LABEL[outcome]} {count} of {total} ({percent(count / total)} %)")
            for outcome in Outcome
            if (count := row.outcomes.get(outcome, 0))
        ]  # fmt: skip
        _bar(canvas, left, y + 4, WIDTH - left - right, ROW_PX - 8, parts)
        canvas.text(WIDTH, y + 17, f"{total:,}", css="f-muted", size=11.5, anchor="end")
    caption = f"Trajectories on {benchmark} by outcome, in per cent; the number at the right is how many there are."
    return Figure("outcomes", "How trajectories end", caption, canvas)


def tokens(data: ReportData, palette: Palette) -> Figure | None:
    """Tokens by verdict: for each condition the right ones above the line, all others below it."""
    benchmark = main_benchmark(data)
    by_name = {row.condition: row for row in data.histograms if row.benchmark == benchmark}
    rows = [by_name[name] for name in data.condition_names() if name in by_name]
    if not rows:
        return None
    left, top, row_px, bottom = label_width([row.condition for row in rows], 12.5) + 26, 40, 64, 36
    right = 128
    canvas = Canvas(WIDTH, top + row_px * len(rows) + bottom)
    legend(canvas, left, 14, [("correct, above the line", "f-o-correct"), ("not correct, below", "f-o-wrong")])
    last = max(
        (index for row in rows for index in range(len(row.correct)) if row.correct[index] or row.wrong[index]),
        default=0,
    )
    high = rows[0].edges[last + 1]
    scale = linear(0, high, left, WIDTH - right)
    end_y = top + row_px * len(rows)
    for tick in ticks(high, 6):
        if tick <= high * 1.001:
            canvas.line(scale(tick), top, scale(tick), end_y, css="s-grid")
            canvas.text(scale(tick), end_y + 16, short(tick), css="f-muted", size=11, anchor="middle")
    canvas.text(
        (left + WIDTH - right) / 2, end_y + 32, "tokens after the prompt", css="f-soft", size=12, anchor="middle"
    )
    canvas.text(WIDTH, top - 8, "median right · other", css="f-muted", size=11, anchor="end")
    for index, row in enumerate(rows):
        middle = top + row_px * (index + 0.5)
        half = row_px / 2 - 7
        peak = max(max(row.correct[: last + 1]), max(row.wrong[: last + 1])) or 1
        canvas.text(
            left - 38, middle + 4, row.condition, css="f-ink", size=12.5, anchor="end", bold=row.condition == LOOP.start
        )
        for y in (middle - half, middle + half):
            canvas.line(left, y, WIDTH - right, y, css="s-grid")
        canvas.text(left - 6, middle - half + 4, f"{peak:,}", css="f-muted", size=10, anchor="end")
        canvas.text(left - 6, middle + 4, "0", css="f-muted", size=10, anchor="end")
        for bin_index in range(last + 1):
            x0, x1 = scale(row.edges[bin_index]), scale(row.edges[bin_index + 1])
            span = f"{row.condition}, {row.edges[bin_index]:,.0f}–{row.edges[bin_index + 1]:,.0f} tokens"
            up, down = row.correct[bin_index] / peak * half, row.wrong[bin_index] / peak * half
            canvas.rect(
                x0 + 0.5,
                middle - up - 0.5,
                x1 - x0 - 1,
                up,
                css="f-o-correct",
                tip=f"{span}: {row.correct[bin_index]} correct",
            )
            canvas.rect(
                x0 + 0.5,
                middle + 0.5,
                x1 - x0 - 1,
                down,
                css="f-o-wrong",
                tip=f"{span}: {row.wrong[bin_index]} not correct",
            )
        canvas.line(left, middle, WIDTH - right, middle, css="s-axis")
        medians = " · ".join(_median(row.edges, counts) for counts in (row.correct, row.wrong))
        canvas.text(WIDTH, middle + 4, medians, css="f-soft", size=12, anchor="end")
    caption = (
        f"Number of trajectories on {benchmark} by their tokens after the prompt. Each row has a scale of its own, at its left. "
        "Medians are read off the bins."
    )
    return Figure("tokens", "Tokens by verdict", caption, canvas)


def _median(edges: list[float], counts: list[int]) -> str:
    """Median of a histogram, its bin's middle; a dash where it is empty."""
    half, seen = sum(counts) / 2, 0
    for index, count in enumerate(counts):
        seen += count
        if count and seen >= half:
            return f"{(edges[index] + edges[index + 1]) / 2:,.0f}"
    return "–"


def tool_use(data: ReportData, palette: Palette) -> Figure | None:
    """Calls a trajectory, how calls ended, and accuracy with and without a call, a row a condition."""
    benchmark = main_benchmark(data)
    by_name = {row.condition: row for row in data.tools if row.benchmark == benchmark}
    rows = [by_name[name] for name in data.condition_names() if name in by_name]
    if not rows:
        return None
    left, top, gap, edge = label_width([row.condition for row in rows], 12.5), 62, 40, 12
    width = (WIDTH - left - 2 * gap - edge) / 3
    height = top + ROW_PX * len(rows) + 40
    canvas = Canvas(WIDTH, height)
    starts = [left + index * (width + gap) for index in range(3)]
    for x, title in zip(
        starts, ("calls in a trajectory", "how the calls ended", "accuracy with and without a call"), strict=True
    ):
        canvas.text(x, 14, title, css="f-ink", size=13, bold=True)
    legend(canvas, starts[0], 40, [(name, f"f-n-{i}") for i, name in enumerate(("0", "1", "2", "3", "4+"))], 11.5)
    seen = [status for status in ExecStatus if any(row.statuses.get(status.value, 0) for row in rows)]
    legend(canvas, starts[1], 40, [(status.value, f"f-e-{status.value}") for status in seen[:5]], 11.5)
    canvas.dot(starts[2] + 5, 36, 4.5, css="f-ink")
    canvas.text(starts[2] + 15, 40, "with a call", css="f-soft", size=11.5)
    canvas.dot(starts[2] + 101, 36, 4, css="f-paper s-ink", stroke_width=1.6)
    canvas.text(starts[2] + 111, 40, "without", css="f-soft", size=11.5)
    scale = linear(0, 1, starts[2], starts[2] + width)
    end_y = top + ROW_PX * len(rows)
    for tick in (0, 0.25, 0.5, 0.75, 1):
        canvas.line(scale(tick), top, scale(tick), end_y, css="s-axis" if tick == 0 else "s-grid")
        canvas.text(scale(tick), end_y + 16, f"{tick * 100:.0f}", css="f-muted", size=11, anchor="middle")
    for x, words in zip(starts, ("trajectories, %", "calls, %", "pass@1, %"), strict=True):
        canvas.text(x + width / 2, end_y + 34, words, css="f-soft", size=11.5, anchor="middle")
    for index, row in enumerate(rows):
        y = top + ROW_PX * index
        canvas.text(
            left - 12, y + 17, row.condition, css="f-ink", size=12.5, anchor="end", bold=row.condition == LOOP.start
        )
        _tool_row(canvas, palette, row, (starts[0], starts[1]), y, width, scale)
    caption = (
        f"Use of the interpreter on {benchmark}: trajectories by number of calls (%), calls by status (%), pass@1 (%)."
    )
    return Figure("tools", "Use of the interpreter", caption, canvas)


def _tool_row(
    canvas: Canvas,
    palette: Palette,
    row: ToolRow,
    starts: tuple[float, float],
    y: float,
    width: float,
    scale: Scale,
) -> None:
    total = row.num_trajectories or 1
    counts = [row.calls_per_trajectory.get(number, 0) for number in range(4)]
    counts.append(sum(count for number, count in row.calls_per_trajectory.items() if number >= 4))
    at = starts[0]
    for index, count in enumerate(counts):
        part = count / total * width
        words = f"{row.condition}: {count} of {total} trajectories with {index if index < 4 else '4 or more'} calls"
        canvas.rect(at, y + 4, max(part - 1, 0), ROW_PX - 8, css=f"f-n-{index}", radius=1.5, tip=words)
        if part >= 26:
            css = "f-soft" if index < 2 else "f-paper"
            canvas.text(at + part / 2, y + 17, percent(count / total, 0), css=css, size=11, anchor="middle")
        at += part
    if row.num_calls:
        parts = [
            (percent(count / row.num_calls, 0), count / row.num_calls, f"f-e-{status.value}",
             f"{row.condition}: {count} of {row.num_calls} calls ended {status.value}")
            for status in ExecStatus
            if (count := row.statuses.get(status.value, 0))
        ]  # fmt: skip
        _bar(canvas, starts[1], y + 4, width, ROW_PX - 8, parts)
    else:
        canvas.text(starts[1], y + 17, "no calls", css="f-muted", size=11.5)
    colour, middle = palette.condition(row.condition), y + ROW_PX / 2
    both = [value for value in (row.accuracy_with_call, row.accuracy_without_call) if value is not None]
    if len(both) == 2:
        canvas.line(scale(both[0]), middle, scale(both[1]), middle, css=f"s-{colour}", width=1.5)
    if row.accuracy_without_call is not None:
        without = total - row.num_with_call
        words = f"{row.condition} without a call: {percent(row.accuracy_without_call)} % of {without}"
        canvas.dot(
            scale(row.accuracy_without_call), middle, 4.2, css=f"f-paper s-{colour}", stroke_width=1.8, tip=words
        )
    if row.accuracy_with_call is not None:
        words = f"{row.condition} with a call: {percent(row.accuracy_with_call)} % of {row.num_with_call}"
        canvas.dot(scale(row.accuracy_with_call), middle, 5, css=f"f-{colour} s-paper", stroke_width=1, tip=words)
