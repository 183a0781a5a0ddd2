"""Which stages of a run are done already, before it is begun: in its own folder, or in runs that ``--reuse`` names."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from selftaught.pipeline import perform as performing
from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.markers import finished, write_marker
from selftaught.pipeline.recipe import Recipe
from selftaught.pipeline.reuse import find_done, open_other
from selftaught.pipeline.runfile import open_run
from selftaught.pipeline.stages import ProblemsStage
from selftaught.problems.sources import is_here
from selftaught.progress import silent
from selftaught.runs.folders import RunFolder
from selftaught.store import write_json


def foresee(recipe: Recipe, out: Path | None, reuse: Sequence[Path]) -> dict[str, str]:
    """Why nothing is left to do in a stage, by its name: ``done``, or the run that it will be taken over from.

    Nothing is written into any of these folders. Which problems there are decides what can be taken over, so they are
    made in a temporary folder where ``reuse`` names runs; where they are not on this machine, nothing is foreseen.
    Raises ConfigError for whatever `execute` would refuse.
    """
    stages = build_stages(recipe)
    known: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="selftaught-plan-") as place:
        run = RunFolder(Path(place) / "run")
        if out is not None and RunFolder(out).record.is_file():
            for name, marker in finished(RunFolder(out), stages).items():
                stage = next(stage for stage in stages if stage.name == name)
                write_json(run.marker(stage.ref), marker.model_dump(mode="json"))
                known[name] = "done"
        sources = [source for source in (recipe.pool, recipe.test) if source is not None]
        if not reuse or not all(map(is_here, sources)):
            return known
        begun = RunFolder(Path(place) / "begun")
        record = open_run(begun, recipe, fresh=False)
        others = [open_other(path, RunFolder(out) if out is not None else begun, recipe, record) for path in reuse]
        for stage in stages:
            if stage.name in known:
                continue
            if isinstance(stage, ProblemsStage):
                write_marker(run, stage, performing.perform(run, stage, 0, silent), 0.0)
            elif (found := find_done(run, stage, others)) is not None:
                other, marker = found
                write_json(run.marker(stage.ref), marker.model_dump(mode="json"))
                known[stage.name] = f"taken over from {other.path}"
    return known
