"""Grade all rollouts of a folder; their problems are found in the folder itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from selftaught.errors import DataError
from selftaught.grading.grader import Grader
from selftaught.grading.run import GradeSummary, grade_run, shown_by
from selftaught.problems import load_file
from selftaught.progress import Reporter
from selftaught.records import Problem
from selftaught.runs.found import FoundRollout, find_rollouts, problem_file
from selftaught.store import iter_lines


@dataclass(frozen=True)
class GradedRollout:
    """One rollout of the folder with its counts."""

    folder: Path
    trajectories: Path
    grades: Path
    summary: GradeSummary

    def document(self) -> dict[str, object]:
        """Plain values, as ``grade --json`` prints them."""
        summary = self.summary
        return {
            "trajectories": str(self.trajectories),
            "grades": str(self.grades),
            "new": summary.num_new,
            "total": summary.num_total,
            "ungraded": self.summary.num_ungraded,
            "accuracy": round(summary.accuracy, 6),
            "outcomes": {outcome.value: count for outcome, count in sorted(summary.outcomes.items())},
            "paths": dict(sorted(summary.paths.items())),
        }


def grade_folder(
    run: Path,
    grader: Grader,
    shown: Callable[[], AbstractContextManager[Reporter]],
    *,
    problems: Sequence[Problem] | None = None,
    regrade: bool = False,
) -> Iterator[GradedRollout]:
    """Grade the rollouts at or below ``run`` one after the other; progress of each in a block of ``shown()``."""
    for found in find_rollouts(run):
        file = run if run.is_file() else found.folder.trajectories
        grades = found.folder.grades
        own = _own_problems(found, needed=problems is None)
        with shown() as show:
            report = shown_by(show, file.parent.name, sum(1 for _ in iter_lines(file)))
            known = problems if problems is not None else own
            summary = grade_run(
                known, file, grades, grader.workers, regrade=regrade, grader=grader, progress=report, own=own
            )
        yield GradedRollout(found.folder.path, file, grades, summary)


def _own_problems(found: FoundRollout, *, needed: bool) -> list[Problem]:
    """The problems that a rollout keeps; DataError when they are ``needed`` and not there."""
    try:
        return load_file(problem_file(found))
    except DataError:
        if needed:
            raise
        return []
