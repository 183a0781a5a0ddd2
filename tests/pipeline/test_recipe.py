"""Recipes: every shipped one loads; wrong keys and values are named."""

from __future__ import annotations

import pytest

from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.load import load_recipe, recipes_folder
from selftaught.pipeline.serving import place

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


def test_the_digest_follows_results_not_speed() -> None:
    recipe = load_recipe("demo")
    assert recipe.digest() == load_recipe("demo", ["parallel_stages=1", "description=other"]).digest()
    assert recipe.digest() != load_recipe("demo", ["seed=5"]).digest()


def test_replicas_get_hosts_and_gpus_of_their_own() -> None:
    recipe = load_recipe("qwq-32b", ["cluster.hosts=[a,b,c,d]"])
    assert recipe.serving is not None
    places = [place(recipe.serving, recipe.cluster, replica) for replica in range(8)]
    assert places[:3] == [("a", [0, 1, 2, 3]), ("a", [4, 5, 6, 7]), ("b", [0, 1, 2, 3])]
    assert len({(host, gpu) for host, gpus in places for gpu in gpus}) == 32
    assert recipe.digest() == load_recipe("qwq-32b").digest(), "machines do not change results"
