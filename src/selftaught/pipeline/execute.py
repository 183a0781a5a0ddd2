"""Execute a recipe: open the run folder, run what is missing, record what was used. The same call resumes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from selftaught.pipeline import report
from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.markers import finished
from selftaught.pipeline.outcome import RunOutcome, RunResult
from selftaught.pipeline.progress import Display, Forecast
from selftaught.pipeline.recipe import Recipe
from selftaught.pipeline.reuse import open_other
from selftaught.pipeline.runfile import open_run
from selftaught.pipeline.scheduler import run_stages
from selftaught.pipeline.stages import Stage, TrainStage
from selftaught.progress.bars import Show, bars
from selftaught.provenance import cores, file_digest
from selftaught.runs.folders import RunFolder
from selftaught.runs.lock import WriterLock
from selftaught.runs.record import RunRecord, write_record


def execute(
    recipe: Recipe,
    run: Path,
    *,
    fresh: bool = False,
    reuse: Sequence[Path] = (),
    num_cores: int | None = None,
    quiet: bool = False,
    shown: AbstractContextManager[Show] | None = None,
    start_method: str = "forkserver",
    verb: str = "run",
) -> RunResult:
    """Run ``recipe`` in folder ``run`` to its end, or go on where it stopped.

    ``num_cores`` limits the CPU cores (default: all that the process may use); ``verb`` is what a second writer is
    told; ``reuse`` are other runs, whose finished stages are taken over where settings and inputs are the same; ``shown``
    is who shows the progress, instead of bars on stderr. Raises ConfigError for a folder of another recipe or one that
    another process writes, and StageFailed when a stage fails. A data set without rows raises nothing: what was measured
    is reported, and ``RunResult.empty`` says why.
    """
    stages = build_stages(recipe)
    folder = RunFolder(run)
    with WriterLock(folder.lock, verb):
        record = open_run(folder, recipe, fresh=fresh)
        others = [open_other(path, folder, recipe, record) for path in reuse]
        done = finished(folder, stages)
        if len(done) == len(stages):
            return RunResult(folder, record, stages, done, was_done=True)
        available = num_cores or cores()
        parallel = max(1, min(recipe.parallel_stages, available))
        workers = available // parallel
        display = Display(shown or bars(quiet=quiet))
        display.begin(len(stages), len(done))
        try:
            outcome = run_stages(
                folder,
                stages,
                parallel=parallel,
                workers=0 if workers == 1 else workers,
                forecast=Forecast(recipe.estimates),
                display=display,
                start_method=start_method,
                reuse=others,
            )
        finally:
            display.end()
        _note_what_was_used(folder, record, stages, outcome)
        if outcome.empty:
            report.make_partial_report(folder, stages, outcome)
        return RunResult(folder, record, stages, outcome.markers, was_done=False, empty=outcome.empty)


def _note_what_was_used(run: RunFolder, record: RunRecord, stages: list[Stage], outcome: RunOutcome) -> None:
    """Digests of the problems and of the trained models, into the record."""
    sets = run.problem_sets
    record.data = {run.relative(path): file_digest(path) for path in (sets.pool, sets.test) if path.exists()}
    for stage in stages:
        if isinstance(stage, TrainStage) and stage.name in outcome.markers:
            weights = run.relative(run.model(stage.ref).weights)
            record.models[stage.name] = outcome.markers[stage.name].hashes.get(weights, "")
    write_record(run.path, record)
