"""The problems that a folder keeps beside the answers, so that every later stage finds them.

A folder never holds two texts under one id: the answers to the one would be judged by the other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from selftaught.errors import ConfigError
from selftaught.problems import render_question
from selftaught.problems.load import has_secret, load_file
from selftaught.records import Problem, SpanSource, Trajectory
from selftaught.runs.folders import Folder
from selftaught.store import read_jsonl, write_records

SECRET_NOTE = "This folder holds questions whose authors ask that they are not shown in plain text on the web. Do not publish it.\n"


def keep_problems(
    path: Path, problems: Sequence[Problem], trajectories: Path | None = None, *, may_change: bool = False
) -> None:
    """Keep ``problems`` in ``path`` beside those that are there. ConfigError when one of them is there with another
    text.

    ``trajectories`` are asked in a folder that an older version made without a problem file. ``may_change``: nobody has
    answered them yet, so another text takes the old one's place.
    """
    merged = merge_problems(path, problems, may_change=may_change)
    if not path.is_file() and trajectories is not None and trajectories.is_file():
        _check_prompts(trajectories, problems)
    if merged is not None:
        write_records(path, merged)
    if has_secret(list(problems)):
        Folder(path.parent).do_not_publish.write_text(SECRET_NOTE, encoding="utf-8")


def merge_problems(path: Path, problems: Sequence[Problem], *, may_change: bool = False) -> list[Problem] | None:
    """The problems of ``path`` and those of ``problems`` that it lacks; None when it lacks none.

    ConfigError when a problem has another text or another answer there.
    """
    if not path.is_file():
        return list(problems)
    there = {problem.id: problem for problem in load_file(path)}
    changed = False
    for problem in problems:
        old = there.get(problem.id)
        if old is None:
            continue
        if may_change and (_asked(old), _judged(old)) != (_asked(problem), _judged(problem)):
            there[problem.id] = problem
            changed = True
            continue
        if _asked(old) != _asked(problem):
            raise ConfigError(
                f"{path} holds another text for problem {problem.id!r}; name another --out, or give the problem another id."
            )
        if _judged(old) != _judged(problem):
            raise ConfigError(
                f"{path} holds another answer for problem {problem.id!r}; name another --out, or correct the answer in that "
                "file and grade it again with --regrade."
            )
    missing = [problem for problem in problems if problem.id not in there]
    return [*there.values(), *missing] if missing or changed else None


def _asked(problem: Problem) -> str:
    """What decides how the model is asked."""
    parts = problem.problem, problem.kind, problem.choices, problem.starter_code, problem.fn_name
    return json.dumps([*parts, bool(problem.metadata.get("rendered"))])


def _judged(problem: Problem) -> str:
    """What decides how the answer is graded."""
    return json.dumps([problem.answer, [test.model_dump() for test in problem.tests or ()]])


def _check_prompts(trajectories: Path, problems: Sequence[Problem]) -> None:
    """ConfigError when a trajectory's prompt does not hold its problem's text: an older version kept no problems."""
    by_id = {problem.id: problem for problem in problems}
    for trajectory in read_jsonl(trajectories, Trajectory):
        problem = by_id.get(trajectory.problem_id)
        if problem is None:
            continue
        prompt = "".join(span.text for span in trajectory.spans if span.source is SpanSource.PROMPT)
        texts = problem.problem.strip(), render_question(problem).strip()
        if prompt and not any(text in prompt for text in texts):
            raise ConfigError(
                f"{trajectories.parent} holds another text for problem {problem.id!r}; name another --out, or give the "
                "problem another id."
            )
