"""What a run's folder records beside trajectories and grades: its command, its stages, its trainings, how long it took.

`with_records` adds all that to a report's document; what the document says already stays.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from selftaught.evals.forked import UpliftTable
from selftaught.evals.records import FunnelRow, Provenance, ReportData, StageRow, TrainingCurve, TrainingPoint
from selftaught.runs.folders import DataFolder, ModelFolder, RunFolder, data_sets_below
from selftaught.runs.names import FILES
from selftaught.runs.record import RunKind, RunRecord, peek_record
from selftaught.runs.stages import Part, StageRef, data_sets
from selftaught.store import iter_lines

MAX_POINTS = 400
"""Most steps of a training that a plot shows."""

_END = re.compile(rb'"wall_s":([0-9.eE+-]+),"created_at":"([0-9T:Z-]+)"')
_TAIL_BYTES = 160
"""A trajectory's line ends with its seconds and its time; they are read from here, without parsing the line."""


def with_records(run: Path, data: ReportData) -> ReportData:
    """``data`` with stages, funnel, trainings, wall time and provenance as far as the folder has them."""
    stages = stage_rows(run) or data.stages
    found: dict[str, Any] = {
        "stages": stages,
        "funnel": data.funnel or funnel_rows(run),
        "training": training_curves(run) or data.training,
        "uplift": uplift_tables(run) or data.uplift,
        "wall_s": wall_seconds(run, stages, data),
        "provenance": provenance(run, data),
    }
    if data.gathered:
        found["unfinished"] = missing_parts(run, data, stages)
    return data.model_copy(update=found)


# ----------------------------------------------------------------------------------------------------------- stages


def stage_rows(run: Path) -> list[StageRow]:
    """One row a finished stage of a recipe's run, in the order in which they ended."""
    markers = [one for path in RunFolder(run).markers.glob("*.json") if "finished_at" in (one := _json(path))]
    markers.sort(key=lambda marker: (marker["finished_at"], marker.get("name", "")))
    keys = ("name", "seconds", "tokens", "detail", "finished_at")
    return [StageRow.model_validate({key: marker[key] for key in keys if key in marker}) for marker in markers]


def funnel_rows(run: Path) -> list[FunnelRow]:
    """One row a data set, those of START's loop in its order."""
    from selftaught.curation.records import Funnel

    folder, rows = RunFolder(run), []
    order = {ref: position for position, ref in enumerate(data_sets())}

    def place(data: DataFolder) -> tuple[int, Path]:
        ref = folder.stage_of(data.path)
        return (order.get(ref, len(order)) if ref is not None else len(order)), data.path

    for data in sorted(data_sets_below(run), key=place):
        try:
            one = Funnel.model_validate_json(data.funnel.read_bytes())
        except ValueError:
            continue
        rows.append(
            FunnelRow(
                stage=one.dataset, num_in=one.num_in, num_kept=one.num_kept, dropped=one.dropped, modified=one.modified
            )
        )
    return rows


def wall_seconds(run: Path, stages: list[StageRow], data: ReportData) -> float | None:
    """Seconds in which at least one stage was under way, or, without stages, at least one trajectory.

    None when not known.
    """
    timed = [(row.finished_at, row.seconds) for row in stages if row.finished_at]
    if not timed:
        files = dict.fromkeys(run / ref.trajectories for ref in data.runs)
        timed = [end for path in files if path.exists() for end in _ends(path)]
    spans = [(at - seconds, at) for when, seconds in timed if (at := _seconds(when)) is not None]
    return round(union(spans), 3) if spans else None


