"""Charts: nothing is cut at an edge, axes have names, no line stands for a base that is not there."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from selftaught.evals.records import ReportData, TrainingCurve, TrainingPoint
from selftaught.report.charts import Palette, all_figures
from selftaught.report.charts.svg import ticks
from selftaught.report.charts.training import smooth

from .synthetic import MadeRun

SVG = "{http://www.w3.org/2000/svg}"


def _perfect(data: ReportData) -> ReportData:
    """Everything at 100 %, where dots stand on the edge of their scale."""
    ends = (1.0, 1.0)
    return data.model_copy(
        update={
            "conditions": [row.model_copy(update={"pass_at_1": 1.0, "ci95": ends}) for row in data.conditions],
            "families": [row.model_copy(update={"pass_at_1": 1.0, "ci95": ends}) for row in data.families],
            "tools": [
                row.model_copy(update={"accuracy_with_call": 1.0, "accuracy_without_call": 0.0}) for row in data.tools
            ],
            "scaling": [row.model_copy(update={"pass_at_1": 1.0, "ci95": ends}) for row in data.scaling],
        }
    )


def test_no_dot_is_cut_at_an_edge(made: MadeRun) -> None:
    for data in (made.data, _perfect(made.data)):
        for name, figure in all_figures(data, Palette(data.condition_names())).items():
            for circle in ElementTree.fromstring(figure.inline()).iter(f"{SVG}circle"):
                x, y, r = (float(circle.attrib[key]) for key in ("cx", "cy", "r"))
                assert r <= x <= figure.canvas.width - r, name
                assert r <= y <= figure.canvas.height - r, name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("accuracy", "pass@1, %"),
        ("families", "pass@1, %"),
        ("tools", "pass@1, %"),
        ("scaling", "end-of-thinking rounds"),
        ("tokens", "tokens after the prompt"),
        ("ablations", "difference in points"),
    ],
)
def test_axes_have_names(made: MadeRun, name: str, words: str) -> None:
    drawn = all_figures(made.data, Palette(made.data.condition_names()))[name].inline()
    assert words in re.findall(r"<text[^>]*>([^<]*)", drawn)


def test_the_dashed_line_is_the_reference_or_not_there(made: MadeRun) -> None:
    figure = all_figures(made.data, Palette(made.data.condition_names()))["accuracy"]
    assert "The dashed line is base." in figure.caption
    alone = ReportData(conditions=[row for row in made.data.conditions if row.name == "start"])
    figure = all_figures(alone, Palette(alone.condition_names()))["accuracy"]
    assert "dashed" not in figure.caption
    assert "stroke-dasharray" not in figure.inline()


def test_training_curves_show_loss_rate_and_state() -> None:
    points = [TrainingPoint(step=n + 1, loss=3 / (n + 1), learning_rate=1e-4 * (60 - n)) for n in range(60)]
    curves = [
        TrainingCurve(name="round1/start-0", num_steps=60, finished=True, points=points),
        TrainingCurve(
            name="mine",
            num_steps=60,
            finished=False,
            points=[p.model_copy(update={"learning_rate": None}) for p in points],
        ),
        TrainingCurve(name="one step", num_steps=1, finished=True, points=points[:1]),
    ]
    figure = all_figures(ReportData(training=curves), Palette([]))["training"]
    words = re.findall(r"<text[^>]*>([^<]*)", figure.inline())
    assert words.count("optimizer step") == 2
    assert words.count("learning rate") == 1
    assert "60 steps, not finished" in figure.inline()
    assert all_figures(ReportData(training=curves[2:]), Palette([])) == {}


def test_smoothing_keeps_ends_and_constants() -> None:
    assert smooth([2.0] * 9) == [2.0] * 9
    values = [5.0, *[1.0] * 98, 7.0]
    assert (smooth(values)[0], smooth(values)[-1]) == (5.0, 7.0)


@pytest.mark.parametrize("high", [0.003, 0.4, 1, 7, 95, 1234, 98765])
def test_ticks_are_few_and_reach_the_top(high: float) -> None:
    marks = ticks(high)
    assert 3 <= len(marks) <= 6
    assert marks[-2] < high <= marks[-1] * (1 + 1e-9)
