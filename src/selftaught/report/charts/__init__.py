"""The figures of a report: the same drawings for the page and for the SVG files."""

from __future__ import annotations

from selftaught.evals.records import ReportData
from selftaught.report.charts.ablations import ablations
from selftaught.report.charts.accuracy import families, headline
from selftaught.report.charts.behaviour import outcomes, tokens, tool_use
from selftaught.report.charts.curves import scaling, scaling_time
from selftaught.report.charts.flow import funnel, transitions
from selftaught.report.charts.palette import Palette
from selftaught.report.charts.svg import Figure
from selftaught.report.charts.training import training
from selftaught.report.charts.uplift import uplift

_CHARTS = (
    headline,
    scaling,
    scaling_time,
    families,
    outcomes,
    transitions,
    tool_use,
    tokens,
    funnel,
    training,
    ablations,
    uplift,
)
"""In the order of the report. A chart is a function of the document and the colours; it gives None without data."""


def all_figures(data: ReportData, palette: Palette) -> dict[str, Figure]:
    """Every figure that the data can fill, by name, in the order of the report."""
    figures = (chart(data, palette) for chart in _CHARTS)
    return {figure.name: figure for figure in figures if figure is not None}


__all__ = ["Figure", "Palette", "all_figures"]