def union(spans: Iterable[tuple[float, float]]) -> float:
    """Total length of intervals, overlap counted once."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _ends(path: Path) -> Iterator[tuple[str, float]]:
    """(end time, seconds) of every trajectory of a file."""
    for _, line in iter_lines(path):
        match = _END.search(line[-_TAIL_BYTES:])
        if match:
            yield match.group(2).decode(), float(match.group(1))


def _seconds(when: str) -> float | None:
    try:
        return datetime.fromisoformat(when).timestamp()
    except ValueError:
        return None


def uplift_tables(run: Path) -> list[UpliftTable]:
    """One table a probe below the run that has forks."""
    from selftaught.uplift.tables import find_forks, read_forks, uplift_table

    tables = []
    for path in find_forks(run):
        forks = read_forks(path)
        if forks:
            tables.append(uplift_table(forks, name=path.parent.relative_to(run).as_posix().removeprefix(".")))
    return tables


# ---------------------------------------------------------------------------------------------------------- training


def training_curves(run: Path) -> list[TrainingCurve]:
    """Loss by step of every training in the folder, finished or not, in order of their paths."""
    curves = []
    for folder in (ModelFolder(path.parent) for path in sorted(run.rglob(FILES.metrics))):
        points = list(_points(folder.metrics))
        if points:
            name = run.resolve().name if folder.path == run else folder.path.relative_to(run).as_posix()
            finished = folder.summary.exists()
            curves.append(TrainingCurve(name=name, num_steps=points[-1].step, finished=finished, points=thin(points)))
    return curves


def _points(path: Path) -> Iterator[TrainingPoint]:
    """Logged steps in order; of two lines on one step, as a resumed training leaves them, the later counts."""
    by_step: dict[int, TrainingPoint] = {}
    for _, line in iter_lines(path):
        try:
            row = json.loads(line)
            point = TrainingPoint(
                step=row["step"],
                loss=row["loss"],
                learning_rate=row.get("learning_rate"),
                grad_norm=row.get("grad_norm"),
            )
        except (ValueError, KeyError, TypeError):
            continue  # a line of evaluation or summary
        by_step[point.step] = point
    yield from (by_step[step] for step in sorted(by_step))


def thin(points: list[TrainingPoint], most: int = MAX_POINTS) -> list[TrainingPoint]:
    """At most ``most`` points: the mean loss of as many even groups, each at its last step; the first and last stay."""
    if len(points) <= most:
        return points
    groups = most - 2
    inner, kept = points[1:-1], [points[0]]
    for index in range(groups):
        group = inner[index * len(inner) // groups : (index + 1) * len(inner) // groups]
        mean = sum(point.loss for point in group) / len(group)
        kept.append(group[-1].model_copy(update={"loss": round(mean, 6)}))
    return [*kept, points[-1]]


# -------------------------------------------------------------------------------------------------------- provenance


def provenance(run: Path, data: ReportData) -> Provenance:
    """The document's provenance; what it lacks is taken from the folder's record, and from those of its rollouts."""
    own, rollouts = peek_record(run), _rollout_records(run, data)
    records = ([own] if own is not None else []) + list(rollouts.values())
    if not records:
        return data.provenance
    known, made = data.provenance, records[0].made_by
    # A recipe's record says all; an evaluation's says who, its rollouts' say how.
    telling = records[:1] if records[0].kind is RunKind.RECIPE else list(rollouts.values()) or records
    commands = dict.fromkeys(record.made_by.command for record in records[:1] or telling if record.made_by.command)
    found = {
        "config_digest": _joined([record.digest for record in telling if record.digest]),
        "command": "; ".join(commands),
        "seeds": list(dict.fromkeys(seed for record in records for seed in record.seeds)),
        "git_commit": made.git_commit,
        "git_dirty": made.git_dirty,
        "versions": made.versions,
        "hardware": made.hardware,
        "models": records[0].models or {name: record.model for name, record in rollouts.items() if record.model},
        "data": records[0].data,
        "sandbox_tier": next((record.sandbox_tier for record in records if record.sandbox_tier), ""),
        "settings": telling[0].settings if len(telling) == 1 else {n: r.settings for n, r in rollouts.items()},
    }
    missing = {key: value for key, value in found.items() if not getattr(known, key) and value not in (None, "")}
    return known.model_copy(update=missing)


def _rollout_records(run: Path, data: ReportData) -> dict[str, RunRecord]:
    """Condition → the record that lies beside its trajectories."""
    found = {ref.condition: peek_record((run / ref.trajectories).parent) for ref in data.runs}
    return {name: record for name, record in found.items() if record is not None}


def _joined(digests: list[str]) -> str:
    """One digest for several: their own where all are equal."""
    if len(set(digests)) <= 1:
        return digests[0] if digests else ""
    return hashlib.sha256(" ".join(sorted(digests)).encode()).hexdigest()[:16]


def missing_parts(run: Path, data: ReportData, stages: list[StageRow]) -> str:
    """What has not happened yet, in words; empty when nothing is known to be missing."""
    parts = []
    record = peek_record(run)
    if record is not None and record.kind is RunKind.RECIPE and not _has_ended(stages):
        done = f"{len(stages)} done, the last of them {stages[-1].name}" if stages else "none is done yet"
        parts.append(f"the run has not reached the last of its stages ({done})")
    for ref in data.runs:
        wanted = _wanted(peek_record((run / ref.trajectories).parent))
        if wanted and ref.round is None and ref.num_trajectories < wanted:
            parts.append(f"{ref.condition}: {ref.num_trajectories:,} of {wanted:,} trajectories are there")
    trainings = [curve.name for curve in training_curves(run) if not curve.finished]
    if trainings:
        parts.append(f"in training: {', '.join(trainings)}")
    return f"Not finished: {'; '.join(parts)}." if parts else ""


def _has_ended(stages: list[StageRow]) -> bool:
    return any((ref := StageRef.parse(row.name)) is not None and ref.part is Part.REPORT for row in stages)


def _wanted(record: RunRecord | None) -> int | None:
    """How many trajectories a rollout is to have; None where its record does not say, or rounds are recorded apart."""
    if record is None or record.num_problems is None or record.settings.get("record_rounds"):
        return None
    samples = record.settings.get("samples", 1)
    return record.num_problems * samples if isinstance(samples, int) else None


def _json(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one where there is none to be read."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
