"""A recipe whose first round forks: the same rollouts, the same D_seed, from fewer sampled tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught.errors import ConfigError
from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.load import load_recipe
from selftaught.pipeline.perform import perform
from selftaught.pipeline.stages import CurateStage, GradeStage, ProblemsStage, RolloutStage
from selftaught.progress import silent
from selftaught.runs import RunFolder
from selftaught.store import iter_lines

SMALL = ["pool.limit=10", "test.limit=2", "pool.seed=3", "defaults.max_rows=14", "defaults.max_tokens=500"]
FIRST = ("problems", "round1/")


def rows(path: Path) -> list[dict[str, object]]:
    """Lines without what differs from run to run: times, and the note on what was shared."""

    def settled(value: object) -> object:
        if isinstance(value, dict):
            left_out = ("wall_s", "created_at", "shared_tokens", "cached", "tier")
            return {key: settled(item) for key, item in value.items() if key not in left_out}
        return [settled(item) for item in value] if isinstance(value, list) else value

    found = [settled(json.loads(line)) for _, line in iter_lines(path)]
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True))  # type: ignore[return-value]


def first_round(folder: Path, *more: str) -> tuple[RunFolder, int]:
    """Everything up to D_seed, and the tokens that were sampled."""
    run, tokens = RunFolder(folder), 0
    for stage in build_stages(load_recipe("demo", [*SMALL, *more])):
        wanted = isinstance(stage, ProblemsStage | RolloutStage | GradeStage | CurateStage)
        if wanted and stage.name.startswith(FIRST):
            tokens += perform(run, stage, 1, silent).tokens
    return run, tokens


def test_the_same_data_set_from_fewer_tokens(tmp_path: Path) -> None:
    apart, tokens = first_round(tmp_path / "apart")
    forked, fewer = first_round(tmp_path / "forked", "seed_round.fork=true")
    for name in ("round1/greedy", "round1/hinted"):
        for file in ("trajectories.jsonl", "grades.jsonl"):
            assert rows(apart.path / name / file) == rows(forked.path / name / file)
    kept = rows(apart.path / "round1/d_seed/kept.jsonl")
    assert kept == rows(forked.path / "round1/d_seed/kept.jsonl") and kept
    assert fewer < tokens


def test_the_stages_of_a_forked_round() -> None:
    apart = {stage.name: stage for stage in build_stages(load_recipe("demo"))}
    forked = {stage.name: stage for stage in build_stages(load_recipe("demo", ["seed_round.fork=true"]))}
    assert set(apart) - set(forked) == {"round1/greedy"}
    hinted = forked["round1/hinted"]
    assert isinstance(hinted, RolloutStage) and [ref.name for ref in hinted.writes] == [
        "round1/hinted",
        "round1/greedy",
    ]
    assert forked["round1/greedy/grade"].need_names == ["round1/hinted"]
    assert forked["round1/d_seed"].content() == apart["round1/d_seed"].content()
    assert forked["round1/hinted"].own_digest() != apart["round1/hinted"].own_digest()


def test_old_recipes_keep_their_digest() -> None:
    assert load_recipe("demo").digest() == load_recipe("demo", ["seed_round.fork=false"]).digest()
    assert load_recipe("demo").digest() != load_recipe("demo", ["seed_round.fork=true"]).digest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["seed_round.greedy.seed=4"], "seed_round.fork: seed is 0 with hints and 4 without"),
        (["seed_round.rollout.temperature=0.7"], "temperature is 0.7 with hints and 0.0 without"),
        (["ray={workers: 2}"], "whose workers do not fork"),
    ],
)
def test_rounds_that_cannot_fork_are_refused(changes: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_recipe("demo", ["seed_round.fork=true", *changes])
