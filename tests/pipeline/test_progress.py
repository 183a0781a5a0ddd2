"""The time that is left of a run."""

from __future__ import annotations

import pytest

from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.load import load_recipe
from selftaught.pipeline.markers import Marker
from selftaught.pipeline.progress import Forecast, clock


@pytest.mark.parametrize(("seconds", "words"), [(0, "0:00"), (245, "4:05"), (3723, "1:02:03")])
def test_clock(seconds: float, words: str) -> None:
    assert clock(seconds) == words


def test_the_forecast_follows_needs_and_learns_from_this_machine() -> None:
    recipe = load_recipe("demo")
    stages = build_stages(recipe)
    forecast = Forecast(recipe.estimates)
    forecast.start(stages, {}, parallel=1)
    whole = sum(forecast.expected_s(stage) for stage in stages)
    assert forecast.left_s({}) == pytest.approx(whole)
    forecast.start(stages, {}, parallel=2)
    assert whole / 2 <= forecast.left_s({}) < whole

    first = stages[0]
    forecast.finished(first, 10 * forecast.expected_s(first) + 100)  # this machine is much slower
    done = {first.name: Marker(name=first.name, kind=first.kind, digest="", seconds=0.0, tokens=0, detail="")}
    forecast.start(stages, done, parallel=1)
    assert forecast.left_s({}) > whole
