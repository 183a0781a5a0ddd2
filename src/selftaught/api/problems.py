"""Problems from anywhere, and the trajectories of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from selftaught import problems as parts
from selftaught.api.options import Columns, Folder, Rules
from selftaught.api.solution import Solution
from selftaught.errors import ConfigError
from selftaught.problems.drop import parse_rules
from selftaught.problems.mapping import FieldMap
from selftaught.problems.reader import ProblemReader
from selftaught.problems.rows import SourceRow
from selftaught.records import Grade, Problem, Trajectory
from selftaught.runs.found import find_rollouts, problem_file
from selftaught.store import read_jsonl

Problems = Folder | Sequence[Problem | Mapping[str, Any]]
"""A file, a folder, a hub id, a benchmark's name; or the problems themselves, also as mappings of a problem file's keys."""


def load_problems(
    source: Problems, limit: int | None = None, *, map: Columns = None, drop: Rules = None
) -> list[Problem]:
    """Problems of a file, a folder, a hub id (``owner/name``), a benchmark (``math500``) or ``toy-test``.

    ``map`` says which column is what, ``drop`` which rows are left out. DataError names the line that cannot be read.
    """
    if isinstance(source, str | PathLike):
        name = source if isinstance(source, str) else Path(source)
        return parts.load_problems(name, limit, mapping=map, drop=drop)
    items = list(source)
    if all(isinstance(item, Problem) for item in items):
        if map or drop:
            raise ConfigError("map and drop say how rows are read; problems that are read already are given.")
        return [item for item in items if isinstance(item, Problem)][:limit]
    rows = [SourceRow(f"problem {number}", dict(_row(item, number))) for number, item in enumerate(items, 1)]
    reader = ProblemReader(FieldMap.parse(map), parse_rules(drop))
    return [one.problem for one in reader.read(rows, limit)]


def load_trajectories(run: Folder) -> Iterator[Solution]:
    """The trajectories of a run with their problems, and their grades where there are any, one after the other."""
    for found in find_rollouts(Path(run)):
        problems = {problem.id: problem for problem in parts.load_file(problem_file(found))}
        grades: dict[str, Grade] = {}
        if found.folder.grades.is_file():
            grades = {grade.trajectory_id: grade for grade in read_jsonl(found.folder.grades, Grade)}
        for trajectory in read_jsonl(found.folder.trajectories, Trajectory):
            if trajectory.problem_id in problems:
                yield Solution.of(trajectory, problems[trajectory.problem_id], grades.get(trajectory.id))


def _row(item: Problem | Mapping[str, Any], number: int) -> Mapping[str, Any]:
    if isinstance(item, Mapping):
        return item
    raise ConfigError(f"problem {number} is {type(item).__name__}; expected a mapping, as the others are.")
