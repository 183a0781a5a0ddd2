"""``--record RUN``: every finished answer becomes a trajectory in a run folder, as `rollout` writes it.

One folder of rollouts has one set of settings. So each way in which clients ask has a folder of its own below the run:
the variants by their names, and further ones (another temperature, another limit of tokens) with a digest behind it. The
problem is written before its trajectory, both as one whole line each, so that ``verify``, ``grade``, ``curate`` and
``report`` may read while it grows. A request without a seed is one more sample of its question, drawn as `rollout` would
draw it; one with a seed of its own gets the next number, but is drawn by the seed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from selftaught.errors import ConfigError
from selftaught.problems import load_file
from selftaught.records import Problem, Trajectory, question_hash, trajectory_id
from selftaught.rollouts.manifest import claim_folder
from selftaught.rollouts.runner import finished_ids
from selftaught.rollouts.settings import RolloutSettings
from selftaught.runs.folders import RolloutFolder
from selftaught.runs.lock import WriterLock
from selftaught.runs.record import read_record, write_record
from selftaught.serve.models import Catalog, Variant
from selftaught.store import JsonlWriter

MAX_FOLDERS = 100
"""Ways of asking that get a folder; a client that draws its temperature at random shall not fill a disk with folders."""


@dataclass(slots=True)
class Shelf:
    """One folder of rollouts that grows."""

    folder: RolloutFolder
    lock: WriterLock
    problems: JsonlWriter | None = None
    trajectories: JsonlWriter | None = None
    texts: dict[str, str] = field(default_factory=dict)
    """Problem id → digest of its text, by which another text under the same id is told."""
    written: set[str] = field(default_factory=set)
    """Ids of problems that stand in the file."""
    next_sample: dict[str, int] = field(default_factory=dict)

    def close(self) -> None:
        """Flush, let go of the folder."""
        for file in (self.problems, self.trajectories):
            if file is not None:
                file.close()
        self.lock.__exit__(None, None, None)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer will be recorded, and under which number. Called with the trajectory when it is finished."""

    problem: Problem
    sample: int
    _write: Callable[[Place, Trajectory], None]

    def __call__(self, trajectory: Trajectory) -> None:
        """Record it, unless its engine or sandbox failed."""
        if not trajectory.stop_reason.is_failure:
            self._write(self, trajectory)


class Recorder:
    """Writes into one run folder. Safe to use from several threads."""

    def __init__(self, root: Path, model: str) -> None:
        self.root, self._model = root, model
        self._shelves: dict[str, Shelf | None] = {}
        self._lock = threading.Lock()
        self.num_recorded = 0
        self.num_unrecorded = 0
        """Answers that were asked in one way too many."""

    def place(self, problem: Problem, settings: RolloutSettings, variant: Variant) -> Place:
        """The next sample of ``problem`` among the answers of these settings. ConfigError when the folder cannot be
        written."""
        with self._lock:
            shelf = self._shelf(settings, variant)
            if shelf is None:
                return Place(problem, 0, self._skip)
            problem = _own_id(shelf, problem)
            shelf.texts.setdefault(problem.id, _text(problem))
            sample = shelf.next_sample.get(problem.id, 0)
            shelf.next_sample[problem.id] = sample + 1

            def write(place: Place, trajectory: Trajectory) -> None:
                self._write(shelf, place, trajectory)

            return Place(problem, sample, write)

    def open_for(self, catalog: Catalog) -> None:
        """Claim the folder of the plain way of asking now, so that one that cannot be written is told at the start."""
        variant = next(iter(catalog.variants.values()))
        with self._lock:
            self._shelf(variant.settings, variant)

    def close(self) -> None:
        """Close all folders."""
        with self._lock:
            for shelf in self._shelves.values():
                if shelf is not None:
                    shelf.close()
            self._shelves = {}

    # ------------------------------------------------------------------------------------------------------- internals

    def _write(self, shelf: Shelf, place: Place, trajectory: Trajectory) -> None:
        own = trajectory_id(place.problem.id, place.sample)
        recorded = trajectory.model_copy(
            update={"id": own, "problem_id": place.problem.id, "sample": place.sample, "round": None}
        )
        with self._lock:
            if shelf.problems is None or shelf.trajectories is None:
                shelf.problems, shelf.trajectories = (
                    JsonlWriter(path) for path in (shelf.folder.problems, shelf.folder.trajectories)
                )
            if place.problem.id not in shelf.written:
                shelf.written.add(place.problem.id)
                shelf.problems.write(place.problem)
            shelf.trajectories.write(recorded)
            self.num_recorded += 1

    def _skip(self, place: Place, trajectory: Trajectory) -> None:
        self.num_unrecorded += 1

    def _shelf(self, settings: RolloutSettings, variant: Variant) -> Shelf | None:
        content = {key: value for key, value in settings.content().items() if key != "seed"}
        digest = hashlib.sha256(json.dumps(content, default=str, sort_keys=True).encode()).hexdigest()[:8]
        if digest not in self._shelves:
            if len(self._shelves) >= MAX_FOLDERS:
                return None
            self._shelves[digest] = self._open(settings, variant, digest)
        return self._shelves[digest]

    def _open(self, settings: RolloutSettings, variant: Variant, digest: str) -> Shelf:
        name = re.sub(r"[^\w.-]+", "-", variant.id).strip("-.") or "model"
        name += f"-{variant.mode}" if variant.mode and not variant.id.endswith(variant.mode) else ""
        base = settings.changed(seed=variant.settings.sampling.seed)
        is_plain = base.content() == variant.settings.content()
        if is_plain:
            with contextlib.suppress(_Taken):
                return self._claim(self.root / name, base)
        return self._claim(self.root / f"{name}-{digest}", base)

    def _claim(self, path: Path, settings: RolloutSettings) -> Shelf:
        folder = RolloutFolder(path)
        there = read_record(path)
        if there is not None and there.settings != json.loads(json.dumps(settings.content(), default=str)):
            raise _Taken(str(path))
        lock = WriterLock(folder.lock, "serve", option="--record")
        lock.__enter__()
        try:
            known = list(load_file(folder.problems)) if _holds_any(folder.problems) else []
            claim_folder(folder, self._model, settings, known)
            record = read_record(path)
            if record is not None:  # how many there will be is not known
                record.num_problems = None
                write_record(path, record)
            if not known:  # the files appear with the first answer
                folder.problems.unlink(missing_ok=True)
            shelf = Shelf(folder, lock)
        except BaseException:
            lock.__exit__(None, None, None)
            raise
        shelf.texts = {problem.id: _text(problem) for problem in known}
        shelf.written = set(shelf.texts)
        for finished in finished_ids(folder):
            problem_id, _, sample = finished.rpartition("#")
            if sample.isdecimal():
                shelf.next_sample[problem_id] = max(shelf.next_sample.get(problem_id, 0), int(sample) + 1)
        return shelf


class _Taken(ConfigError):
    """A folder holds answers to other settings."""


def _holds_any(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _own_id(shelf: Shelf, problem: Problem) -> Problem:
    """``problem`` under an id that no other text has there."""
    there = shelf.texts.get(problem.id)
    text = _text(problem)
    if there is None or there == text:
        return problem
    return problem.model_copy(update={"id": question_hash(text)})


def _text(problem: Problem) -> str:
    text = json.dumps([problem.problem, problem.metadata], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
