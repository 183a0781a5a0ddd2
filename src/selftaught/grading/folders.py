"""Find what to grade in a run folder: every ``trajectories.jsonl`` under it, and the problems that belong to it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from selftaught.errors import DataError
from selftaught.problems import load_file
from selftaught.records import Problem

TRAJECTORIES, GRADES, PROBLEMS = "trajectories.jsonl", "grades.jsonl", "problems.jsonl"


def trajectory_files(run: Path) -> list[Path]:
    """All trajectory files of a run, in order of path; the file itself when one is named. DataError without any."""
    if run.is_file():
        return [run]
    found = sorted(run.rglob(TRAJECTORIES)) if run.is_dir() else []
    if not found:
        raise DataError(f"{run} holds no {TRAJECTORIES}; expected the folder of a rollout or of a run.")
    return found


def problems_for(trajectories: Path, run: Path) -> list[Problem]:
    """Problems of a trajectory file: beside it, in a folder above it up to ``run``, or where its ``run.json`` says.

    A run with ``problems/*.jsonl`` gives all of them, first file first; ids that stand in several are taken once.
    """
    top = (run if run.is_dir() else run.parent).resolve()
    folder = trajectories.resolve().parent
    for candidate in _upwards(folder, top):
        if (candidate / PROBLEMS).is_file():
            return load_file(candidate / PROBLEMS)
        named = _named_in_manifest(candidate / "run.json")
        if named is not None:
            return load_file(named)
        if (candidate / "problems").is_dir():
            merged = _merged(sorted((candidate / "problems").glob("*.jsonl")))
            if merged:
                return merged
    raise DataError(f"no problems found for {trajectories}; give the problem file with --problems.")


def _upwards(folder: Path, top: Path) -> Iterable[Path]:
    yield folder
    while folder != top and top in folder.parents:
        folder = folder.parent
        yield folder


def _named_in_manifest(manifest: Path) -> Path | None:
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    named = content.get("problems") if isinstance(content, dict) else None
    if not isinstance(named, str):
        return None
    for path in (Path(named), manifest.parent / named):
        if path.is_file():
            return path
    return None


def _merged(files: list[Path]) -> list[Problem]:
    by_id: dict[str, Problem] = {}
    for file in files:
        if file.stem == "removed":
            continue
        for problem in load_file(file):
            by_id.setdefault(problem.id, problem)
    return list(by_id.values())
