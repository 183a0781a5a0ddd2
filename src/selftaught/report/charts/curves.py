"""Accuracy against what it costs: over rounds of end-of-thinking hints (left) and over thinking tokens (right)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from selftaught.evals.records import ReportData, ScalingRow
from selftaught.report.charts.accuracy import WIDTH, percent
from selftaught.report.charts.palette import Palette
from selftaught.report.charts.svg import Canvas, Figure, Scale, linear, short, spread, text_width, ticks

HEIGHT, TOP, BOTTOM, LEFT, GAP = 330, 24, 46, 40, 60
DASHES = {"hints": None, "budget_forcing": "6 4", "majority": "2 4"}
MAX_CURVES = 8
"""More than this many lines cannot be told apart; the table has them all."""


@dataclass(frozen=True)
class _Curve:
    """One line: a condition under one way of spending more."""

    name: str
    colour: str
    method: str
    rows: list[ScalingRow]


def scaling(data: ReportData, palette: Palette) -> Figure | None:
    """Two panels that share the accuracy axis; bands and whiskers are 95 % intervals."""
    benchmark = data.scaling[0].benchmark if data.scaling else "all"
    curves = _collect(data, palette, benchmark)
    if not curves:
        return None
    label_px = max(text_width(curve.name, 12) for curve in curves) * 1.2 + 26
    width = (WIDTH - LEFT - GAP - 2 * label_px) / 2
    right = LEFT + width + label_px + GAP
    canvas = Canvas(WIDTH, HEIGHT)
    y_scale = _accuracy_axis(canvas, curves, [(LEFT, LEFT + width), (right, right + width)])
    left_curves = [curve for curve in curves if curve.method != "majority"] or curves
    x_words = "votes" if left_curves[0].method == "majority" else "end-of-thinking rounds"
    rounds = sorted({row.round for curve in left_curves for row in curve.rows})
    round_x = linear(min(0, rounds[0]), max(rounds[-1], 1), LEFT + 10, LEFT + width)
    _x_axis(canvas, [(round_x(value), str(value)) for value in rounds], LEFT + width / 2, x_words)
    marks = ticks(max(row.tokens_mean for curve in curves for row in curve.rows))
    token_x = linear(0, marks[-1], right, right + width)
    words = "mean thinking tokens a problem"
    _x_axis(canvas, [(token_x(value), short(value)) for value in marks], right + width / 2, words)
    for curve in left_curves:
        _draw(canvas, curve, lambda row: round_x(row.round), y_scale, band=True)
    _end_labels(canvas, left_curves, lambda _: LEFT + width + 10, y_scale)
    for curve in curves:
        _draw(canvas, curve, lambda row: token_x(row.tokens_mean), y_scale, band=False)
    _number_points(canvas, curves, lambda row: token_x(row.tokens_mean), y_scale)
    _end_labels(canvas, curves, lambda row: token_x(row.tokens_mean) + 18, y_scale)
    caption = f"Pass@1 on {benchmark} against {x_words} and the thinking tokens they cost; whiskers are 95 % intervals."
    return Figure("scaling", "More thinking time", caption, canvas)


def scaling_time(data: ReportData, palette: Palette) -> Figure | None:
    """The same curves against wall time; nothing where no time was kept."""
    benchmark = data.scaling[0].benchmark if data.scaling else "all"
    curves = _collect(data, palette, benchmark)
    if not curves or not all(row.seconds_mean for curve in curves for row in curve.rows):
        return None
    label_px = max(text_width(curve.name, 12) for curve in curves) * 1.2 + 26
    end = WIDTH - label_px - 20
    canvas = Canvas(WIDTH, HEIGHT)
    y_scale = _accuracy_axis(canvas, curves, [(LEFT, end)])
    marks = ticks(max(row.seconds_mean or 0.0 for curve in curves for row in curve.rows))
    second_x = linear(0, marks[-1], LEFT, end)
    _x_axis(canvas, [(second_x(value), short(value)) for value in marks], (LEFT + end) / 2, "mean seconds a problem")
    for curve in curves:
        _draw(canvas, curve, lambda row: second_x(row.seconds_mean or 0.0), y_scale, band=False)
    _number_points(canvas, curves, lambda row: second_x(row.seconds_mean or 0.0), y_scale)
    _end_labels(canvas, curves, lambda row: second_x(row.seconds_mean or 0.0) + 18, y_scale)
    caption = (
        f"Pass@1 on {benchmark} against the wall time from the start of a trajectory to its end, waiting beside others included; "
        "votes count as taken one after another."
    )
    return Figure("scaling_time", "Against the clock", caption, canvas)


def _collect(data: ReportData, palette: Palette, benchmark: str) -> list[_Curve]:
    found: dict[tuple[str, str], list[ScalingRow]] = {}
    for row in data.scaling:
        if row.benchmark == benchmark:
            found.setdefault((row.model, row.method), []).append(row)
    curves = []
    for (model, method), rows in found.items():
        name = model if method == "hints" else f"{model}, {method.replace('_', ' ')}"
        curves.append(_Curve(name, palette.condition(model), method, sorted(rows, key=lambda row: row.round)))
    return curves[:MAX_CURVES]


def _accuracy_axis(canvas: Canvas, curves: list[_Curve], panels: list[tuple[float, float]]) -> Scale:
    """Grid lines and labels of pass@1 in both panels, from 0 to a round number above the highest interval."""
    best = max(row.ci95[1] if row.ci95 else row.pass_at_1 for curve in curves for row in curve.rows)
    step = 0.1 if best <= 0.5 else 0.2
    num_steps = max(1, min(round(1 / step), -int(-best // step)))
    y_scale = linear(0, num_steps * step, HEIGHT - BOTTOM, TOP)
    for start, end in panels:
        canvas.text(start, 10, "pass@1, %", css="f-muted", size=11)
        for index in range(num_steps + 1):
            y = y_scale(index * step)
            canvas.line(start, y, end, y, css="s-axis" if index == 0 else "s-grid")
            canvas.text(start - 8, y + 4, f"{index * step * 100:.0f}", css="f-muted", size=11, anchor="end")
    return y_scale


def _x_axis(canvas: Canvas, marks: list[tuple[float, str]], middle: float, words: str) -> None:
    for x, text in marks:
        canvas.text(x, HEIGHT - BOTTOM + 18, text, css="f-muted", size=11, anchor="middle")
    canvas.text(middle, HEIGHT - 8, words, css="f-soft", size=12, anchor="middle")


def _draw(canvas: Canvas, curve: _Curve, x_of: Callable[[ScalingRow], float], y_scale: Scale, *, band: bool) -> None:
    """One line with its points and whiskers; ``band`` shades the intervals between them."""
    points = [(x_of(row), y_scale(row.pass_at_1)) for row in curve.rows]
    bounded = [row for row in curve.rows if row.ci95 is not None]
    if band and len(bounded) == len(curve.rows) > 1:
        upper = [(x_of(row), y_scale(row.ci95[1])) for row in bounded if row.ci95]
        lower = [(x_of(row), y_scale(row.ci95[0])) for row in bounded if row.ci95]
        canvas.path([*upper, *reversed(lower)], css=f"f-{curve.colour}", close=True, opacity=0.12)
    canvas.path(points, css=f"s-{curve.colour}", width=2, dash=DASHES.get(curve.method))
    for (x, y), row in zip(points, curve.rows, strict=True):
        tip = f"{curve.name}, {row.round}: {percent(row.pass_at_1)} at {row.tokens_mean:,.0f} tokens"
        if row.ci95:
            low, high = row.ci95
            tip += f" [{percent(low)}, {percent(high)}]"
            canvas.line(x, y_scale(low), x, y_scale(high), css=f"s-{curve.colour}", width=1.2)
        canvas.dot(x, y, 4, css=f"f-{curve.colour} s-paper", stroke_width=1.2, tip=tip)


def _number_points(canvas: Canvas, curves: list[_Curve], x_of: Callable[[ScalingRow], float], y_scale: Scale) -> None:
    """Write each point's round beside it, at the first of four places where nothing stands; none free, none written."""
    spots = [(x_of(row), y_scale(row.pass_at_1), row, c) for c in curves for row in c.rows]
    taken = [(x, y) for x, y, _, _ in spots]
    for x, y, row, curve in spots:
        for dx, dy in ((9, -10), (-9, -10), (9, 11), (-9, 11)):
            at = (x + dx, y + dy)
            if all(abs(at[0] - tx) > 8 or abs(at[1] - ty) > 9 for tx, ty in taken) and at[1] < y_scale(0) - 4:
                taken.append(at)
                colour = f"f-{curve.colour}"
                canvas.text(at[0], at[1] + 4, str(row.round), css=colour, size=10.5, anchor="middle", halo=True)
                break


def _end_labels(canvas: Canvas, curves: list[_Curve], x_of: Callable[[ScalingRow], float], y_scale: Scale) -> None:
    """Names at the ends of the lines, moved apart where they would touch and off the points of other lines."""
    heights = [y_scale(curve.rows[-1].pass_at_1) for curve in curves]
    placed = spread(heights, 15, 20, y_scale(0) - 4)
    points = [(x_of(row), y_scale(row.pass_at_1), curve) for curve in curves for row in curve.rows]
    for curve, y in zip(curves, placed, strict=True):
        x = x_of(curve.rows[-1])
        end = x + text_width(curve.name, 12) * 1.1
        # A point of another line under the words: start behind the last such point, as far as there is room.
        under = [px for px, py, other in points if other is not curve and x - 12 < px < end and abs(py - y) < 11]
        if under and max(under) + 14 + (end - x) <= canvas.width:
            x = max(x, max(under) + 14)
        canvas.text(x, y + 4, curve.name, css=f"f-{curve.colour}", size=12, bold=True, halo=True)
