"""Stages: START's figure as a list, with what each needs."""

from __future__ import annotations

from selftaught.curation.records import Rule
from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.load import load_recipe
from selftaught.pipeline.stages import CurateStage


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
