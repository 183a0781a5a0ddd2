"""The one problem that ``selftaught infer`` is asked: typed on the command line, or one of a run or a problem file."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selftaught.errors import ConfigError
from selftaught.problems import load_file, load_problems
from selftaught.problems.asked import asked_problem
from selftaught.records import Problem
from selftaught.rollouts.settings import FLAT
from selftaught.runs.found import find_rollouts, is_one_rollout, problem_file
from selftaught.runs.names import FILES

_NOT_REPLAYED = ("condition", "samples", "record_rounds")
"""Settings of a run that one trajectory has no use for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A problem, and what the run that it comes from was made with."""

    problem: Problem
    model: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    """Flat keys, for the defaults of a replay."""


def typed(question: str, kind: str | None, choices: list[str], answer: str | None, *, raw: bool) -> Asked:
    """The problem that the command line spells out. ConfigError says which option is wrong."""
    text = sys.stdin.read() if question == "-" else question
    return Asked(
        asked_problem(text, kind=kind, choices=_split(choices), answer=answer, raw=raw, name=lambda key: f"--{key}")
    )


def replayed(problem_id: str, place: Path) -> Asked:
    """Problem ``problem_id`` of a run's folder or of a problem file. ConfigError when it is not there."""
    if place.is_file() and place.name != FILES.trajectories:
        return Asked(_named(problem_id, load_problems(str(place)), place))
    if not place.exists():
        raise ConfigError(f"--from is {str(place)!r}; expected a run's folder or a problem file.")
    found = find_rollouts(place)
    known: dict[str, Problem] = {}
    for file in dict.fromkeys(problem_file(one) for one in found):
        known |= {problem.id: problem for problem in load_file(file)}
    problem = _named(problem_id, list(known.values()), place)
    record = found[0].record if is_one_rollout(place, found) else None
    if record is None:
        return Asked(problem)
    settings = {key: value for key, value in record.settings.items() if key in FLAT and key not in _NOT_REPLAYED}
    return Asked(problem, record.model, settings)


def _split(choices: list[str]) -> list[str]:
    """``--choices`` as it was given: once for each, or all in one with ``|`` or commas between."""
    if len(choices) != 1:
        return choices
    mark = "|" if "|" in choices[0] else ","
    return [part.strip() for part in choices[0].split(mark) if part.strip()]


def _named(problem_id: str, problems: list[Problem], place: Path) -> Problem:
    found = next((problem for problem in problems if problem.id == problem_id), None)
    if found is None:
        raise _not_there(problem_id, problems, place)
    return found


def _not_there(problem_id: str, problems: list[Problem], place: Path) -> ConfigError:
    from difflib import get_close_matches

    near = get_close_matches(problem_id, [problem.id for problem in problems], n=1)
    example = near[0] if near else problems[0].id
    return ConfigError(f"{place} has no problem {problem_id!r} among {len(problems)}; an id there is {example!r}.")
