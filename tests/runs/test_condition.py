"""Conditions: the names that users see are made and read in one place."""

from __future__ import annotations

import pytest

from selftaught.runs.condition import Condition, Curve, LoopModel, loop_names, tabled_as


def test_the_names_that_users_see() -> None:
    assert loop_names() == ("base", "base+hint", "base-rft", "start-0", "start", "start+hint", "start-no-tools")
    assert tabled_as("greedy") == "base" and tabled_as("start") == "start"


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("base", Condition(LoopModel.BASE)),
        ("base-rft", Condition(LoopModel.CONTROL)),
        ("start-0+hint", Condition(LoopModel.START_0, hints=True)),
        ("start-no-tools", Condition(LoopModel.START, tools=False)),
        ("Qwen3-4B+hint-no-tools", Condition("Qwen3-4B", hints=True, tools=False)),
        ("rollout+math", Condition("rollout+math")),
        ("+hint", Condition("+hint")),
        ("start by rounds (hints)", Condition(LoopModel.START, curve=Curve.HINTS)),
        ("x by rounds (budget_forcing)", Condition("x", curve=Curve.BUDGET_FORCING)),
        ("x by rounds (of tea)", Condition("x by rounds (of tea)")),
    ],
)
def test_a_name_and_its_condition(name: str, condition: Condition) -> None:
    assert Condition.parse(name) == condition
    assert condition.title == name


def test_folders_of_an_evaluation() -> None:
    for condition in (
        Condition("tiny"),
        Condition("tiny", curve=Curve.HINTS),
        Condition("t", curve=Curve.BUDGET_FORCING),
    ):
        assert Condition.from_folder(condition.folder) == condition
    assert Condition("tiny", curve=Curve.HINTS).folder == "tiny.rounds"
    assert Condition("tiny", curve=Curve.HINTS).plain == Condition("tiny")
