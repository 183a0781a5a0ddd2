"""A learned policy in a rollout of the embedded model: the same file, the same decisions, at any batch and worker count."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.hints import load_library
from selftaught.hints.learned import FORMAT, LearnedHints
from selftaught.records import Problem, Trajectory
from selftaught.rollouts import RolloutSettings, run_rollout
from selftaught.rollouts.verify_folder import verify_folder
from selftaught.store import read_jsonl
from selftaught.toy.problems import generate

COMMON = {"max_tokens": 500, "workers": 1, "tool_timeout_s": 5.0, "preload": (), "dtype": "float32"}


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Design B: `general` where the last characters have many digits; of code nothing is known."""
    arm = {
        "pairs": 100,
        "gain": 30,
        "loss": 0.5,
        "both": 40,
        "neither": 40,
        "extra_tokens": 20,
        "risk": 0,
        "barred": False,
    }
    learned = LearnedHints.model_validate(
        {
            "format": FORMAT,
            "design": "features",
            "learned_from": {"digest": "0" * 16, "num_forks": 9, "num_pairs": 9, "num_problems": 9, "models": ["toy"]},
            "cells": [{"kind": "math", "place": place, "arms": {"general": arm}} for place in ("word", "end")],
            "features": {
                "gain_bias": 0.0,
                "loss_bias": -5.0,
                "columns": [{"name": "digits", "mean": 0.1, "scale": 0.05, "gain": 3.0, "loss": 0.0}],
                "threshold": 0.4,
            },
            "functions": {"general": load_library().functions["general"].model_dump()},
        }
    )
    path = tmp_path_factory.mktemp("learned") / "policy.json"
    path.write_text(learned.model_dump_json())
    return path


@pytest.fixture(scope="module")
def few() -> list[Problem]:
    return generate("dev", counts={"easy": 4, "hard": 4, "code": 1}, seed=5)


def trajectories(folder: Path) -> dict[str, Trajectory]:
    return {one.id: one for one in read_jsonl(folder / "trajectories.jsonl", Trajectory)}


def test_decisions_and_tokens_do_not_depend_on_batch_and_workers(
    policy: Path, few: list[Problem], tmp_path: Path
) -> None:
    """In this process row by row, in one worker together, shared by two workers."""
    made = {}
    for name, rows, workers in (("alone", 1, 0), ("together", 12, 1), ("shared", 3, 2)):
        settings = RolloutSettings(**{**COMMON, "hints": str(policy), "max_rows": rows, "workers": workers})
        run_rollout(few, "toy", tmp_path / name, settings)
        made[name] = trajectories(tmp_path / name)
    alone = made["alone"]
    for other in made.values():
        assert {key: (one.token_ids(), one.decisions) for key, one in alone.items()} == {
            key: (one.token_ids(), one.decisions) for key, one in other.items()
        }
    decisions = [decision for one in alone.values() for decision in one.decisions or []]
    assert {decision.taken for decision in decisions if "digits" in decision.reason} == {True, False}
    assert any("debug" in hint.id for one in alone.values() for hint in one.hints())  # code: the paper's policy
    assert verify_folder(tmp_path / "alone").holds


def test_another_policy_does_not_resume_the_run(policy: Path, few: list[Problem], tmp_path: Path) -> None:
    from selftaught.errors import ConfigError

    mine = tmp_path / "policy.json"
    mine.write_text(policy.read_text())
    settings = RolloutSettings(**COMMON, hints=str(mine), max_rows=12)
    run_rollout(few[:1], "toy", tmp_path / "run", settings)
    mine.write_text(policy.read_text().replace('"threshold":0.4', '"threshold":0.5'))
    with pytest.raises(ConfigError, match="hint library"):
        run_rollout(few[:1], "toy", tmp_path / "run", settings)
