"""Charts of what became of things: problems from one condition to another, samples on their way through curation."""

from __future__ import annotations

from selftaught.evals.loop import LOOP
from selftaught.evals.records import FunnelRow, ReportData
from selftaught.report.charts.accuracy import WIDTH, label_width, percent
from selftaught.report.charts.behaviour import main_benchmark
from selftaught.report.charts.palette import Palette
from selftaught.report.charts.svg import Canvas, Figure, linear

STAGE_TITLE = {"d_seed": "D_seed", "d_start": "D_START", "d_rft": "D_RFT (no tools)"}


def transitions(data: ReportData, palette: Palette) -> Figure | None:
    """Problems that became right (to the right) or wrong (to the left), a row for each pair of conditions."""
    benchmark = main_benchmark(data)
    rows = [row for row in data.transitions if row.benchmark == benchmark]
    if not rows:
        return None
    names = [f"{row.a} → {row.b}" for row in rows]
    left, top, row_px = label_width(names, 12.5), 34, 30
    canvas = Canvas(WIDTH, top + row_px * len(rows) + 4)
    most_lost = max((row.right_to_wrong / (row.n or 1) for row in rows), default=0)
    most_won = max((row.wrong_to_right / (row.n or 1) for row in rows), default=0)
    room = 168
    unit = (WIDTH - left - 2 * room) / ((most_lost + most_won) or 1)
    zero = left + room + most_lost * unit
    canvas.text(zero - 10, 14, "right → wrong", css="f-o-wrong", size=12.5, anchor="end", bold=True)
    canvas.text(zero + 10, 14, "wrong → right", css="f-o-correct", size=12.5, bold=True)
    canvas.line(zero, top - 6, zero, top + row_px * len(rows), css="s-axis")
    for index, (row, name) in enumerate(zip(rows, names, strict=True)):
        y = top + row_px * index
        n = row.n or 1
        lost, won = row.right_to_wrong / n * unit, row.wrong_to_right / n * unit
        canvas.text(
            left - 12,
            y + 19,
            name,
            css="f-ink",
            size=12.5,
            anchor="end",
            bold=(row.a, row.b) == (LOOP.base, LOOP.start),
        )
        canvas.rect(
            zero - lost - 1,
            y + 6,
            lost,
            row_px - 12,
            css="f-o-wrong",
            radius=2,
            tip=f"{name}: {row.right_to_wrong} of {n} became wrong",
        )
        canvas.rect(
            zero + 1,
            y + 6,
            won,
            row_px - 12,
            css="f-o-correct",
            radius=2,
            tip=f"{name}: {row.wrong_to_right} of {n} became right",
        )
        canvas.text(
            zero - lost - 9,
            y + 19,
            _share(row.right_to_wrong, row.rate_right_to_wrong, "right"),
            css="f-soft",
            size=12,
            anchor="end",
        )
        canvas.text(
            zero + won + 9, y + 19, _share(row.wrong_to_right, row.rate_wrong_to_right, "wrong"), css="f-soft", size=12
        )
    caption = (
        f"Number of problems of {benchmark} whose verdict changed. In brackets: the share of those that were right, or wrong, "
        "before. The paper's hints turned 33.0 % of the wrong right and 10.4 % of the right wrong."
    )
    return Figure("transitions", "What changed, problem by problem", caption, canvas)


def _share(count: int, rate: float | None, of: str) -> str:
    return f"{count:,}" if rate is None else f"{count:,}  ({percent(rate)} % of {of})"


def funnel(data: ReportData, palette: Palette) -> Figure | None:
    """From trajectories in to trajectories kept, each reason taking its piece off: one block a curation stage."""
    if not data.funnel:
        return None
    reasons = [reason for row in data.funnel for reason, count in row.dropped.items() if count]
    labels = [reason.replace("_", " ") for reason in reasons]
    left = label_width([*labels, "trajectories in"], 12.5)
    line_px, head_px, gap = 22, 30, 16
    heights = [head_px + line_px * (2 + sum(1 for count in row.dropped.values() if count)) for row in data.funnel]
    canvas = Canvas(WIDTH, sum(heights) + gap * (len(heights) - 1))
    y = 0.0
    for row, height in zip(data.funnel, heights, strict=True):
        _funnel_block(canvas, row, y, left, line_px, head_px)
        y += height + gap
    caption = (
        "Trajectories dropped at each step of curation by the first reason that applied, and those kept for training."
    )
    return Figure("funnel", "From rollouts to training data", caption, canvas)


def _funnel_block(canvas: Canvas, row: FunnelRow, top: float, left: float, line_px: float, head_px: float) -> None:
    scale = linear(0, row.num_in or 1, left, WIDTH - 130)
    canvas.text(0, top + 16, STAGE_TITLE.get(row.stage, row.stage), css="f-ink", size=13.5, bold=True)
    y = top + head_px

    def line(label: str, start: float, end: float, css: str, count: int, opacity: float | None = None) -> None:
        nonlocal y
        canvas.text(left - 12, y + 14.5, label, css="f-soft", size=12.5, anchor="end")
        words = f"{row.stage}: {label} {count:,} of {row.num_in:,}"
        canvas.rect(
            scale(start),
            y + 3,
            max(scale(end) - scale(start), 1.0 if count else 0),
            line_px - 6,
            css=css,
            radius=2,
            opacity=opacity,
            tip=words,
        )
        share = percent(count / row.num_in) if row.num_in else "–"
        canvas.text(max(scale(end), scale(start) + 1) + 8, y + 14.5, f"{count:,}  ({share} %)", css="f-soft", size=12)
        y += line_px

    line("trajectories in", 0, row.num_in, "f-axis", row.num_in)
    left_over = row.num_in
    for reason, count in sorted(row.dropped.items(), key=lambda item: (-item[1], item[0])):
        if count:
            line(reason.replace("_", " "), left_over - count, left_over, "f-o-wrong", count, 0.75)
            left_over -= count
    line("kept", 0, row.num_kept, "f-o-correct", row.num_kept)
