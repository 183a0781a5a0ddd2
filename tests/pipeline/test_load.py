"""Reading recipes: mistakes are named, overrides reach one place, unknown names get the nearest known one."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.errors import ConfigError
from selftaught.pipeline.load import find_recipe, load_recipe


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


def test_null_takes_a_name_away(tmp_path: Path) -> None:
    plain = load_recipe("qwen2.5-coder-0.5b")
    less = ["test.parts.gsm8k=null", "evaluate.conditions.start-0=null", "start_round.curate.max_rows.all=null"]
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: qwen2.5-coder-0.5b\nname: mine\ntest: {parts: {gsm8k: null}}\n"
        "evaluate: {conditions: {start-0: null}}\nstart_round: {curate: {max_rows: {all: null}}}\n"
    )
    for recipe in (load_recipe("qwen2.5-coder-0.5b", less), load_recipe(str(path))):
        assert recipe.test is not None and plain.test is not None and recipe.evaluate and plain.evaluate
        assert plain.test.parts and recipe.test.parts == {
            name: part for name, part in plain.test.parts.items() if name != "gsm8k"
        }
        assert list(recipe.evaluate.conditions) == [name for name in plain.evaluate.conditions if name != "start-0"]
        assert plain.start_round.curate.max_rows == {"all": 192} and recipe.start_round.curate.max_rows == {}
    with pytest.raises(ConfigError, match=r"test\.parts\.mine is empty"):
        load_recipe("qwen2.5-coder-0.5b", ["test.parts.mine=null"])
