"""Find what lies in a folder: its rollouts, and for each its condition, its problems and its model.

Every verb that reads a run asks here, so that all of them understand the same folders: a single rollout, an evaluation,
a recipe's run, a part of one, or several of them below one folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from selftaught.errors import ConfigError, DataError
from selftaught.records import Trajectory
from selftaught.runs.condition import Condition, Curve, tabled_as
from selftaught.runs.folders import Folder, ModelFolder, RolloutFolder, RunFolder, rollouts_below, same_folder, upwards
from selftaught.runs.names import FILES
from selftaught.runs.record import RunKind, RunRecord, peek_record
from selftaught.runs.stages import Part, StageRef
from selftaught.store import read_jsonl


@dataclass(frozen=True)
class FoundRollout:
    """One rollout inside the folder that was asked about."""

    folder: RolloutFolder
    run: RunFolder | None = None
    """The recipe's run that it is part of."""
    stage: StageRef | None = None
    """The stage of that run."""

    @cached_property
    def record(self) -> RunRecord | None:
        """The rollout folder's own record, or None."""
        return peek_record(self.folder.path)

    @cached_property
    def first(self) -> Trajectory | None:
        """The first trajectory, or None without any."""
        return next(iter(read_jsonl(self.folder.trajectories, Trajectory)), None)

    @property
    def condition(self) -> str:
        """The condition's name; the folder's where nothing says it."""
        if self.record is not None and self.record.condition:
            return self.record.condition
        if self.first is not None and self.first.condition:
            return self.first.condition
        return Condition.from_folder(self.folder.path.name).name

    @property
    def tabled(self) -> str:
        """The condition that its row in a table is called by."""
        return tabled_as(self.condition)

    @property
    def curve(self) -> Curve | None:
        """Set when every end-of-thinking round was recorded apart."""
        if self.stage is not None:
            return Curve.HINTS if self.stage.is_curve else None
        named = Condition.from_folder(self.folder.path.name).curve
        if named is not None:
            return named
        if self.record is not None and "record_rounds" in self.record.settings:
            by_rounds = bool(self.record.settings["record_rounds"]) and not self.record.taken_from
        else:
            by_rounds = any(trajectory.round for trajectory in read_jsonl(self.folder.trajectories, Trajectory))
        return Curve.HINTS if by_rounds else None

    @property
    def is_test(self) -> bool:
        """Whether it measures a condition, rather than makes data to train on."""
        return self.stage is None or self.stage.part is Part.EVALUATION

    @property
    def decoding(self) -> str:
        """How tokens were drawn, in words; empty when it was not recorded."""
        settings = self.record.settings if self.record is not None else {}
        temperature = settings.get("temperature")
        if temperature is None:
            return ""
        how = "greedy" if not temperature else f"T {temperature:g}, top-p {settings.get('top_p', 1):g}"
        return f"{how}, at most {settings.get('max_tokens')} tokens"

    @property
    def model(self) -> str:
        """The model as it was named when the rollout was made."""
        return (self.record.model if self.record is not None else "") or (self.first.model if self.first else "")


def find_rollouts(place: Path) -> list[FoundRollout]:
    """All rollouts at or below ``place``, or the one of a trajectory file. DataError when there is none."""
    if place.is_file():
        return [rollout_at(place)]
    found = [_placed(folder) for folder in (rollouts_below(place) if place.is_dir() else [])]
    if not found:
        raise DataError(f"{place} holds no {FILES.trajectories}; expected the folder of a rollout or of a run.")
    return found


def rollout_at(place: Path) -> FoundRollout:
    """The rollout of one folder or of one trajectory file. DataError when there is none."""
    if place.is_file() and place.name != FILES.trajectories:
        raise DataError(f"{place} is a file; expected the folder of a rollout or of a run, or a {FILES.trajectories}.")
    folder = RolloutFolder.of(place) if place.is_file() else RolloutFolder(place)
    if not folder.trajectories.is_file():
        raise DataError(f"{folder.trajectories} is not there; expected a rollout folder or a trajectories file.")
    return _placed(folder)


def recipe_run_of(place: Path) -> RunFolder | None:
    """The recipe's run that ``place`` is, or lies in; None for anything else."""
    for folder in upwards(place if place.is_dir() else place.parent):
        if not Folder(folder).record.is_file():
            continue
        record = peek_record(folder)
        if record is not None and record.kind is RunKind.RECIPE:
            return RunFolder(folder)
    return None


def _placed(folder: RolloutFolder) -> FoundRollout:
    run = recipe_run_of(folder.path)
    return FoundRollout(folder, run, run.stage_of(folder.path) if run is not None else None)


def problem_file(found: FoundRollout) -> Path:
    """The problems of a rollout: as its record says, beside it, or in a folder above it. DataError when there are none.

    Of a recipe's run it is the file, pool or test, that the first trajectory's problem stands in.
    """
    folder = found.folder
    named = found.record.problem_file(folder.path) if found.record is not None else None
    if named is not None:
        return named
    near = problem_file_near(folder.path, found.first.problem_id if found.first is not None else None)
    if near is None:
        raise DataError(
            f"no problems found for {folder.trajectories}; copy the file that was rolled out to {folder.problems}."
        )
    return near


def problem_file_near(folder: Path, problem_id: str | None = None) -> Path | None:
    """Problems in ``folder`` or in a folder above it.

    Of a recipe's pool and test the file that holds ``problem_id``.
    """
    for place in upwards(folder):
        if Folder(place).problems.is_file():
            return Folder(place).problems
        sets = RunFolder(place).problem_sets
        for path in _problem_sets(sets.path):
            if path != sets.removed and (problem_id is None or _holds(path, problem_id)):
                return path
    return None


def _problem_sets(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl")) if folder.is_dir() else []


def _holds(path: Path, problem_id: str) -> bool:
    """Whether a file has a problem of this id; read as bytes, since only the id counts."""
    needle = problem_id.encode()  # parsing every problem with all its tests is slow
    with path.open("rb") as file:
        return any(needle in line for line in file)


def model_folder_candidates(found: FoundRollout) -> Iterator[str]:
    """Where the rollout's model may lie now, likeliest first: as named, or below a folder that it was moved with."""
    record = found.record
    names = [record.tokenizer, record.model] if record is not None else []
    names += [found.first.model] if found.first is not None else []
    for name in dict.fromkeys(name for name in names if name and "://" not in name):
        path = Path(name)
        if path.is_dir() or len(path.parts) < 2:
            yield name
            continue
        for start in range(1, len(path.parts)):
            for place in upwards(found.folder.path):
                moved = ModelFolder(place.joinpath(*path.parts[start:]))
                if moved.holds_model():
                    yield str(moved.path)
        yield name


def tokenizer_of(found: FoundRollout) -> str:
    """The model whose tokenizer made a rollout's ids: a folder, a hub id or ``toy``.

    ConfigError when it is not known.
    """
    for name in model_folder_candidates(found):
        hub_id = name.count("/") == 1 and not name.startswith((".", "/", "~"))
        if name == "toy" or Path(name).is_dir() or hub_id:
            return name
    named = f" ({found.model})" if found.model else ""
    raise ConfigError(
        f"the model of {found.folder.path}{named}, whose tokenizer made the ids, is not here; give its folder with --model."
    )


def is_one_rollout(place: Path, found: list[FoundRollout]) -> bool:
    """Whether ``place`` is a single rollout's own folder or file."""
    return len(found) == 1 and (place.is_file() or same_folder(place, found[0].folder.path))
