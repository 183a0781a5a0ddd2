"""What a run is made of: its conditions, its stages, its folders and files, its record and its lock.

Every name that a run writes stands in ``names.py`` and nowhere else; no other module reads a meaning out of a name.
"""

from __future__ import annotations

from selftaught.runs.condition import Condition, Curve
from selftaught.runs.folders import CurateInput, DataFolder, Folder, ModelFolder, RolloutFolder, RunFolder
from selftaught.runs.lock import WriterLock
from selftaught.runs.record import RunKind, RunRecord
from selftaught.runs.stages import Part, StageRef

__all__ = [
    "Condition",
    "CurateInput",
    "Curve",
    "DataFolder",
    "Folder",
    "ModelFolder",
    "Part",
    "RolloutFolder",
    "RunFolder",
    "RunKind",
    "RunRecord",
    "StageRef",
    "WriterLock",
]
