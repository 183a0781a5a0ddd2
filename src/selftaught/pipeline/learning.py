"""Stages of a round that learns its hint policy: the split of the pool, the probe, the policy, and what the rows cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from selftaught.errors import ConfigError
from selftaught.pipeline.markers import StageResult
from selftaught.pipeline.options import as_probe
from selftaught.pipeline.sampling import sampled_model, sampling_settings
from selftaught.pipeline.stages import CurateStage, PolicyStage, ProbeStage
from selftaught.progress import Reporter
from selftaught.provenance import hashed_order
from selftaught.records import Problem, Trajectory
from selftaught.runs.folders import RolloutFolder, RunFolder
from selftaught.store import read_jsonl, write_json, write_records


def split_pool(run: RunFolder, pool: list[Problem], share: float) -> int:
    """Write the probed share of the pool and the rest into files of their own; the number of probed problems.

    Which problems are probed follows from a hash of their ids alone, neither from their order nor from a seed. Both
    parts hold a problem at least; ConfigError for a pool that is too small for that.
    """
    if len(pool) < 2:
        raise ConfigError(
            f"pool: {len(pool)} problems; hints: learned probes one part and uses the other, so it needs at least 2."
        )
    count = min(max(1, round(share * len(pool))), len(pool) - 1)
    probed = set(hashed_order((problem.id for problem in pool), "probe")[:count])
    sets = run.problem_sets
    write_records(sets.probed, (problem for problem in pool if problem.id in probed))
    write_records(sets.rest, (problem for problem in pool if problem.id not in probed))
    return count


def perform_probe(run: RunFolder, stage: ProbeStage, workers: int, progress: Reporter) -> StageResult:
    """Fork, grade, join: what ``hints probe`` does."""
    from selftaught.uplift.probe import run_probe

    problem_file, folder = stage.problems.file(run), run.rollout(stage.ref)
    problems = list(read_jsonl(problem_file, Problem))
    with sampled_model(run, stage.model, stage) as (model, served_as):
        if stage.serving is not None:
            workers = min(workers, stage.serving.replicas)
        settings = as_probe(sampling_settings(stage.options, "probe", workers, served_as))
        found = run_probe(
            problems,
            model,
            folder.path,
            settings,
            stage.learn.probe,
            progress=progress,
            problem_file=problem_file,
            grading_workers=workers,
        )
    detail = (
        f"{found.num_trajectories} trajectories, {found.num_branches} branches with a hint, {found.num_forks} forks; "
        f"{found.gains} gains, {found.losses} losses"
    )
    files = (folder.trajectories, folder.grades, folder.forks)
    return StageResult(tokens=found.sampled_tokens, detail=detail, outputs=[run.relative(file) for file in files])


def perform_policy(run: RunFolder, stage: PolicyStage) -> StageResult:
    """Learn: what ``hints learn`` does, from all pairs. The paper's policy where they are too few."""
    from selftaught.hints import load_library
    from selftaught.uplift.learn import learn
    from selftaught.uplift.records import Fork

    forks = list(read_jsonl(run.rollout(stage.probe).forks, Fork))
    policy = learn(forks, load_library().functions, stage.learn.learning).policy
    file = run.policy(stage.ref)
    write_json(file, policy.model_dump(mode="json"))
    source, words = policy.learned_from, {"paper": "the paper's", "cells": "design a", "features": "design b"}
    detail = policy.why
    if policy.design != "paper":
        pairs = f"{source.num_pairs:,} pairs of {source.num_problems:,} problems"
        detail = f"{words[policy.design]}, from {pairs}; {policy.why}"
    return StageResult(detail=detail, outputs=[run.relative(file)])


def sampled_tokens(folders: Iterable[RolloutFolder]) -> dict[str, int]:
    """Problem → tokens that were sampled for it in all of ``folders``; what several trajectories share counts once."""
    found: dict[str, int] = {}
    for folder in folders:
        for one in read_jsonl(folder.trajectories, Trajectory):
            found[one.problem_id] = found.get(one.problem_id, 0) + one.num_sampled() - (one.shared_tokens or 0)
    return found


def within_budget(tokens: Mapping[str, int], budget: int) -> set[str]:
    """The problems, in the order of a hash of their ids, up to the first that would go beyond ``budget`` tokens."""
    taken: set[str] = set()
    spent = 0
    for name in hashed_order(tokens, "budget"):
        spent += tokens[name]
        if spent > budget:
            break
        taken.add(name)
    return taken


def cost_of(run: RunFolder, stage: CurateStage) -> tuple[int, frozenset[str], str]:
    """(tokens that were sampled for the rows of ``stage``, problems beyond its budget, both in words)."""
    tokens = sampled_tokens(run.rollout(ref) for ref in stage.sampled_by)
    if not stage.budget_of:
        return sum(tokens.values()), frozenset(), ""
    budget = sum(sampled_tokens(run.rollout(ref) for ref in stage.budget_of).values())
    taken = within_budget(tokens, budget)
    spent = sum(tokens[name] for name in taken)
    words = f" of {budget:,}, for {len(taken):,} of {len(tokens):,} problems"
    return spent, frozenset(tokens) - taken, words
