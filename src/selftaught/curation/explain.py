"""Explain: what became of one trajectory or problem in a run's data sets, and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from selftaught.curation.modify import undo
from selftaught.curation.records import DroppedRow, DropReason, KeptRow, Modification
from selftaught.records import Record
from selftaught.runs.folders import DataFolder, data_sets_below
from selftaught.store import iter_lines


class Verdict(Record):
    """What one curation did with one trajectory."""

    dataset: str
    folder: str
    trajectory_id: str
    problem_id: str
    source: str
    kept: bool
    why: str
    step: str | None = None
    reason: DropReason | None = None
    modifications: list[Modification] = Field(default_factory=list)
    diff: list[str] = Field(default_factory=list)
    """Unified diff of the text before and after all modifications."""


def explain(folders: list[Path], wanted: str) -> Iterator[Verdict]:
    """Verdicts on a trajectory id, or on every trajectory of a problem id, in each curated folder."""
    needle = wanted.encode()
    for folder in folders:
        for _, line in iter_lines(DataFolder(folder).dropped):
            if needle in line:
                row = DroppedRow.model_validate_json(line)
                if wanted in (row.trajectory_id, row.problem_id):
                    yield Verdict(
                        dataset=row.dataset,
                        folder=str(folder),
                        trajectory_id=row.trajectory_id,
                        problem_id=row.problem_id,
                        source=row.source,
                        kept=False,
                        why=row.detail,
                        step=row.step,
                        reason=row.reason,
                    )
        for _, line in iter_lines(DataFolder(folder).kept):
            if needle in line:
                kept = KeptRow.model_validate_json(line)
                if wanted in (kept.trajectory.id, kept.trajectory.problem_id):
                    yield Verdict(
                        dataset=kept.dataset,
                        folder=str(folder),
                        trajectory_id=kept.trajectory.id,
                        problem_id=kept.trajectory.problem_id,
                        source=kept.source,
                        kept=True,
                        why=kept.why,
                        modifications=kept.modifications,
                        diff=text_diff(kept),
                    )


def text_diff(row: KeptRow) -> list[str]:
    """Lines of a unified diff from what the model saw to what is trained on; empty without modifications."""
    import difflib

    if not row.modifications:
        return []
    before = undo(row.trajectory, row.modifications).text_after_prompt().splitlines()
    after = row.trajectory.text_after_prompt().splitlines()
    return list(difflib.unified_diff(before, after, "as sampled", "as kept", lineterm="", n=1))


def curated_folders(run: Path) -> list[Path]:
    """Folders with a curation at or below ``run``."""
    return [data.path for data in data_sets_below(run)]
