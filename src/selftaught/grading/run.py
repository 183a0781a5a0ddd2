"""Grade a whole file of trajectories: streaming, in threads, appending, resuming.

``trajectories.jsonl → grades.jsonl``. Trajectories are only read, also while a rollout still writes them. A rerun grades what
has no grade yet, and what had failed and was rolled out again; ``regrade`` writes all grades anew, to a file of its own that
then takes the old one's place. One process grades a folder at a time.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from selftaught.grading.grader import Grader
from selftaught.grading.references import References
from selftaught.grading.seen import SeenIds
from selftaught.progress import Meter, Reporter
from selftaught.records import Grade, Outcome, Problem, Trajectory
from selftaught.runs.folders import RolloutFolder
from selftaught.runs.lock import WriterLock
from selftaught.store import JsonlWriter, read_jsonl, write_records

WINDOW = 8
"""Trajectories in flight per worker: bounds memory and keeps the order of the file."""

UNGRADED = "none"
"""The grade's path where there was nothing to judge, as of a rollout that failed."""

Progress = Callable[[int, "GradeSummary"], None]


@dataclass
class GradeSummary:
    """Counts of one ``grade_run``: those graded now, and all that the file then holds."""

    num_new: int = 0
    num_total: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    """Over all."""
    paths: Counter[str] = field(default_factory=Counter)
    """Over the new ones."""
    num_ungraded: int = 0
    """Trajectories that nobody can judge: questions of a server's record without a reference."""
    others: Counter[str] = field(default_factory=Counter)
    """Grades that stay and were made by another grader or another version of ours, by its name."""

    @property
    def accuracy(self) -> float:
        """Share of correct ones."""
        return self.outcomes[Outcome.CORRECT] / self.num_total if self.num_total else 0.0


def shown_by(report: Reporter, what: str, total: int) -> Progress:
    """A callback for `grade_run` that reports as ``what``, with the share that was right."""
    meter = Meter(what, total)

    def show(done: int, so_far: GradeSummary) -> None:
        report(meter.at(done, right=so_far.accuracy, notes=("grading",)))

    return show


def grade_run(
    problems: Sequence[Problem],
    trajectories: Path,
    out: Path,
    workers: int = 2,
    *,
    regrade: bool = False,
    progress: Progress | None = None,
    grader: Grader | None = None,
    own: Sequence[Problem] = (),
) -> GradeSummary:
    """Grade every trajectory of ``trajectories`` that ``out`` has no grade for, and append the grades.

    DataError when a trajectory belongs to no problem, ConfigError when another process grades there. ``regrade`` grades all
    of them anew. ``own``: the problems that the folder keeps, where ``problems`` are others (`selftaught.grading.references`).
    """
    references = References(problems, own)
    own_grader = grader or Grader(workers)
    try:
        with WriterLock(RolloutFolder(out.parent).grades_lock, "grade", option="the folder"):
            return _grade(own_grader, references, trajectories, out, workers, regrade, progress)
    finally:
        if grader is None:
            own_grader.close()


def _grade(
    grader: Grader,
    references: References,
    trajectories: Path,
    out: Path,
    workers: int,
    regrade: bool,
    progress: Progress | None,
) -> GradeSummary:
    """`grade_run` in a folder that is locked."""
    summary = GradeSummary()
    done = SeenIds()
    target = out.with_name(f".{out.name}.regrade") if regrade else out
    if regrade:
        target.unlink(missing_ok=True)
    elif out.exists():
        _drop_outdated(trajectories, out)
        for grade in read_jsonl(out, Grade):
            done.add(grade.trajectory_id)
            summary.outcomes[grade.outcome] += 1
            summary.num_total += 1
            if grade.grader != grader.name:
                summary.others[grade.grader or "unnamed"] += 1
    with JsonlWriter(target) as writer:
        for grade in _graded(grader, references, _missing(trajectories, done), workers, summary):
            writer.write(grade)
            summary.num_new += 1
            summary.num_total += 1
            summary.outcomes[grade.outcome] += 1
            summary.paths[grade.path] += 1
            if progress is not None:
                progress(summary.num_total, summary)
    if regrade:
        os.replace(target, out)
    return summary


def _drop_outdated(trajectories: Path, out: Path) -> None:
    """Take out the grades of trajectories that had failed and that a rollout has made again since."""
    failed = {grade.trajectory_id for grade in read_jsonl(out, Grade) if grade.outcome is Outcome.ERROR}
    if not failed:
        return
    again = {
        trajectory.id
        for trajectory in read_jsonl(trajectories, Trajectory)
        if trajectory.id in failed and not trajectory.stop_reason.is_failure
    }
    outdated = {grade.trajectory_id for grade in read_jsonl(out, Grade) if grade.path == UNGRADED} & again
    if outdated:
        write_records(out, [grade for grade in read_jsonl(out, Grade) if grade.trajectory_id not in outdated])


def _missing(trajectories: Path, done: SeenIds) -> Iterator[Trajectory]:
    """Trajectories without a grade, each once."""
    for trajectory in read_jsonl(trajectories, Trajectory):
        if done.add(trajectory.id):
            yield trajectory


def _graded(
    grader: Grader,
    references: References,
    trajectories: Iterator[Trajectory],
    workers: int,
    summary: GradeSummary,
) -> Iterator[Grade]:
    """Grades in the order of the trajectories; a slow one holds back no more than the window.

    What nobody can judge is counted in ``summary`` and gets no grade.
    """
    window = WINDOW * max(1, workers)
    pending: deque[Future[Grade]] = deque()
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="grade") as pool:
        for trajectory in trajectories:
            problem = references.of(trajectory)
            if problem is None:
                summary.num_ungraded += 1
                continue
            pending.append(pool.submit(grader.grade, problem, trajectory))
            if len(pending) >= window:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
