"""References to stages: name, folder, round; a name is read back as the stage that it was made from."""

from __future__ import annotations

import pytest

from selftaught.runs.condition import Condition, LoopModel
from selftaught.runs.stages import (
    Part,
    StageRef,
    data_sets,
    greedy_rollout,
    hinted_rollout,
    sampled_rollout,
    trained_model,
)

STAGES = {
    "problems": StageRef(Part.PROBLEMS),
    "round1/greedy": greedy_rollout(),
    "round1/hinted/grade": hinted_rollout().grade,
    "round2/sampled": sampled_rollout(Part.START_ROUND),
    "control/sampled": sampled_rollout(Part.CONTROL),
    "round1/start-0": trained_model(LoopModel.START_0),
    "round2/start": trained_model(LoopModel.START),
    "control/base-rft": trained_model(LoopModel.CONTROL),
    "eval/start+hint": StageRef.evaluation(Condition(LoopModel.START, hints=True), by_rounds=False),
    "eval/base-rounds": StageRef.evaluation(Condition(LoopModel.BASE), by_rounds=True),
    "report": StageRef(Part.REPORT),
}


@pytest.mark.parametrize("name", STAGES)
def test_a_name_and_its_stage(name: str) -> None:
    assert STAGES[name].name == name
    assert StageRef.parse(name) == STAGES[name]


@pytest.mark.parametrize("name", ["", "mine", "round1", "round3/x", "round1/grade", "problems/x", "round1/a/b", "eval"])
def test_what_is_no_stage(name: str) -> None:
    found = StageRef.parse(name)
    assert found is None or found.name == name


def test_what_is_asked_of_a_stage() -> None:
    assert [ref.round for ref in data_sets()] == [1, 1, 2, None]
    assert [ref.is_control for ref in data_sets()] == [False, False, False, True]
    assert STAGES["eval/base-rounds"].is_curve and not STAGES["eval/start+hint"].is_curve
    assert STAGES["round1/hinted/grade"].folder == "round1/hinted"
    assert STAGES["round1/hinted/grade"].file_stem == "round1.hinted.grade"
    with pytest.raises(ValueError, match="not trained"):
        trained_model(LoopModel.BASE)
