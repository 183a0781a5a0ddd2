"""Which stages may start: those whose needs are done, in the order of the list."""

from __future__ import annotations

from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.load import load_recipe
from selftaught.pipeline.markers import Marker
from selftaught.pipeline.scheduler import ReadySet
from selftaught.pipeline.stages import Stage


def marker(stage: Stage) -> Marker:
    """The marker of a stage that an earlier call has finished."""
    return Marker(name=stage.name, kind=stage.kind, digest="", seconds=0.0, tokens=0, detail="")


def taken(stages: list[Stage], done: dict[str, Marker]) -> list[str]:
    """The stages in the order in which one process would run them, with every stage's needs checked."""
    ready, order, ended = ReadySet(stages, done), [], set(done)
    while (stage := ready.take()) is not None:
        assert set(stage.need_names) <= ended
        order.append(stage.name)
        ended.add(stage.name)
        ready.finish(stage)
    return order


def test_every_stage_starts_once_and_after_its_needs() -> None:
    stages = build_stages(load_recipe("demo"))
    order = taken(stages, {})
    assert sorted(order) == sorted(stage.name for stage in stages)


def test_what_is_done_is_passed_over() -> None:
    stages = build_stages(load_recipe("demo"))
    done = {stage.name: marker(stage) for stage in stages[:5]}
    assert sorted(taken(stages, done)) == sorted(stage.name for stage in stages[5:])
    assert taken(stages, {stage.name: marker(stage) for stage in stages}) == []


def test_nothing_is_ready_while_the_first_stage_runs() -> None:
    ready = ReadySet(build_stages(load_recipe("demo")), {})
    assert ready.take() is not None
    assert ready.take() is None
