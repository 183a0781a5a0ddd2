"""Plans: hours, memory and disk follow from what a recipe states."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.pipeline.load import load_recipe
from selftaught.pipeline.plan import SAMPLES, make_plan

from .test_recipe import SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_every_plan_can_be_believed(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe(name)
    plan = make_plan(recipe)
    rows = {stage.name: stage for stage in plan.stages}
    assert rows["round1/d_seed"].items <= plan.pool and rows["round2/d_start"].items <= plan.pool
    assert rows["control/d_rft"].items <= rows["round2/d_start"].items
    assert plan.num_rollouts == sum(s.items for s in plan.stages if s.kind in SAMPLES) > plan.pool
    assert plan.hours == pytest.approx(sum(plan.hours_by_part.values()), abs=0.05) and plan.hours > 0
    assert plan.first_prompt and plan.hints and plan.disk_gb >= 0
    for stage in plan.stages:
        if stage.gpu_memory_gb is not None:
            least = 2 if recipe.estimates.num_gpus else 0
            assert least <= stage.gpu_memory_gb <= recipe.estimates.gpu_memory_gb, f"{stage.name} does not fit"
    assert not any("DOES NOT FIT" in line for line in plan.assumptions)


def test_a_plan_says_what_does_not_fit() -> None:
    plan = make_plan(load_recipe("r1-distill-qwen-1.5b", ["estimates.gpu_memory_gb=24"]))
    assert any("DOES NOT FIT into 24 GB" in line and "round1/start-0" in line for line in plan.assumptions)


def test_packing_counts_packs_not_rows() -> None:
    rows = {s.name: s for s in make_plan(load_recipe("r1-distill-qwen-1.5b")).stages}["round1/start-0"]
    assert rows.note == f"{round(rows.items * 5000 / 16384 / 0.95 * 3 / 8)} steps"


def test_without_gpus_a_training_is_weighed_against_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selftaught.pipeline.plan.memory_of_machine", lambda: 24_000_000_000)
    plan = make_plan(load_recipe("qwen2.5-coder-0.5b", []))
    trained = [stage.gpu_memory_gb for stage in plan.stages if stage.kind == "train"]
    assert all(gb and 10 < gb < 16 for gb in trained)  # measured: 13.7 GB
    assert not any("DOES NOT FIT" in line for line in plan.assumptions)
    plan = make_plan(load_recipe("qwen2.5-coder-0.5b", ["seed_round.train.micro_batch_size=8"]))
    assert any("DOES NOT FIT into 24 GB of this machine" in line for line in plan.assumptions)


def test_a_round_of_hints_shares_what_comes_before_it() -> None:
    one, four = (
        {stage.name: stage for stage in make_plan(load_recipe("qwq-32b", [f"evaluate.scaling_rounds={rounds}"])).stages}
        for rounds in (1, 4)
    )
    name = "eval/base-rounds"
    assert four[name].items == one[name].items / 2 * 5
    assert four[name].tokens / one[name].tokens == pytest.approx((1 + 4 * 0.5) / (1 + 0.5))
