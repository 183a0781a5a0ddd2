"""Which stages of a run are done already, before it is begun: in its own folder, or in runs that ``--reuse`` names."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from selftaught.pipeline import perform as performing
from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.markers import finished, save_marker, write_marker
from selftaught.pipeline.recipe import Recipe
from selftaught.pipeline.reuse import find_done, open_other
from selftaught.pipeline.runfile import open_run
from selftaught.pipeline.stages import ProblemsStage
from selftaught.problems.sources import is_here
from selftaught.progress import silent
from selftaught.runs.folders import RunFolder


def foresee(recipe: Recipe, out: Path | None, reuse: Sequence[Path]) -> dict[str, str]:
    """Why nothing is left to do in a stage, by its name: ``done``, or the run that it will be taken over from.

    Nothing is written into any of these folders. Which problems there are decides what can be taken over, so they are
    made in a temporary folder where ``reuse`` names runs; where they are not on this machine, only what is done in
    ``out`` is known. ConfigError for an ``out`` that was made with other settings, and for a run that cannot be reused.
    """
    stages = build_stages(recipe)
    done = finished(RunFolder(out), stages) if out is not None else {}
    known = dict.fromkeys(done, "done")
    sources = [source for source in (recipe.pool, recipe.test) if source is not None]
    if not reuse or not all(map(is_here, sources)):
        return known
    with tempfile.TemporaryDirectory(prefix="selftaught-plan-") as place:
        run = RunFolder(Path(place))
        record = open_run(run, recipe, fresh=False)
        others = [open_other(path, RunFolder(out or Path(place)), recipe, record) for path in reuse]
        for stage in stages:
            if stage.name in done:
                save_marker(run, stage.ref, done[stage.name])
            elif isinstance(stage, ProblemsStage):
                write_marker(run, stage, performing.perform(run, stage, 0, silent), 0.0)
            elif (found := find_done(run, stage, others)) is not None:
                other, marker = found
                save_marker(run, stage.ref, marker)
                known[stage.name] = f"taken over from {other.path}"
    return known
