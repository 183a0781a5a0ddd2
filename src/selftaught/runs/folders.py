"""The folders of a run and the files in each. A path is made here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from selftaught.errors import ConfigError
from selftaught.runs.names import FILES
from selftaught.runs.stages import (
    Part,
    StageRef,
    greedy_rollout,
    hinted_rollout,
    random_greedy_rollout,
    random_rollout,
)


@dataclass(frozen=True)
class Folder:
    """What every folder of a run has: its record, its problems, its report, its writer's lock."""

    path: Path

    @property
    def record(self) -> Path:
        """The record of what made the folder (``run.json``)."""
        return self.path / FILES.record

    @property
    def problems(self) -> Path:
        """The problems that the model was asked, kept beside its answers."""
        return self.path / FILES.problems

    @property
    def lock(self) -> Path:
        """The lock that the folder's writer holds."""
        return self.path / FILES.lock

    @property
    def report_json(self) -> Path:
        """The report's numbers as JSON."""
        return self.path / FILES.report_json

    @property
    def report_markdown(self) -> Path:
        """The report as Markdown."""
        return self.path / FILES.report_markdown

    @property
    def report_page(self) -> Path:
        """The report as one HTML page."""
        return self.path / FILES.report_page

    @property
    def report_files(self) -> Path:
        """The folder of the report's figures and tables."""
        return self.path / FILES.report

    @property
    def do_not_publish(self) -> Path:
        """The notice beside problems whose authors ask that they are not shown on the web."""
        return self.path / FILES.do_not_publish

    def make(self, option: str = "--out") -> None:
        """Make the folder. ConfigError when that is not possible: ``option`` names what the user gave it by."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise not_writable(self.path, error, option) from None

    def holds_anything(self) -> bool:
        """Whether any file of the user's or ours lies in it; lock files do not count."""
        if not self.path.is_dir():
            return self.path.exists()
        return any(path.name not in (FILES.lock, FILES.grades_lock) for path in self.path.iterdir())


@dataclass(frozen=True)
class RolloutFolder(Folder):
    """One rollout: trajectories, their grades, and what was counted."""

    @classmethod
    def of(cls, trajectories: Path) -> RolloutFolder:
        """The folder that a trajectory file lies in."""
        return cls(trajectories.parent)

    @property
    def trajectories(self) -> Path:
        """The trajectories, one a line."""
        return self.path / FILES.trajectories

    @property
    def grades(self) -> Path:
        """The grades of the trajectories."""
        return self.path / FILES.grades

    @property
    def failures(self) -> Path:
        """Trajectories that ended in an engine or sandbox error; a rerun has made them again."""
        return self.path / FILES.failures

    @property
    def stats(self) -> Path:
        """A summary of each attempt at the rollout."""
        return self.path / FILES.rollout_stats

    @property
    def forks(self) -> Path:
        """The forks of a probe, one a line."""
        return self.path / FILES.forks

    @property
    def grades_lock(self) -> Path:
        """The lock that grading holds; it may run beside the rollout."""
        return self.path / FILES.grades_lock


@dataclass(frozen=True)
class DataFolder(Folder):
    """A data set that curation made."""

    @property
    def kept(self) -> Path:
        """The rows to train on."""
        return self.path / FILES.kept

    @property
    def dropped(self) -> Path:
        """The rows that were not chosen, each with its reason."""
        return self.path / FILES.dropped

    @property
    def funnel(self) -> Path:
        """How many rows each filter and each selection step dropped."""
        return self.path / FILES.funnel

    @property
    def export(self) -> Path:
        """The folder of exports to other formats."""
        return self.path / FILES.export


@dataclass(frozen=True)
class ModelFolder(Folder):
    """A model in the Hugging Face layout, with what its training left beside it."""

    @property
    def summary(self) -> Path:
        """The summary of a training. It exists if and only if the training is complete."""
        return self.path / FILES.training

    @property
    def manner(self) -> Path:
        """How the model wants to be asked."""
        return self.path / FILES.manner

    @property
    def metrics(self) -> Path:
        """Loss and learning rate by step."""
        return self.path / FILES.metrics

    @property
    def weights(self) -> Path:
        """The weights, where one file holds them all."""
        return self.path / FILES.weights

    @property
    def checkpoints(self) -> Path:
        """What training resumes from."""
        return self.path / FILES.checkpoints

    def holds_model(self) -> bool:
        """Whether a model in the Hugging Face layout, whoever made it, lies in the folder."""
        return (self.path / "config.json").is_file()

    @property
    def job(self) -> Path:
        """What the processes of a launcher are to train."""
        return self.path / FILES.job


@dataclass(frozen=True)
class ProblemFolder:
    """The problems of a recipe's run."""

    path: Path

    @property
    def pool(self) -> Path:
        """The problems to learn from."""
        return self.path / FILES.pool

    @property
    def test(self) -> Path:
        """The problems to test on."""
        return self.path / FILES.test

    @property
    def removed(self) -> Path:
        """Pool problems that overlapped with what is tested."""
        return self.path / FILES.removed

    @property
    def probed(self) -> Path:
        """The pool problems on which hints are probed."""
        return self.path / FILES.probed

    @property
    def rest(self) -> Path:
        """The pool problems that are not probed."""
        return self.path / FILES.rest


