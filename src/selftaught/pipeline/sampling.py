"""What every stage that samples needs: the model, served where the recipe says so, and the rollout's settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from selftaught.pipeline.options import RolloutOptions
from selftaught.pipeline.stages import Model, ProbeStage, RolloutStage
from selftaught.runs.folders import RunFolder
from selftaught.runs.stages import StageRef

if TYPE_CHECKING:
    from selftaught.rollouts import RolloutSettings


def model_of(run: RunFolder, model: Model) -> str:
    """The folder of a model trained in this run; anything else as it stands."""
    return str(run.model(model).path) if isinstance(model, StageRef) else model


@contextmanager
def sampled_model(run: RunFolder, model: Model, stage: RolloutStage | ProbeStage) -> Iterator[tuple[str, str | None]]:
    """(model or the URL of its server, its name there): servers run while the context is open."""
    name = model_of(run, model)
    if stage.serving is None:
        yield name, None
        return
    from selftaught.pipeline.serving import served

    with served(name, stage.serving, run.server_logs(stage.ref), stage.cluster) as url:
        yield url, name


def sampling_settings(options: RolloutOptions, condition: str, workers: int, served_as: str | None) -> RolloutSettings:
    """Settings of a rollout; ``served_as`` names the model on a server that was started for it."""
    given = {"workers": workers, **options.root, "condition": condition}
    if served_as is not None:
        given["model_name"] = given.get("model_name") or served_as
    return options.settings(**given)
