"""Recipes: every shipped one loads; wrong keys and values are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.errors import ConfigError
from selftaught.pipeline.recipe import find_recipe, load_recipe, recipes_folder
from selftaught.pipeline.stages import build_stages

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
        assert set(stage.needs) <= seen, f"{stage.name} comes before what it needs"
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
        ("seed_round: {rollout: {hintz: auto}}", "round1/hinted: hintz"),
        ("evaluate: {conditions: {begin: {}}}", "begin"),
        ("control: null", "control section"),
        ("pool: 3", "pool"),
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


def test_the_digest_follows_results_not_speed() -> None:
    recipe = load_recipe("demo")
    assert recipe.digest() == load_recipe("demo", ["parallel_stages=1", "description=other"]).digest()
    assert recipe.digest() != load_recipe("demo", ["seed=5"]).digest()
