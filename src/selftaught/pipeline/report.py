"""The report stage: evaluation of all conditions, then the report's files; and what the terminal shows at the end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from selftaught.evals.records import FunnelRow, StageRow
from selftaught.pipeline.markers import MARKERS, Marker, StageResult
from selftaught.pipeline.stages import ReportStage

if TYPE_CHECKING:
    from selftaught.pipeline.execute import RunResult


def make_report(run: Path, stage: ReportStage) -> StageResult:
    """Write ``report.json``, ``report.md`` and ``report.html``."""
    raise NotImplementedError


def funnel_rows(run: Path) -> list[FunnelRow]:
    """One row a data set of the run."""
    from selftaught.curate.records import Funnel

    rows = []
    for path in sorted(run.glob("*/*/funnel.json")):
        funnel = Funnel.model_validate_json(path.read_text("utf-8"))
        rows.append(
            FunnelRow(
                stage=funnel.dataset,
                num_in=funnel.num_in,
                num_kept=funnel.num_kept,
                dropped=funnel.dropped,
                modified=funnel.modified,
            )
        )
    return rows


def stage_rows(run: Path) -> list[StageRow]:
    """One row a finished stage, in the order in which they ended."""
    markers = [Marker.model_validate_json(path.read_text("utf-8")) for path in (run / MARKERS).glob("*.json")]
    markers.sort(key=lambda marker: (marker.finished_at, marker.name))
    return [StageRow(name=m.name, seconds=m.seconds, tokens=m.tokens, detail=m.detail) for m in markers]


def show_report(result: RunResult) -> None:
    """The table on stdout, and where the report lies."""
    print(result.run, file=sys.stderr)
