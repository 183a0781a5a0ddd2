"""Recipes: every shipped one loads; wrong keys and values are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.curation.records import Rule
from selftaught.errors import ConfigError
from selftaught.pipeline.load import find_recipe, load_recipe, recipes_folder
from selftaught.pipeline.plan import make_plan
from selftaught.pipeline.serving import place
from selftaught.pipeline.stages import CurateStage, build_stages

SHIPPED = sorted(path.stem for path in recipes_folder().rglob("*.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_recipe_loads(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name and recipe.description
    stages = build_stages(recipe)
    names = [stage.name for stage in stages]
    assert len(set(names)) == len(names)
    seen: set[str] = set()
    for stage in stages:
        assert set(stage.need_names) <= seen, f"{stage.name} comes before what it needs"
        seen.add(stage.name)


def test_both_rounds_train_from_the_base() -> None:
    trained = {s.name: s for s in build_stages(load_recipe("demo")) if s.kind == "train"}
    assert set(trained) == {"round1/start-0", "round2/start", "control/base-rft"}
    assert {s.base for s in trained.values()} == {"toy"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("start_round: {curate: {tol_share: 0.5}}", "Did you mean tool_share"),
        ("start_round: {curate: {tool_share: 0}}", "tool_share"),
        ("seed_round: {rollout: {hintz: auto}}", "seed_round.rollout: hintz: no such key. Did you mean hints"),
        ("evaluate: {conditions: {begin: {}}}", "begin"),
        ("control: null", "control section"),
        ("seedround: {curate: {}}", "seedround: no such key. Did you mean seed_round"),
        ("defaults: {temperature: -1}", "defaults: temperature"),
        ("seed_round: {curate: {rule: d_start}}", "ablation: true"),
        ("pool: 3", "pool"),
        ("serving: {command: serve, replicas: 3, gpus_per_replica: 4}", "1 hosts of 8 GPUs hold 2"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"extends: demo\nname: mine\n{text}\n")
    with pytest.raises(ConfigError, match=message):
        load_recipe(str(path))


def test_overrides_and_unknown_names() -> None:
    assert load_recipe("demo", ["pool.limit=30", "evaluate.scaling_rounds=0"]).pool.limit == 30
    with pytest.raises(ConfigError, match="Did you mean demo"):
        find_recipe("dmo")
    with pytest.raises(ConfigError, match="key"):
        load_recipe("demo", ["seed"])


@pytest.mark.parametrize("name", ["demo", "qwq-32b", "ablation-mask-hints"])
def test_an_override_of_one_round_is_of_that_round_alone(name: str) -> None:
    """The recipes write the training settings once and refer to them by a YAML anchor."""
    plain = load_recipe(name)
    recipe = load_recipe(name, ["seed_round.train.epochs=7", "start_round.train.learning_rate=0.5"])
    assert recipe.control is not None and plain.control is not None
    assert recipe.seed_round.train == plain.seed_round.train.model_copy(update={"epochs": 7.0})
    assert recipe.start_round.train == plain.start_round.train.model_copy(update={"learning_rate": 0.5})
    assert recipe.control.train == plain.control.train
    assert load_recipe(name, []).digest() == plain.digest()


def test_the_digest_follows_results_not_speed() -> None:
    recipe = load_recipe("demo")
    assert recipe.digest() == load_recipe("demo", ["parallel_stages=1", "description=other"]).digest()
    assert recipe.digest() != load_recipe("demo", ["seed=5"]).digest()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_plan_can_be_believed(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe(name)
    plan = make_plan(recipe)
    rows = {stage.name: stage for stage in plan.stages}
    assert rows["round1/d_seed"].items <= plan.pool and rows["round2/d_start"].items <= plan.pool
    assert rows["control/d_rft"].items <= rows["round2/d_start"].items
    assert plan.num_rollouts == sum(s.items for s in plan.stages if s.kind == "rollout") > plan.pool
    assert plan.hours == pytest.approx(sum(plan.hours_by_part.values()), abs=0.05) and plan.hours > 0
    assert plan.first_prompt and plan.hints and plan.disk_gb >= 0
    for stage in plan.stages:
        if stage.gpu_memory_gb is not None:
            assert 2 < stage.gpu_memory_gb <= recipe.estimates.gpu_memory_gb, f"{stage.name} does not fit"
    assert not any("DOES NOT FIT" in line for line in plan.assumptions)


def test_a_plan_says_what_does_not_fit() -> None:
    plan = make_plan(load_recipe("r1-distill-qwen-1.5b", ["estimates.gpu_memory_gb=24"]))
    assert any("DOES NOT FIT into 24 GB" in line and "round1/start-0" in line for line in plan.assumptions)


def test_packing_counts_packs_not_rows() -> None:
    rows = {s.name: s for s in make_plan(load_recipe("r1-distill-qwen-1.5b")).stages}["round1/start-0"]
    assert rows.note == f"{round(rows.items * 5000 / 16384 / 0.95 * 3 / 8)} steps"


def test_the_selection_ablation_is_of_equal_size() -> None:
    stages = {stage.name: stage for stage in build_stages(load_recipe("ablation-no-selection"))}
    size, seed = stages["round1/d_size"], stages["round1/d_seed"]
    assert isinstance(size, CurateStage) and isinstance(seed, CurateStage)
    assert (size.settings.rule, seed.settings.rule) == (Rule.D_SEED, Rule.D_START)
    assert seed.at_most == size.ref and size.ref in seed.needs and size.inputs == seed.inputs


def test_replicas_get_hosts_and_gpus_of_their_own() -> None:
    recipe = load_recipe("qwq-32b", ["cluster.hosts=[a,b,c,d]"])
    assert recipe.serving is not None
    places = [place(recipe.serving, recipe.cluster, replica) for replica in range(8)]
    assert places[:3] == [("a", [0, 1, 2, 3]), ("a", [4, 5, 6, 7]), ("b", [0, 1, 2, 3])]
    assert len({(host, gpu) for host, gpus in places for gpu in gpus}) == 32
    assert recipe.digest() == load_recipe("qwq-32b").digest(), "machines do not change results"
