"""Train on a data set's folder: settings from options, a file and what suits the base."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from selftaught.errors import ConfigError, MissingPartError
from selftaught.progress import Progress, Reporter, counted, silent
from selftaught.runs.folders import DataFolder, ModelFolder
from selftaught.tokens.folder import model_source
from selftaught.training.launch import read_settings
from selftaught.training.render import load_rows
from selftaught.training.settings import SftSettings, TrainingSummary, defaults_for
from selftaught.training.sft import train_sft

TRACKERS = {"tensorboard": "tensorboard", "trackio": "trackio", "wandb": "wandb"}
"""Where a training can report to beside its ``metrics.jsonl``, and the package that this needs."""


@dataclass(frozen=True)
class TrainPlan:
    """What is going to be trained."""

    data: Path
    base: str | Path
    model: str
    """The base as it was named."""
    out: Path
    settings: SftSettings
    defaults: Mapping[str, Any]
    """Settings that suit the base better than the general defaults, where none were given."""

    def run(self, progress: Reporter = silent) -> TrainingSummary:
        """Train, or go on; a finished model gives its summary at once. Raises what `train_sft` raises."""
        rows = load_rows(self.data, self.settings.loss, self.settings.max_length)
        progress(Progress("training", notes=(f"loading {self.model}",)))
        return train_sft(rows, self.base, self.out, self.settings, progress=counted(progress, "training"))

    @property
    def is_done(self) -> bool:
        """Whether ``out`` holds a finished model."""
        return ModelFolder(self.out).summary.exists()


def check_trackers(names: Sequence[str]) -> None:
    """ConfigError for a tracker that is not known, MissingPartError, before the work, for one that is not installed."""
    for name in names:
        if name not in TRACKERS:
            near = get_close_matches(name, TRACKERS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(f"report_to is {name!r}; expected {', '.join(TRACKERS)}.{hint}")
        if importlib.util.find_spec(TRACKERS[name]) is None:
            raise MissingPartError(f"report_to {name} needs a package that is not installed; pip install {name}.")


def plan_training(
    data: Path,
    model: str,
    out: Path,
    given: Mapping[str, Any],
    *,
    config: Path | None = None,
    part: str | None = None,
    overrides: list[str] | None = None,
) -> TrainPlan:
    """Settings by name (``given``; None is not given), a YAML file or a part of a recipe, ``key=value`` overrides.

    ConfigError names the key that is wrong.
    """
    base = model_source(model)
    defaults = defaults_for(base) if config is None else {}
    named = {key: value for key, value in given.items() if value is not None}
    if isinstance(report_to := named.get("report_to"), str):
        named["report_to"] = [name.strip() for name in report_to.split(",") if name.strip()]
    settings = read_settings(config, part, {**defaults, **named}, overrides or [])
    check_trackers(settings.report_to)
    shown = {key: value for key, value in defaults.items() if key not in named}
    return TrainPlan(DataFolder(data).kept if data.is_dir() else data, base, model, out, settings, shown)
