"""A small SVG canvas: shapes and text with class names for colours; the same data gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from selftaught.report.charts.palette import Palette
from selftaught.report.text import visible

FONT = "ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"

_NARROW = set("iljtfrI.,:;'|!()[] ")
_WIDE = set("mwMW@%+–—→±")

HEADER_PX = 44
"""Height of the title strip that a figure file has above the drawing."""


def text_width(text: str, size: float) -> float:
    """Width in px of ``text`` in a common sans-serif face, estimated by letter classes (within some 8 %)."""
    units = 0.0
    for char in text:
        if char in _NARROW:
            units += 0.31
        elif char in _WIDE:
            units += 0.84
        elif char.isupper():
            units += 0.67
        else:
            units += 0.55
    return units * size


def number(value: float) -> str:
    """A coordinate with at most two decimals."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


@dataclass
class Canvas:
    """Collects the elements of one drawing, in px; y grows downwards."""

    width: float
    height: float
    parts: list[str] = field(default_factory=list)

    def _add(self, tag: str, attributes: dict[str, str | float | None], css: str, tip: str | None = None) -> None:
        pairs = "".join(
            f" {key.replace('_', '-')}={quoteattr(value if isinstance(value, str) else number(value))}"
            for key, value in attributes.items()
            if value is not None
        )
        classes = f" class={quoteattr(css)}" if css else ""
        if tip:
            self.parts.append(f"<{tag}{classes}{pairs}><title>{escape(visible(tip))}</title></{tag}>")
        else:
            self.parts.append(f"<{tag}{classes}{pairs}/>")

    def text(
        self, x: float, y: float, text: str, *, css: str = "f-soft", size: float = 12, anchor: str = "start", bold: bool = False,
        halo: bool = False, aside: str = "",
    ) -> None:  # fmt: skip
        """Text with its baseline at ``y``.

        ``halo`` puts a rim of paper colour round it. ``aside`` is a small and pale text behind it.
        """
        attributes = f' x="{number(x)}" y="{number(y)}" font-size="{number(size)}"'
        attributes += f' text-anchor="{anchor}"' if anchor != "start" else ""
        attributes += ' font-weight="600"' if bold else ""
        if halo:
            attributes += ' stroke-width="3" stroke-linejoin="round" paint-order="stroke"'
            css += " s-paper"
        more = ""
        if aside:
            look = f'class="f-muted" dx="8" font-size="{number(size - 2)}" font-weight="400"'
            more = f"<tspan {look}>{escape(visible(aside))}</tspan>"
        self.parts.append(f'<text class="{css}"{attributes}>{escape(visible(text))}{more}</text>')

    def line(
        self, x1: float, y1: float, x2: float, y2: float, *, css: str = "s-grid", width: float = 1, dash: str | None = None,
        round_ends: bool = False, tip: str | None = None,
    ) -> None:  # fmt: skip
        """A straight line."""
        cap = "round" if round_ends else None
        shape: dict[str, str | float | None] = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "stroke_width": width}
        self._add("line", shape | {"stroke_dasharray": dash, "stroke_linecap": cap}, css, tip)

    def rect(
        self, x: float, y: float, width: float, height: float, *, css: str, radius: float = 0, opacity: float | None = None,
        tip: str | None = None,
    ) -> None:  # fmt: skip
        """A filled rectangle; nothing is drawn for a width or height of 0."""
        if width <= 0 or height <= 0:
            return
        shape: dict[str, str | float | None] = {"x": x, "y": y, "width": width, "height": height}
        self._add("rect", shape | {"rx": radius or None, "fill_opacity": opacity}, css, tip)

    def dot(
        self, x: float, y: float, radius: float, *, css: str, stroke_width: float | None = None, tip: str | None = None
    ) -> None:
        """A circle."""
        self._add("circle", {"cx": x, "cy": y, "r": radius, "stroke_width": stroke_width}, css, tip)

    def path(
        self, points: Sequence[tuple[float, float]], *, css: str, width: float | None = None, close: bool = False,
        opacity: float | None = None, dash: str | None = None,
    ) -> None:  # fmt: skip
        """A polyline, or a polygon when ``close``; ``opacity`` is that of the line, or of the polygon's ground."""
        if not points:
            return
        d = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points) + ("Z" if close else "")
        fill = None if close else "none"
        join = None if close else "round"
        shape: dict[str, str | float | None] = {"d": d, "fill": fill, "stroke_width": width, "stroke_linejoin": join}
        pale = "fill_opacity" if close else "stroke_opacity"
        self._add("path", shape | {pale: opacity, "stroke_dasharray": dash}, css)

    def whisker(self, x_low: float, x_high: float, y: float, *, css: str, cap: float = 3, width: float = 1.5) -> None:
        """A horizontal interval with end caps."""
        self.line(x_low, y, x_high, y, css=css, width=width)
        self.line(x_low, y - cap, x_low, y + cap, css=css, width=width)
        self.line(x_high, y - cap, x_high, y + cap, css=css, width=width)