@dataclass(frozen=True)
class RunFolder(Folder):
    """The folder of a recipe's run: one folder a stage, markers, logs."""

    @property
    def problem_sets(self) -> ProblemFolder:
        """The problems of the run: pool, test, and those removed."""
        return ProblemFolder(self.path / FILES.problem_folder)

    @property
    def markers(self) -> Path:
        """Folder of the done-markers."""
        return self.path / FILES.markers

    @property
    def logs(self) -> Path:
        """Folder of the stages' logs."""
        return self.path / FILES.logs

    def marker(self, stage: StageRef) -> Path:
        """Proof that a stage is done."""
        return self.markers / f"{stage.file_stem}.json"

    def log(self, stage: StageRef) -> Path:
        """The log of what a stage printed."""
        return self.logs / f"{stage.file_stem}.log"

    def server_logs(self, stage: StageRef) -> Path:
        """Folder for the output of servers started for a stage."""
        return self.logs / stage.file_stem

    def stage_lock(self, stage: StageRef) -> Path:
        """Held by the process that performs a stage."""
        return self.logs / f"{stage.file_stem}.lock"

    def rollout(self, stage: StageRef) -> RolloutFolder:
        """The folder of a rollout stage."""
        return RolloutFolder(self.path / stage.folder)

    def data(self, stage: StageRef) -> DataFolder:
        """The folder of a curation stage."""
        return DataFolder(self.path / stage.folder)

    def model(self, stage: StageRef) -> ModelFolder:
        """The folder of a training stage."""
        return ModelFolder(self.path / stage.folder)

    def policy(self, stage: StageRef) -> Path:
        """The file of the stage that learns a hint policy."""
        return self.path / stage.folder / FILES.policy

    def relative(self, path: Path) -> str:
        """A path below the run as markers and reports keep it."""
        return path.relative_to(self.path).as_posix()

    def stage_of(self, folder: Path) -> StageRef | None:
        """The stage that writes into ``folder``, or None."""
        try:
            return StageRef.parse(folder.resolve().relative_to(self.path.resolve()).as_posix())
        except ValueError:
            return None

    def knows(self, stage: StageRef) -> bool:
        """Whether a stage of this run was ever begun; the report begins the plain folder beside a curve, and a hinted
        rollout that forks the greedy pass."""
        begun = [stage, stage.by_rounds] if stage.part is Part.EVALUATION else [stage]
        beside = {greedy_rollout(): hinted_rollout(), random_greedy_rollout(): random_rollout()}
        if stage in beside:
            begun.append(beside[stage])
        return any(path(ref).exists() for ref in begun for path in (self.marker, self.log, self.stage_lock))

    def entries(self) -> set[str]:
        """Names of everything that a recipe's run writes at its top."""
        own = {part.label for part in Part} | {FILES.problem_folder, FILES.markers, FILES.logs, FILES.record}
        return own | {FILES.report_json, FILES.report_markdown, FILES.report_page, FILES.report, FILES.lock}


@dataclass(frozen=True)
class CurateInput:
    """One rollout that goes into a data set."""

    name: str
    """How kept and dropped rows call their source."""
    folder: Path
    candidate: bool = True
    """Its rows may be chosen; each lands in kept or dropped."""
    reference: bool = False
    """Its verdicts say which problems the greedy run solved. Hinted branches of a probe say nothing of that."""
    text_only: bool = False
    """Of its rows only those without hints and calls may be chosen; the others are not looked at."""

    @property
    def trajectories(self) -> Path:
        """The trajectories of this input."""
        return RolloutFolder(self.folder).trajectories

    @property
    def grades(self) -> Path:
        """The grades of the trajectories."""
        return RolloutFolder(self.folder).grades

    def under(self, run: Path) -> CurateInput:
        """The same with its folder, which was relative to ``run``, below it."""
        return replace(self, folder=run / self.folder)


def rollouts_below(folder: Path) -> list[RolloutFolder]:
    """All folders with trajectories at or below ``folder``, in order of path."""
    return [RolloutFolder.of(path) for path in sorted(folder.rglob(FILES.trajectories))]


def data_sets_below(folder: Path) -> list[DataFolder]:
    """All folders with a data set at or below ``folder``, in order of path."""
    found = (DataFolder(path.parent) for path in sorted(folder.rglob(FILES.funnel)))
    return [data for data in found if data.dropped.exists()]


def upwards(folder: Path, levels: int = 4) -> Iterator[Path]:
    """``folder``, then the folders that it lies in, at most ``levels`` of them."""
    here = folder.resolve()
    yield here
    yield from list(here.parents)[:levels]


def not_writable(path: Path, error: OSError, option: str = "--out") -> ConfigError:
    """The error for a folder that cannot be made or written."""
    why = error.strerror or str(error)
    if path.is_file():
        why = "it is a file"
    return ConfigError(f"{option} {path} cannot be written ({why}); name a folder that can be made here.")


def same_folder(a: Path, b: Path) -> bool:
    """Whether two paths are one folder."""
    return os.path.realpath(a) == os.path.realpath(b)
