"""Each ablation as a paired difference with its interval: what a change of the recipe costs or brings."""

from __future__ import annotations

from selftaught.evals.records import ReportData
from selftaught.report.charts.accuracy import ROW_PX, WIDTH, label_width
from selftaught.report.charts.behaviour import main_benchmark
from selftaught.report.charts.palette import Palette
from selftaught.report.charts.svg import Canvas, Figure, linear, ticks
from selftaught.report.text import points, points_interval


def ablations(data: ReportData, palette: Palette) -> Figure | None:
    """A row an ablation; left of the line it is worse than its reference, right of it better."""
    benchmark = main_benchmark(data)
    rows = [row for row in data.ablations if row.benchmark == benchmark]
    if not rows:
        return None
    left, top, right = label_width([row.a for row in rows], 12.5), 30, 190
    canvas = Canvas(WIDTH, top + ROW_PX * len(rows) + 42)
    reach = ticks(max(max(abs(bound) for bound in row.ci95) for row in rows) * 100, 3)
    scale = linear(-reach[-1], reach[-1], left, WIDTH - right)
    end = top + ROW_PX * len(rows)
    for value in sorted({sign * tick for tick in reach for sign in (-1, 1)}):
        canvas.line(scale(value), top, scale(value), end, css="s-axis" if value == 0 else "s-grid")
        label = points(value / 100).removesuffix(".0") if value else "0"
        canvas.text(scale(value), end + 16, label, css="f-muted", size=11, anchor="middle")
    canvas.text(scale(0), end + 34, "difference in points", css="f-soft", size=12, anchor="middle")
    canvas.text(scale(0) - 8, 16, "worse", css="f-muted", size=11.5, anchor="end")
    canvas.text(scale(0) + 8, 16, "better", css="f-muted", size=11.5)
    for index, row in enumerate(rows):
        y = top + ROW_PX * (index + 0.5)
        low, high = row.ci95
        colour = "o-wrong" if high < 0 else "o-correct" if low > 0 else "muted"
        words = f"{points(row.diff)} {points_interval(row.ci95)}"
        canvas.text(left - 12, y + 4, row.a, css="f-ink", size=12.5, anchor="end")
        canvas.whisker(scale(low * 100), scale(high * 100), y, css=f"s-{colour}")
        tip = f"{row.a} against {row.b}: {words}, n = {row.n}"
        canvas.dot(scale(row.diff * 100), y, 4.5, css=f"f-{colour} s-paper", stroke_width=1.2, tip=tip)
        canvas.text(WIDTH, y + 4, words, css="f-soft", size=12, anchor="end")
    references = " and ".join(sorted({row.b for row in rows}))
    caption = f"Paired difference from {references} on {benchmark} in points, with 95 % intervals; grey ones hold 0."
    return Figure("ablations", "Ablations", caption, canvas)
