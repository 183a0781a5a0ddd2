"""How far a run came: what the scheduler, the report and the command line hand each other."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from selftaught.errors import SelftaughtError
from selftaught.pipeline.markers import Marker
from selftaught.pipeline.stages import Stage
from selftaught.progress import Progress
from selftaught.runs.folders import RunFolder
from selftaught.runs.record import RunRecord
from selftaught.runs.stages import StageRef


class StageFailed(SelftaughtError):
    """A stage ended with an error; the message is the stage's, the exit code too."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]


@dataclass
class Running:
    """A stage at work."""

    stage: Stage
    process: BaseProcess
    pipe: Connection
    log: str
    """Its output, relative to the run."""
    started: float = field(default_factory=time.monotonic)
    progress: Progress | None = None
    """What the stage said last."""

    @property
    def share(self) -> float:
        """How much of the stage is done, 0 to 1, as far as it says so."""
        now = self.progress
        return now.done / now.total if now is not None and now.total else 0.0


@dataclass(frozen=True)
class RunOutcome:
    """What a run's stages came to."""

    markers: dict[str, Marker]
    """By the stage's name."""
    empty: dict[StageRef, str]
    """Training stage → why it has no rows to train on."""


@dataclass(frozen=True)
class RunResult:
    """A finished run."""

    run: RunFolder
    record: RunRecord
    stages: list[Stage]
    markers: dict[str, Marker]
    was_done: bool
    """Nothing was left to do."""
    empty: dict[StageRef, str] = field(default_factory=dict)
    """Training stage → why it had no rows; then the report shows what was measured without its model."""
