"""Charts of how often a condition is right: by benchmark and by family."""

from __future__ import annotations

from itertools import groupby

from selftaught.evals.loop import LOOP
from selftaught.evals.records import FamilyRow, ReportData
from selftaught.report.charts.palette import Palette
from selftaught.report.charts.svg import Canvas, Figure, linear, text_width

ROW_PX = 26
WIDTH = 1080


def percent(value: float, digits: int = 1) -> str:
    """A share as a percentage without its sign: 0.425 → ``42.5``."""
    return f"{value * 100:.{digits}f}"


def label_width(names: list[str], size: float = 12) -> float:
    """Px that the widest label needs, with air for a face wider than the estimate (DejaVu, Verdana)."""
    return max((text_width(name, size) for name in names), default=0) * 1.13 + 16


def headline(data: ReportData, palette: Palette) -> Figure | None:
    """Pass@1 with its interval: a row a condition, a panel a benchmark, at most five panels abreast."""
    names, benchmarks = data.condition_names(), data.benchmarks()
    if not names:
        return None
    left = label_width(names, 12.5)
    abreast = min(5, len(benchmarks))
    gap, top, bottom = 22, 34, 44
    panel = (WIDTH - left - gap * (abreast - 1)) / abreast
    block = top + ROW_PX * len(names) + bottom
    num_blocks = -(-len(benchmarks) // abreast)
    canvas = Canvas(WIDTH, block * num_blocks)
    for index, benchmark in enumerate(benchmarks):
        x0 = left + (index % abreast) * (panel + gap)
        y0 = index // abreast * block + top
        if index % abreast == 0:
            for row, name in enumerate(names):
                y = y0 + ROW_PX * (row + 0.5)
                canvas.text(left - 12, y + 4, name, css="f-ink", size=12.5, anchor="end", bold=name == LOOP.start)
        _headline_panel(canvas, data, palette, benchmark, names, (x0, y0, panel))
    caption = "Pass@1 in per cent with 95 % intervals over problems."
    if data.compared_with():
        caption += f" The dashed line is {data.compared_with()}."
    return Figure("accuracy", "Accuracy by condition", caption, canvas)


def _headline_panel(
    canvas: Canvas,
    data: ReportData,
    palette: Palette,
    benchmark: str,
    names: list[str],
    place: tuple[float, float, float],
) -> None:
    x0, y0, width = place
    number_px = 52  # a bold 100.0 beside the dot of 100 %
    scale = linear(0, 1, x0, x0 + width - number_px)
    height = ROW_PX * len(names)
    count = max((row.n for row in data.conditions if row.benchmark == benchmark), default=0)
    canvas.text(x0, y0 - 14, benchmark, css="f-ink", size=13, bold=True, aside=f"n = {count:,}")
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = scale(tick)
        canvas.line(x, y0, x, y0 + height, css="s-axis" if tick == 0 else "s-grid")
        if tick in (0, 0.5, 1):
            canvas.text(x, y0 + height + 15, f"{tick * 100:.0f}", css="f-muted", size=10.5, anchor="middle")
    canvas.text((x0 + scale(1)) / 2, y0 + height + 31, "pass@1, %", css="f-soft", size=11, anchor="middle")
    reference = data.condition(data.compared_with(), benchmark)
    if reference is not None:
        x, css = scale(reference.pass_at_1), f"s-{palette.condition(reference.name)}"
        canvas.line(x, y0, x, y0 + height, css=css, dash="3 3")
    for row, name in enumerate(names):
        y = y0 + ROW_PX * (row + 0.5)
        value = data.condition(name, benchmark)
        if value is None:
            canvas.text(x0 + width, y + 4, "–", css="f-muted", size=12, anchor="end")
            continue
        colour = palette.condition(name)
        low, high = value.ci95
        tip = f"{name} on {benchmark}: {percent(value.pass_at_1)} [{percent(low)}, {percent(high)}], n = {value.n}, k = {value.k}"
        canvas.whisker(scale(low), scale(high), y, css=f"s-{colour}")
        canvas.dot(scale(value.pass_at_1), y, 4.5, css=f"f-{colour} s-paper", stroke_width=1.2, tip=tip)
        canvas.text(
            x0 + width, y + 4, percent(value.pass_at_1), css="f-ink", size=12, anchor="end", bold=name == LOOP.start
        )


def families(data: ReportData, palette: Palette) -> Figure | None:
    """Pass@1 by family: a dot with its interval for each of a few conditions, families ordered by the last one."""
    shown = (LOOP.base, LOOP.base_hint, LOOP.start)
    measured = [name for name in data.condition_names() if any(row.condition == name for row in data.families)]
    present = [name for name in shown if name in measured] if shown[-1] in measured else measured[:3]
    rows = [row for row in data.families if row.condition in present and row.benchmark == data.families[0].benchmark]
    if not rows:
        return None
    by_family: dict[tuple[str, str], dict[str, FamilyRow]] = {}
    for row in rows:
        by_family.setdefault((row.group, row.family), {})[row.condition] = row
    order = {"hard": 0, "easy": 1, "code": 2, "choice": 3}

    def place(item: tuple[tuple[str, str], dict[str, FamilyRow]]) -> tuple[int, str, float, str]:
        (group, family), values = item
        last = values.get(present[-1])
        return order.get(group, 9), group, -(last.pass_at_1 if last else -1.0), family

    ordered = sorted(by_family.items(), key=place)
    left = label_width([family.replace("_", " ") for _, family in by_family], 12.5) + 52
    right, line_px, top = 60, 15 + 5 * len(present), 34
    num_groups = len({group for group, _ in by_family})
    height = top + line_px * len(ordered) + 14 * (num_groups - 1) + 46
    canvas = Canvas(WIDTH, height)
    scale = linear(0, 1, left, WIDTH - right)
    legend(canvas, left, 14, [(name, f"f-{palette.condition(name)}") for name in present])
    y: float = top
    for group, members in groupby(ordered, key=lambda item: item[0][0]):
        listed = list(members)
        block = line_px * len(listed)
        for tick in (0, 0.25, 0.5, 0.75, 1):
            canvas.line(scale(tick), y, scale(tick), y + block, css="s-axis" if tick == 0 else "s-grid")
        if group:
            canvas.text(0, y + line_px / 2 + 4, group, css="f-muted", size=12, bold=True)
        for (_, family), values in listed:
            middle = y + line_px / 2
            any_row = next(iter(values.values()))
            canvas.text(left - 12, middle + 4, family.replace("_", " "), css="f-ink", size=12.5, anchor="end")
            canvas.text(WIDTH, middle + 4, f"n = {any_row.n}", css="f-muted", size=11, anchor="end")
            for index, name in enumerate(present):
                if name not in values:
                    continue
                row, colour = values[name], palette.condition(name)
                line_y = middle + (index - (len(present) - 1) / 2) * 7
                low, high = row.ci95
                canvas.line(scale(low), line_y, scale(high), line_y, css=f"s-{colour}", width=1.5, round_ends=True)
                tip = f"{name} on {family}: {percent(row.pass_at_1)} [{percent(low)}, {percent(high)}], n = {row.n}"
                canvas.dot(scale(row.pass_at_1), line_y, 4, css=f"f-{colour} s-paper", stroke_width=1, tip=tip)
            y += line_px
        y += 14
    for tick in (0, 0.25, 0.5, 0.75, 1):
        canvas.text(scale(tick), y + 2, f"{tick * 100:.0f}", css="f-muted", size=11, anchor="middle")
    canvas.text((left + WIDTH - right) / 2, y + 20, "pass@1, %", css="f-soft", size=12, anchor="middle")
    caption = "Pass@1 in per cent by problem family, with 95 % intervals."
    return Figure("families", "Where it helps: problem families", caption, canvas)


def legend(canvas: Canvas, x: float, y: float, items: list[tuple[str, str]], size: float = 12) -> float:
    """Coloured squares with their words in one line from (x, y); return the x after the last."""
    for label, css in items:
        canvas.rect(x, y - 9, 10, 10, css=css, radius=2)
        canvas.text(x + 15, y, label, css="f-soft", size=size)
        x += 15 + text_width(label, size) * 1.05 + 18
    return x
