"""What each hint gains and loses, from forks of one prefix: a forest plot, wide and narrow."""

from __future__ import annotations

import math
from itertools import groupby

from selftaught.evals.forked import UpliftRow, Verdict
from selftaught.evals.records import ReportData
from selftaught.report.charts.accuracy import WIDTH, label_width
from selftaught.report.charts.palette import Palette
from selftaught.report.charts.svg import Canvas, Figure, Scale, linear, ticks
from selftaught.report.text import one_line, points, points_interval, whole

NARROW = 350
"""Width in px of the drawing for a telephone; a row has two lines there."""
MAX_ROWS = 36
"""With more rows, kinds of problems are drawn together."""
FEW_REACH = 40.0
"""Points that the axis shows at least of rows with too few pairs. What goes further is cut with an arrow: it would press all
others together."""
Span = tuple[float, float]
"""Ends of the axis in points: at most 0, at least 0."""
_ROW, _LOW_ROW, _HEAD = 26, 40, 30

COLOUR = {
    Verdict.HELPS: "o-correct",
    Verdict.HARMS: "o-wrong",
    Verdict.NO_CHANGE: "ink",
    Verdict.TOO_FEW: "muted",
}
SIGN = {Verdict.HELPS: "▲", Verdict.HARMS: "▼", Verdict.NO_CHANGE: "=", Verdict.TOO_FEW: "?"}
"""Said beside the colour, so that nothing rests on colour alone."""


def uplift(data: ReportData, palette: Palette) -> Figure | None:
    """Of the first probe: a row a hint, under a heading for each place and kind."""
    table = next((one for one in data.uplift if one.rows), None)
    if table is None:
        return None
    rows = table.rows if len(table.rows) <= MAX_ROWS else table.by_place or table.by_hint
    groups = [(heading, list(found)) for heading, found in groupby(rows, key=_heading)]
    caption = (
        "Bars: share of pairs in which only the hinted branch is right (to the right) and only the plain one (to the left). "
        "Point and line: their difference with its 95 % interval. ▲ helps, ▼ harms, = no change beyond 5 points, "
        "? too few pairs to say; corrected for the number of rows."
    )
    title = (
        f"What a hint does to the same prefix ({whole(table.num_forks)} forks of {whole(table.num_problems)} problems)"
    )
    span, step = _span(rows)
    return Figure("uplift", title, caption, _wide(groups, span, step), _narrow(groups, span, step))


PLACE = {
    "start": "at the start",
    "paragraph": "after a paragraph",
    "word": "after a word of doubt",
    "conclusion": "before the conclusion",
    "end": "at the end of thinking",
    "repetition": "in a repetition",
}
"""Place → in words."""


def _heading(row: UpliftRow) -> str:
    parts = [part for part in (row.kind, PLACE.get(row.place, row.place), row.difficulty) if part]
    return " · ".join(parts) or "all places"


def _span(rows: list[UpliftRow]) -> tuple[Span, float]:
    """The ends of the axis, and its step. All of what is known fits in; what is not known yet may be cut."""
    low = high = 0.0
    for row in rows:
        ends = 100 * min(row.ci95[0], -row.loss_rate), 100 * max(row.ci95[1], row.gain_rate)
        if row.verdict is Verdict.TOO_FEW:
            ends = max(ends[0], -FEW_REACH), min(ends[1], FEW_REACH)
        low, high = min(low, ends[0]), max(high, ends[1])
    step = ticks(max(high - low, 1.0), 6)[1]
    return (-step * max(1, math.ceil(-low / step - 1e-9)), step * max(1, math.ceil(high / step - 1e-9))), step


def _wide(groups: list[tuple[str, list[UpliftRow]]], span: Span, step: float) -> Canvas:
    """Label left, drawing in the middle, numbers right."""
    rows = [row for _, found in groups for row in found]
    left, right, top = label_width([f"{row.hint}    n = {whole(row.n)}" for row in rows], 12.5) + 8, 264, 26
    height = top + _HEAD * len(groups) + _ROW * len(rows) + 44
    canvas = Canvas(WIDTH, height)
    scale = linear(*span, left, WIDTH - right)
    _axis(canvas, scale, span, step, top, height - 38, size=11)
    y = float(top)
    for heading, found in groups:
        canvas.text(0, y + 20, heading, css="f-ink", size=13, bold=True)
        y += _HEAD
        for row in found:
            middle = y + _ROW / 2
            canvas.text(
                left - 12, middle + 4, row.hint, css="f-ink", size=12.5, anchor="end", aside=f"n = {whole(row.n)}"
            )
            _marks(canvas, scale, span, row, middle, 12)
            css = f"f-{COLOUR[row.verdict]}" if row.verdict is not Verdict.TOO_FEW else "f-muted"
            canvas.text(WIDTH - right + 18, middle + 4, f"{SIGN[row.verdict]} {_numbers(row)}", css=css, size=12)
            words = "too few pairs" if row.verdict is Verdict.TOO_FEW else row.verdict.value
            canvas.text(WIDTH, middle + 4, words, css="f-muted", size=11.5, anchor="end")
            y += _ROW
    return canvas


