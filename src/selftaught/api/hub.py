"""Models, data sets and runs to the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from selftaught.api.options import Folder
from selftaught.api.results import PushResult
from selftaught.report.push import planned
from selftaught.report.push import upload as send


def push(
    folder: Folder, *, repo: str, upload: bool = False, public: bool = False, message: str | None = None
) -> PushResult:
    """Put a model, a data set or a run's records on the hub as ``repo`` (``owner/name``).

    Without ``upload`` nothing is sent: the result says what would be.
    """
    with planned(Path(folder), repo, private=not public, message=message or "", option="repo") as plan:
        return PushResult.of(send(plan) if upload else plan)
