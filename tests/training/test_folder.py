"""A training is planned before any model is loaded: settings, what suits the base, trackers that are not there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from selftaught.errors import ConfigError, MissingPartError
from selftaught.training.folder import TRACKERS, check_trackers, plan_training


def test_settings_that_suit_the_embedded_model_are_taken_and_named(tmp_path: Path) -> None:
    plan = plan_training(tmp_path, "toy", tmp_path / "m", {"epochs": 1.0, "seed": None})
    assert plan.settings.epochs == 1 and plan.settings.learning_rate == plan.defaults["learning_rate"]
    assert "epochs" not in plan.defaults and plan.data == tmp_path / "kept.jsonl" and not plan.is_done


def test_trackers_are_checked_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"report_to is 'wandbb'; expected tensorboard, trackio, wandb\. Did you mean wandb\?"
    ):
        plan_training(tmp_path, "toy", tmp_path / "m", {"report_to": "wandbb"})
    for name, package in TRACKERS.items():
        if importlib.util.find_spec(package) is None:
            with pytest.raises(MissingPartError, match=f"pip install {name}"):
                plan_training(tmp_path, "toy", tmp_path / "m", {}, overrides=[f"report_to=[{name}]"])
    check_trackers([])