def _narrow(groups: list[tuple[str, list[UpliftRow]]], span: Span, step: float) -> Canvas:
    """Label and numbers in one line, the drawing under them."""
    rows = [row for _, found in groups for row in found]
    top = 26
    height = top + _HEAD * len(groups) + _LOW_ROW * len(rows) + 44
    canvas = Canvas(NARROW, height)
    scale = linear(*span, 10, NARROW - 10)
    _axis(canvas, scale, span, step, top, height - 38, size=12)
    y = float(top)
    for heading, found in groups:
        canvas.text(0, y + 20, heading, css="f-ink", size=13.5, bold=True, halo=True)
        y += _HEAD
        for row in found:
            numbers = f"{SIGN[row.verdict]} {_numbers(row)}"
            canvas.text(
                0, y + 13, one_line(row.hint, 21), css="f-ink", size=12.5, halo=True, aside=f"n = {whole(row.n)}"
            )
            css = f"f-{COLOUR[row.verdict]}" if row.verdict is not Verdict.TOO_FEW else "f-muted"
            canvas.text(NARROW, y + 13, numbers, css=css, size=12, anchor="end", halo=True)
            _marks(canvas, scale, span, row, y + 26, 10)
            y += _LOW_ROW
    return canvas


def _axis(canvas: Canvas, scale: Scale, span: Span, step: float, top: float, end: float, size: float) -> None:
    num_low, num_high = round(-span[0] / step), round(span[1] / step)
    every = max(1, math.ceil((num_low + num_high) / 7)) if canvas.width < WIDTH else 1
    for number in range(-num_low, num_high + 1):
        value = number * step
        canvas.line(scale(value), top, scale(value), end, css="s-axis" if number == 0 else "s-grid")
        if number % every == 0:
            label = points(value / 100).removesuffix(".0") if number else "0"
            anchor = "start" if number == -num_low else "end" if number == num_high else "middle"
            canvas.text(scale(value), end + 16, label, css="f-muted", size=size, anchor=anchor)
    canvas.text(scale(0), end + 34, "points", css="f-soft", size=size + 1, anchor="middle")
    end_of_word = max(scale(0) - 8, scale(span[0]) + 52)  # room for the word where hardly anything is lost
    canvas.text(end_of_word, top - 10, "◂ loses", css="f-o-wrong", size=size + 0.5, anchor="end")
    canvas.text(end_of_word + 16, top - 10, "gains ▸", css="f-o-correct", size=size + 0.5)


def _marks(canvas: Canvas, scale: Scale, span: Span, row: UpliftRow, y: float, height: float) -> None:
    """Bars of gain and loss, the interval, the point."""
    tip = (
        f"{row.hint}, {_heading(row)}: {row.gain} gains, {row.loss} losses, {row.tie} ties of {row.n} pairs; "
        f"difference {_numbers(row)}, {row.verdict.value}"
    )
    zero = scale(0)
    gain, loss = scale(min(100 * row.gain_rate, span[1])), scale(max(-100 * row.loss_rate, span[0]))
    canvas.rect(zero, y - height / 2, gain - zero, height, css="f-o-correct", opacity=0.32, tip=tip)
    canvas.rect(loss, y - height / 2, zero - loss, height, css="f-o-wrong", opacity=0.32, tip=tip)
    low, high = (100 * bound for bound in row.ci95)
    css = f"s-{COLOUR[row.verdict]}"
    ends = scale(min(max(low, span[0]), span[1])), scale(max(min(high, span[1]), span[0]))
    canvas.line(ends[0], y, ends[1], y, css=css, width=1.6)
    for is_cut, x, way in ((low < span[0], ends[0], 1), (high > span[1], ends[1], -1)):
        if is_cut:  # goes on: an arrow
            canvas.path([(x + 5 * way, y - 4), (x, y), (x + 5 * way, y + 4)], css=css, width=1.6)
        else:
            canvas.line(x, y - 3.5, x, y + 3.5, css=css, width=1.6)
    if span[0] <= 100 * row.diff <= span[1]:
        canvas.dot(scale(100 * row.diff), y, 4.5, css=f"f-{COLOUR[row.verdict]} s-paper", stroke_width=1.2, tip=tip)


def _numbers(row: UpliftRow) -> str:
    return f"{points(row.diff)} {points_interval(row.ci95)}"
