"""Curate: score, filter, modify and select trajectories into D_seed and D_START, with an audit trail."""

from __future__ import annotations

from selftaught.curation.records import CurateSettings, DroppedRow, FilterSettings, Funnel, KeptRow, Modification, Rule
from selftaught.curation.run import curate
from selftaught.runs.folders import CurateInput

__all__ = [
    "CurateInput",
    "CurateSettings",
    "DroppedRow",
    "FilterSettings",
    "Funnel",
    "KeptRow",
    "Modification",
    "Rule",
    "curate",
]