@dataclass(frozen=True)
class Figure:
    """A finished chart: its file name, words round it and drawing."""

    name: str
    title: str
    caption: str
    canvas: Canvas
    narrow: Canvas | None = None
    """The same for a telephone, where there is one; else the page lets the wide drawing scroll."""

    def _open(self, canvas: Canvas, y: float, height: float, css: str = "") -> str:
        label = quoteattr(visible(f"{self.title}. {self.caption}"))
        box = f"0 {number(y)} {number(canvas.width)} {number(height)}"
        size = f'width="{number(canvas.width)}" height="{number(height)}"'
        space, named = "http://www.w3.org/2000/svg", f' class="{css}"' if css else ""
        return f'<svg xmlns="{space}"{named} viewBox="{box}" {size} role="img" aria-label={label} font-family="{FONT}">'

    def inline(self) -> str:
        """The drawing for the page, which brings colours and heading itself."""
        if self.narrow is None:
            return self._open(self.canvas, 0, self.canvas.height) + "".join(self.canvas.parts) + "</svg>"
        forms = (("if-broad", self.canvas), ("if-narrow", self.narrow))
        return "".join(
            self._open(canvas, 0, canvas.height, css) + "".join(canvas.parts) + "</svg>" for css, canvas in forms
        )

    def file(self, palette: Palette) -> str:
        """The drawing as a file of its own, with heading, ground and colours."""
        header = Canvas(self.canvas.width, HEADER_PX)
        header.rect(0, -HEADER_PX, self.canvas.width, self.canvas.height + HEADER_PX, css="f-paper")
        header.text(8, -20, self.title, css="f-ink", size=15, bold=True)
        style = f"<style>{palette.file_css()}</style>"
        body = "\n".join([style, *header.parts, *self.canvas.parts])
        return self._open(self.canvas, -HEADER_PX, self.canvas.height + HEADER_PX) + "\n" + body + "\n</svg>\n"


Scale = Callable[[float], float]
"""Maps a value to a px coordinate."""


def linear(low: float, high: float, start_px: float, end_px: float) -> Scale:
    """A linear scale; an empty domain maps to its start."""
    span = high - low

    def scale(value: float) -> float:
        return start_px if span == 0 else start_px + (value - low) / span * (end_px - start_px)

    return scale


def ticks(high: float, count: int = 4) -> list[float]:
    """Round steps from 0 to just above ``high``: 1, 2, 2.5 or 5 times a power of ten."""
    if high <= 0:
        return [0.0, 1.0]
    raw = high / count
    power = 10.0 ** len(str(int(raw))) / 10 if raw >= 1 else 1.0
    while power > raw:
        power /= 10
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw)
    values = [0.0]
    while values[-1] < high - 1e-9:
        values.append(values[-1] + step)
    return values


def short(value: float) -> str:
    """A count as people write it on an axis: 950, 1.2k, 32k."""
    if abs(value) < 1000:
        return number(value)
    return f"{value / 1000:.1f}".rstrip("0").rstrip(".") + "k" if abs(value) < 1e6 else f"{value / 1e6:.1f}M"


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move label positions apart to at least ``gap`` px within [low, high], keeping their order; least moves first."""
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    placed = [min(max(positions[index], low), high) for index in order]
    for _ in range(60):
        moved = False
        for left in range(len(placed) - 1):
            lack = gap - (placed[left + 1] - placed[left])
            if lack > 1e-6:
                placed[left] -= lack / 2
                placed[left + 1] += lack / 2
                moved = True
        placed = [min(max(value, low), high) for value in placed]
        if not moved:
            break
    result = [0.0] * len(positions)
    for rank, index in enumerate(order):
        result[index] = placed[rank]
    return result
