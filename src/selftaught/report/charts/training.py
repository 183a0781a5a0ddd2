"""Loss and learning rate of each training by optimizer step."""

from __future__ import annotations

from selftaught.evals.records import ReportData, TrainingCurve
from selftaught.report.charts.accuracy import WIDTH
from selftaught.report.charts.palette import Palette
from selftaught.report.charts.svg import Canvas, Figure, linear, short, ticks

PANEL, TOP, BOTTOM, LEFT, RIGHT, GAP = 190, 30, 42, 52, 60, 20
SMOOTH_SHARE = 0.05
"""Part of a curve over which the strong line averages; the pale one is the loss itself."""


def training(data: ReportData, palette: Palette) -> Figure | None:
    """One panel a training: loss at the left axis, learning rate at the right one."""
    curves = [curve for curve in data.training if len(curve.points) > 1]
    if not curves:
        return None
    abreast = min(2, len(curves))
    height = TOP + PANEL + BOTTOM
    width = (WIDTH - GAP * (abreast - 1)) / abreast
    canvas = Canvas(WIDTH, height * -(-len(curves) // abreast))
    for index, curve in enumerate(curves):
        x0, y0 = index % abreast * (width + GAP), index // abreast * height
        _panel(canvas, curve, palette.condition(curve.name.rsplit("/", 1)[-1]), x0, y0, width)
    caption = (
        f"Loss by optimizer step (left axis); the strong line averages over {SMOOTH_SHARE:.0%} of the steps. "
        "The dashed line is the learning rate (right axis)."
    ).replace("%", " %")
    return Figure("training", "Training", caption, canvas)


def _panel(canvas: Canvas, curve: TrainingCurve, colour: str, x0: float, y0: float, width: float) -> None:
    colour = colour if colour != "muted" else "accent"
    left, right, top, end = x0 + LEFT, x0 + width - RIGHT, y0 + TOP, y0 + TOP + PANEL
    aside = f"{curve.num_steps:,} steps" + ("" if curve.finished else ", not finished")
    canvas.text(left, y0 + 12, curve.name, css="f-ink", size=13, bold=True, aside=aside)
    steps = [point.step for point in curve.points]
    x_scale = linear(0, max(steps), left, right)
    marks = ticks(max(point.loss for point in curve.points))
    y_scale = linear(0, marks[-1], end, top)
    for mark in marks:
        canvas.line(left, y_scale(mark), right, y_scale(mark), css="s-axis" if mark == 0 else "s-grid")
        canvas.text(left - 8, y_scale(mark) + 4, f"{mark:g}", css="f-muted", size=11, anchor="end")
    for mark in ticks(max(steps)):
        if mark <= max(steps) * 1.001:
            canvas.text(x_scale(mark), end + 17, short(mark), css="f-muted", size=11, anchor="middle")
    canvas.text((left + right) / 2, end + 34, "optimizer step", css="f-soft", size=12, anchor="middle")
    canvas.text(x0 + 6, y0 + 12, "loss", css="f-soft", size=12)
    _learning_rate(canvas, curve, (left, right, top, end), x0 + width)
    losses = [(x_scale(point.step), y_scale(point.loss)) for point in curve.points]
    canvas.path(losses, css=f"s-{colour}", width=1, opacity=0.4)
    means = smooth([point.loss for point in curve.points])
    canvas.path([(x_scale(s), y_scale(m)) for s, m in zip(steps, means, strict=True)], css=f"s-{colour}", width=2)
    last = curve.points[-1]
    tip = f"{curve.name}: loss {last.loss:.4f} at step {last.step:,}"
    canvas.dot(losses[-1][0], y_scale(means[-1]), 4, css=f"f-{colour} s-paper", stroke_width=1.2, tip=tip)


def _learning_rate(canvas: Canvas, curve: TrainingCurve, box: tuple[float, float, float, float], edge: float) -> None:
    """The dashed line and its axis; nothing where no rate was logged."""
    left, right, top, end = box
    rates = [(p.step, p.learning_rate) for p in curve.points if p.learning_rate is not None]
    peak = max((rate for _, rate in rates), default=0.0)
    if peak <= 0:
        return
    x_scale = linear(0, curve.points[-1].step, left, right)
    y_scale = linear(0, peak, end, top + 12)
    canvas.path([(x_scale(step), y_scale(rate)) for step, rate in rates], css="s-muted", width=1.2, dash="4 3")
    canvas.text(
        edge - 2,
        y_scale(peak) + 4,
        f"{peak:.1e}".replace("e-0", "e−").replace("e-", "e−"),
        css="f-muted",
        size=11,
        anchor="end",
    )
    canvas.text(edge - 2, end + 4, "0", css="f-muted", size=11, anchor="end")
    canvas.text(edge - 2, top - 18, "learning rate", css="f-soft", size=12, anchor="end")


def smooth(values: list[float], share: float = SMOOTH_SHARE) -> list[float]:
    """Means over a window round each value; the window shrinks at both ends."""
    half = max(1, round(len(values) * share / 2))
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    means = []
    for index in range(len(values)):
        reach = min(half, index, len(values) - 1 - index)
        low, high = index - reach, index + reach + 1
        means.append((sums[high] - sums[low]) / (high - low))
    return means
