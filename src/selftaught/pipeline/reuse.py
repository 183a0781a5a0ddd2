"""Stages that another run has done already: taken over, not done again.

Who changes one key of a recipe keeps the hours that do not depend on it: another test, another condition or another
training leaves the samples of round one as they are. A stage is taken over when it was asked to do the same there, and
what it read there is the same, byte by byte, as what lies here. So the stages before it come first, one after another.
Problems and the report are always made anew; they take seconds.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from selftaught.errors import ConfigError
from selftaught.pipeline.markers import Marker, StageResult, read_marker, stage_digest, write_marker
from selftaught.pipeline.recipe import Recipe
from selftaught.pipeline.stages import GradeStage, ProblemSet, ProblemsStage, ReportStage, RolloutStage, Stage
from selftaught.provenance import file_digest
from selftaught.runs.folders import ModelFolder, RolloutFolder, RunFolder, same_folder
from selftaught.runs.record import RunKind, RunRecord, read_claimable
from selftaught.runs.stages import Part, StageRef


def open_other(path: Path, run: RunFolder, recipe: Recipe, here: RunRecord) -> RunFolder:
    """A run whose stages may be taken over. ConfigError when it is none, this one, or begins from another base."""
    other = RunFolder(path)
    there = read_claimable(path, RunKind.RECIPE) if path.is_dir() else None
    if there is None:
        raise ConfigError(
            f"--reuse {path} holds no {run.record.name} of a recipe's run; name a folder that `run` wrote."
        )
    if same_folder(path, run.path):
        raise ConfigError(f"--reuse {path} is the run itself, which goes on by itself; leave --reuse out.")
    weights = there.models.get(recipe.base_model, "")
    if weights != here.models.get(recipe.base_model, ""):
        raise ConfigError(
            f"--reuse {path} began from another base model than {recipe.base_model}, or from other weights under this name; "
            "expected the same ones. Leave --reuse out."
        )
    return other


def take_over(run: RunFolder, stage: Stage, others: Sequence[RunFolder]) -> Marker | None:
    """Copy a stage that one of ``others`` has finished, and mark it as done here; the first one that has it counts.

    None where it must be done here, or has begun here.
    """
    if (found := find_done(run, stage, others)) is None:
        return None
    other, there = found
    if not (_copy_grades(run, stage, other) if isinstance(stage, GradeStage) else _copy_folders(run, stage, other)):
        return None
    result = StageResult(tokens=there.tokens, detail=there.detail, outputs=list(there.hashes))
    return write_marker(run, stage, result, there.seconds, taken_from=str(other.path))


def find_done(run: RunFolder, stage: Stage, others: Sequence[RunFolder]) -> tuple[RunFolder, Marker] | None:
    """The first of ``others`` that has done what ``stage`` would do here, and its marker. Markers are read of ``run``."""
    if isinstance(stage, ProblemsStage | ReportStage):
        return None
    for other in others:
        there = read_marker(other, stage.ref)
        if there is None or there.digest != stage_digest(other, stage) or not _reads_the_same(run, stage, other):
            continue
        files = {other.path / name: value for name, value in there.hashes.items()}
        if all(file.is_file() and file_digest(file) == value for file, value in files.items()):
            return other, there  # nobody changed or deleted them since
    return None


def _reads_the_same(run: RunFolder, stage: Stage, other: RunFolder) -> bool:
    """Whether all that the stage needs is the same in both runs."""
    for need in stage.needs:
        here, there = read_marker(run, need), read_marker(other, need)
        if here is None or there is None:
            return False
        if need.part is Part.PROBLEMS:
            label = getattr(stage, "problems", ProblemSet.POOL).label
            if here.hashes.get(label) is None or here.hashes.get(label) != there.hashes.get(label):
                return False
        elif not here.hashes or here.hashes != there.hashes:
            return False
    return True


def _copy_folders(run: RunFolder, stage: Stage, other: RunFolder) -> bool:
    """The stage's folders, each as a whole. False, and nothing is copied, when the stage has begun here."""
    written: list[StageRef] = stage.writes if isinstance(stage, RolloutStage) else [stage.ref]
    targets = [run.path / ref.folder for ref in written]
    if any(target.is_dir() and any(target.iterdir()) for target in targets):
        return False
    for ref, target in zip(written, targets, strict=True):
        source, partial = other.path / ref.folder, _partial(run, ref)
        shutil.rmtree(partial, ignore_errors=True)
        left = {RolloutFolder(source).grades, RolloutFolder(source).grades_lock, RolloutFolder(source).lock}
        left |= {ModelFolder(source).checkpoints}
        shutil.copytree(
            source,
            partial,
            ignore=lambda folder, names, left=left: [name for name in names if Path(folder) / name in left],
            copy_function=_link_or_copy,
        )
        if target.is_dir():
            target.rmdir()
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(target)
    return True


def _partial(run: RunFolder, ref: StageRef) -> Path:
    """Where a copy lies until it is whole. Among the logs, so that one that a kill leaves behind is no stage, and goes by --fresh."""
    return run.logs / f"{ref.file_stem}.taken"


def _copy_grades(run: RunFolder, stage: Stage, other: RunFolder) -> bool:
    """The grades of a rollout. False when some lie here already."""
    source, target = other.rollout(stage.ref).grades, run.rollout(stage.ref).grades
    if target.exists():
        return False
    partial = _partial(run, stage.ref)
    shutil.copy2(source, partial)
    partial.rename(target)
    return True


def _link_or_copy(source: str, target: str) -> str:
    """Weights are large and never written again, so both runs may hold one file."""
    if source.endswith(".safetensors"):
        try:
            os.link(source, target)
        except OSError:  # another disk, or a file system without links
            pass
        else:
            return target
    return str(shutil.copy2(source, target))
