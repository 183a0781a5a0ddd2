"""Grading: one answer, or the trajectories of a folder."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Literal

from selftaught.api.notebook import shown
from selftaught.api.options import Columns, Folder, Rules, query_or_none
from selftaught.api.results import GradeResult
from selftaught.errors import ConfigError
from selftaught.grading import Grader, PairVerdict
from selftaught.grading.folder import grade_folder
from selftaught.records import Problem

_lock = threading.Lock()
_grader: Grader | None = None


def shared_grader() -> Grader:
    """The grader of this process, with one worker, which ends with the process."""
    global _grader
    with _lock:
        if _grader is None:
            _grader = Grader(workers=1)
            atexit.register(_grader.close)
        return _grader


def grade(
    prediction: str | int | float, answer: str | int | float, kind: Literal["math", "choice"] = "math"
) -> PairVerdict:
    """Whether ``prediction``, a bare answer or a whole response, is right; the result's truth value says so.

    ``.correct``, ``.extracted`` (what was compared), ``.path`` (which rule decided), ``.reason``.
    """
    if kind not in ("math", "choice"):
        raise ConfigError(
            f"kind is {kind!r}; expected math or choice. Programs are graded with the trajectories of a run."
        )
    for name, value in (("prediction", prediction), ("answer", answer)):
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ConfigError(f"{name} is {type(value).__name__}; expected a text or a number.")
    return shared_grader().grade_pair(kind, str(prediction), str(answer))


def grade_run(
    run: Folder,
    *,
    problems: Folder | Sequence[Problem] | None = None,
    map: Columns = None,
    drop: Rules = None,
    workers: int = 2,
    timeout: float = 6.0,
    regrade: bool = False,
    qwen_tolerance: bool = False,
    lcb_exact: bool = False,
    quiet: bool = False,
) -> list[GradeResult]:
    """Grade the trajectories of a rollout, an evaluation or a run: a result for each rollout in the folder.

    What is graded already is not graded again, unless ``regrade``. ``quiet`` shows no progress.
    """
    if isinstance(problems, str | PathLike) or problems is None:
        query = query_or_none(problems, map, drop)
        known = query.load() if query is not None else None
    else:
        known = list(problems)
    with Grader(workers, timeout, qwen_tolerance=qwen_tolerance, lcb_exact=lcb_exact) as grader:
        found = grade_folder(Path(run), grader, partial(shown, quiet), problems=known, regrade=regrade)
        return [GradeResult.model_validate({"folder": str(one.folder), **one.document()}) for one in found]
