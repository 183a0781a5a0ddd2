"""What a folder gives to curate: its rollouts, their problems, the tokenizer, and a greedy rollout to compare with.

A single rollout gives itself. An evaluation's folder gives all its rollouts but the curves. A recipe's run gives what
was rolled out on the pool for START, with the greedy pass as reference; its test problems and its control are left out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from selftaught.errors import ConfigError
from selftaught.runs.folders import CurateInput, RunFolder, same_folder
from selftaught.runs.found import FoundRollout, find_rollouts, problem_file, recipe_run_of, rollout_at
from selftaught.runs.record import RunKind, RunRecord
from selftaught.runs.stages import greedy_rollout


@dataclass(frozen=True)
class Curated:
    """What is going to be curated."""

    rollouts: list[FoundRollout]
    greedy: FoundRollout | None
    """The rollout that says which problems need no hint."""
    place: Path

    def inputs(self, *, mixes_text: bool) -> list[CurateInput]:
        """For curation; ``mixes_text``: right answers of the greedy rollout may be chosen, too."""
        inputs = [CurateInput(self._name(one), one.folder.path) for one in self.rollouts]
        if self.greedy is not None:
            name, folder = self._name(self.greedy), self.greedy.folder.path
            inputs.append(CurateInput(name, folder, candidate=mixes_text, reference=True))
        return inputs

    def problem_files(self) -> list[Path]:
        """The files that the problems stand in, each once."""
        found = [*self.rollouts, *([self.greedy] if self.greedy is not None else [])]
        return list(dict.fromkeys(problem_file(one) for one in found))

    def record(self, out: Path) -> RunRecord:
        """What the data set in ``out`` is made of, as far as the rollouts say it."""
        one = self.rollouts[0]
        return RunRecord(
            kind=RunKind.CURATION,
            model=one.model,
            condition=one.condition,
            problems=Path(os.path.relpath(problem_file(one), out)).as_posix(),
        )

    def _name(self, one: FoundRollout) -> str:
        """How rows call their source: by the stage, or by the path below the folder that was named."""
        if one.stage is not None:
            return one.stage.folder
        return "rollouts" if same_folder(one.folder.path, self.place) else os.path.relpath(one.folder.path, self.place)


def what_to_curate(place: Path, greedy: Path | None = None) -> Curated:
    """The rollouts of ``place``, and the greedy one: as given, or of the recipe's run that ``place`` belongs to.

    ConfigError when a rollout is not graded, or when nothing is left to curate.
    """
    found = find_rollouts(place)
    reference = rollout_at(greedy) if greedy is not None else _greedy_of(place)
    if len(found) > 1:
        whole_run = recipe_run_of(place)
        if whole_run is not None and same_folder(whole_run.path, place):
            found = [one for one in found if not _is_aside(one)]
        found = [one for one in found if one.curve is None]
        if reference is not None:
            found = [one for one in found if not same_folder(one.folder.path, reference.folder.path)]
    elif reference is not None and same_folder(found[0].folder.path, reference.folder.path):
        reference = None  # the greedy rollout itself is curated
    if not found:
        raise ConfigError(f"{place} holds no rollout on problems to learn from; name the folder of one rollout.")
    for one in [*found, *([reference] if reference is not None else [])]:
        if not one.folder.grades.is_file():
            raise ConfigError(f"{one.folder.path} is not graded; run `selftaught grade {one.folder.path}` first.")
    return Curated(found, reference, place)


def _is_aside(found: FoundRollout) -> bool:
    """Whether a rollout of a recipe's run is no part of START's own data: a measurement, or the control."""
    return found.stage is not None and (found.is_test or found.stage.is_control)


def _greedy_of(place: Path) -> FoundRollout | None:
    """The greedy pass of the recipe's run that ``place`` is or lies in, when it is graded."""
    run: RunFolder | None = recipe_run_of(place)
    if run is None:
        return None
    folder = run.rollout(greedy_rollout())
    return rollout_at(folder.path) if folder.trajectories.is_file() and folder.grades.is_file() else None
