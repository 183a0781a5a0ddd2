"""Stages: START's figure as a list, with what each needs."""

from __future__ import annotations

import pytest

from selftaught.curation.records import Rule
from selftaught.errors import ConfigError
from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.load import load_recipe
from selftaught.pipeline.stages import CurateStage, ReportStage, RolloutStage


def test_both_rounds_train_from_the_base() -> None:
    trained = {s.name: s for s in build_stages(load_recipe("demo")) if s.kind == "train"}
    assert set(trained) == {"round1/start-0", "round2/start", "control/base-rft"}
    assert {s.base for s in trained.values()} == {"toy"}


def test_the_selection_ablation_is_of_equal_size() -> None:
    stages = {stage.name: stage for stage in build_stages(load_recipe("ablation-no-selection"))}
    size, seed = stages["round1/d_size"], stages["round1/d_seed"]
    assert isinstance(size, CurateStage) and isinstance(seed, CurateStage)
    assert (size.settings.rule, seed.settings.rule) == (Rule.D_SEED, Rule.D_START)
    assert seed.at_most == size.ref and size.ref in seed.needs and size.inputs == seed.inputs


def stages_of(*more: str) -> dict[str, object]:
    return {stage.name: stage for stage in build_stages(load_recipe("demo", list(more)))}


def test_a_condition_that_is_a_round_of_the_curve_is_taken_from_it() -> None:
    end = ["evaluate.scaling_rounds=2", "evaluate.conditions.start+hint={hints: end, rounds: 2}"]
    apart, taken = stages_of("evaluate.scaling_rounds=2"), stages_of(*end)
    assert set(apart) - set(taken) == {"eval/start+hint", "eval/start+hint/grade"}
    report = taken["report"]
    assert isinstance(report, ReportStage)
    rows = {row.name: row for row in report.measured}
    assert rows["start+hint"].round == 2 and rows["start+hint"].rounds == rows["start"].rounds
    assert not rows["start+hint"].has_curve and rows["start"].has_curve and rows["base+hint"].rounds is None
    for other in ("{hints: end, rounds: 3}", "{hints: end, rounds: 1, temperature: 0.5}", "{hints: auto, rounds: 1}"):
        more = ["evaluate.scaling_rounds=2", f"evaluate.conditions.start+hint={other}"]
        assert "eval/start+hint" in stages_of(*more), other


def test_a_control_that_asks_for_the_greedy_pass_takes_it() -> None:
    sampled, taken = stages_of(), stages_of("control.rollout={tools: false}", "seed_round.greedy={tools: false}")
    assert set(sampled) - set(taken) == {"control/sampled", "control/sampled/grade"}
    data = taken["control/d_rft"]
    assert isinstance(data, CurateStage) and [one.folder.as_posix() for one in data.inputs] == ["round1/greedy"]


def test_a_round_may_sample_a_part_of_the_pool() -> None:
    stage = stages_of("start_round.num_problems=7")["round2/sampled"]
    assert isinstance(stage, RolloutStage) and stage.num_problems == 7 and stage.content()["num_problems"] == 7
    whole = stages_of()["round2/sampled"]
    assert isinstance(whole, RolloutStage) and "num_problems" not in whole.content()
    with pytest.raises(ConfigError, match=r"seed_round\.num_problems"):
        load_recipe("demo", ["seed_round.num_problems=7"])
