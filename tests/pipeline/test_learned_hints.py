"""A recipe whose first round learns its hint policy: what it probes, what it uses for the rest, and its control."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from selftaught.curation.records import Funnel, KeptRow
from selftaught.errors import ConfigError
from selftaught.hints.learned import read_learned
from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.learning import hashed_order, sampled_tokens, split_pool, within_budget
from selftaught.pipeline.load import load_recipe
from selftaught.pipeline.perform import perform
from selftaught.pipeline.plan import make_plan
from selftaught.pipeline.stages import CurateStage, PolicyStage, ProbeStage, ProblemSet, RolloutStage, Stage, TrainStage
from selftaught.progress import silent
from selftaught.records import Grade, Problem, Trajectory
from selftaught.runs import RunFolder
from selftaught.store import read_jsonl
from selftaught.toy.problems import generate

SMALL = ["pool.limit=16", "test.limit=2", "pool.seed=3", "defaults.max_rows=14", "defaults.max_tokens=500"]
FIRST = ("problems", "round1/")
SIZES = {"easy": 6, "hard": 6, "code": 4}


def first_round(folder: Path, name: str, *more: str) -> tuple[RunFolder, dict[str, str]]:
    """Everything up to D_seed, and what each stage said."""
    run, said = RunFolder(folder), {}
    for stage in build_stages(load_recipe(name, [*SMALL, *more])):
        if stage.name.startswith(FIRST) and not isinstance(stage, TrainStage):
            said[stage.name] = perform(run, stage, 1, silent).detail
    return run, said


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, dict[str, str]]:
    return first_round(tmp_path_factory.mktemp("learned"), "learned-hints")


def ids(path: Path) -> set[str]:
    return {problem.id for problem in read_jsonl(path, Problem)}


def asked(run: RunFolder, stage: str) -> set[str]:
    return {one.problem_id for one in read_jsonl(run.path / stage / "trajectories.jsonl", Trajectory)}


def kept(run: RunFolder, name: str) -> list[KeptRow]:
    return list(read_jsonl(run.path / "round1" / name / "kept.jsonl", KeptRow))


def test_one_part_is_probed_and_the_other_is_hinted(learned: tuple[RunFolder, dict[str, str]]) -> None:
    run, said = learned
    pool, probed, rest = (ids(one.file(run)) for one in (ProblemSet.POOL, ProblemSet.PROBED, ProblemSet.REST))
    assert probed | rest == pool and not probed & rest and len(probed) == round(0.3 * len(pool))
    assert asked(run, "round1/probe") == probed and f"{len(probed)} of the pool to probe" in said["problems"]
    assert asked(run, "round1/hinted") == asked(run, "round1/greedy") == rest
    assert asked(run, "round1/random") == asked(run, "round1/random-greedy") == pool


def test_too_few_pairs_give_the_papers_policy_and_say_so(learned: tuple[RunFolder, dict[str, str]]) -> None:
    run, said = learned
    policy = read_learned(run.path / "round1/policy/policy.json")
    assert policy.design == "paper" and "so this is the paper's policy" in said["round1/policy"]
    # Then it is random insertion by another name: the same trajectories on the same problems.
    hinted, random = (
        {one.id: one.token_ids() for one in read_jsonl(run.path / f"round1/{name}/trajectories.jsonl", Trajectory)}
        for name in ("hinted", "random")
    )
    assert hinted == {name: tokens for name, tokens in random.items() if name in hinted}


def test_rows_come_from_the_probe_too(learned: tuple[RunFolder, dict[str, str]]) -> None:
    run, _ = learned
    rows = kept(run, "d_learned")
    grades = {one.trajectory_id: one for one in read_jsonl(run.path / "round1/probe/grades.jsonl", Grade)}
    branches = [row for row in rows if row.source == "round1/probe" and row.facts.num_calls]
    assert branches and len({row.trajectory.problem_id for row in rows}) == len(rows)
    for row in branches:
        plain = row.trajectory.id.rpartition("@")[0]
        assert row.trajectory.is_branch() and grades[row.trajectory.id].correct and not grades[plain].correct


def test_the_control_has_the_same_budget_and_both_the_same_size(
    learned: tuple[RunFolder, dict[str, str]], tmp_path: Path
) -> None:
    run, said = learned
    budget = sum(sampled_tokens(run_folders(run, "probe", "hinted", "greedy")).values())
    tokens = sampled_tokens(run_folders(run, "random", "random-greedy"))
    taken = within_budget(tokens, budget)
    assert f"from {budget:,} sampled tokens" in said["round1/d_learned"]
    assert f"of {budget:,}, for {len(taken):,} of 16 problems" in said["round1/d_random"]
    assert {row.trajectory.problem_id for row in kept(run, "d_random")} <= taken
    size = min(len(kept(run, "d_learned")), len(kept(run, "d_random")))
    assert len(kept(run, "d_seed")) == size > 0
    assert {row.trajectory.id for row in kept(run, "d_seed")} <= {row.trajectory.id for row in kept(run, "d_learned")}
    other, _ = first_round(tmp_path, "random-insertion")
    assert [row.trajectory.id for row in kept(other, "d_random")] == [row.trajectory.id for row in kept(run, "d_random")]
    assert len(kept(other, "d_seed")) == size
    assert {row.trajectory.id for row in kept(other, "d_seed")} <= {row.trajectory.id for row in kept(run, "d_random")}


def run_folders(run: RunFolder, *names: str) -> list[object]:
    from selftaught.runs.folders import RolloutFolder

    return [RolloutFolder(run.path / "round1" / name) for name in names]
