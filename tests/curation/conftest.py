"""Rollout folders for curation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from selftaught.curation import CurateInput
from selftaught.records import Trajectory
from selftaught.store import write_records

from .samples import grade

WriteRollout = Callable[..., CurateInput]


@pytest.fixture
def write_rollout(tmp_path: Path) -> WriteRollout:
    """Write a rollout folder: ``write_rollout("hinted", [(trajectory, correct), …], reference=…)``."""

    def write(name: str, rows: list[tuple[Trajectory, bool | None]], **roles: bool) -> CurateInput:
        folder = tmp_path / name
        write_records(folder / "trajectories.jsonl", [trajectory for trajectory, _ in rows])
        write_records(folder / "grades.jsonl", [grade(t, right) for t, right in rows if right is not None])
        return CurateInput(name, folder, **roles)

    return write
