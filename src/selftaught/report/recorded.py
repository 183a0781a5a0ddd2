"""What a run's folder records beside trajectories and grades: its command, its stages, its trainings, how long it took.

`with_records` adds all that to a report's document; what the document says already stays.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from selftaught.evals.records import FunnelRow, Provenance, ReportData, StageRow, TrainingCurve, TrainingPoint
from selftaught.store import iter_lines

RECORD, MARKERS, METRICS, SUMMARY, FUNNEL = "run.json", "stages", "metrics.jsonl", "training.json", "funnel.json"
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
        "wall_s": wall_seconds(run, stages, data),
        "provenance": provenance(run, data),
    }
    if data.gathered:
        found["unfinished"] = missing_parts(run, data, stages)
    return data.model_copy(update=found)


# ----------------------------------------------------------------------------------------------------------- stages


def stage_rows(run: Path) -> list[StageRow]:
    """One row a finished stage of a recipe's run, in the order in which they ended."""
    markers = [content for path in (run / MARKERS).glob("*.json") if "finished_at" in (content := _json(path))]
    markers.sort(key=lambda marker: (marker["finished_at"], marker.get("name", "")))
    keys = ("name", "seconds", "tokens", "detail", "finished_at")
    return [StageRow.model_validate({key: marker[key] for key in keys if key in marker}) for marker in markers]


def funnel_rows(run: Path) -> list[FunnelRow]:
    """One row a data set of the run."""
    from selftaught.curation.records import Funnel

    rows = []
    for path in sorted(run.rglob(FUNNEL)):
        try:
            one = Funnel.model_validate_json(path.read_bytes())
        except ValueError:
            continue
        rows.append(
            FunnelRow(
                stage=one.dataset, num_in=one.num_in, num_kept=one.num_kept, dropped=one.dropped, modified=one.modified
            )
        )
    return rows


def wall_seconds(run: Path, stages: list[StageRow], data: ReportData) -> float | None:
    """Seconds in which at least one stage was under way, or, without stages, at least one trajectory. None when not known."""
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


# ---------------------------------------------------------------------------------------------------------- training


def training_curves(run: Path) -> list[TrainingCurve]:
    """Loss by step of every training in the folder, finished or not, in order of their paths."""
    curves = []
    for path in sorted(run.rglob(METRICS)):
        points = list(_points(path))
        if points:
            name = path.parent.relative_to(run).as_posix()
            finished = path.with_name(SUMMARY).exists()
            name = run.resolve().name if name == "." else name
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
    """The document's provenance; what it lacks is taken from the folder's record, or from those of its rollouts."""
    records = [content] if (content := _json(run / RECORD)) else _rollout_records(run, data)
    if not records:
        return data.provenance
    first, known = records[0], data.provenance
    digests = [str(r.get("config_digest") or r.get("digest") or "") for r in records]
    joined = (
        digests[0] if len(set(digests)) == 1 else hashlib.sha256(" ".join(sorted(digests)).encode()).hexdigest()[:16]
    )
    commands = dict.fromkeys(str(r["command"]) for r in records if r.get("command"))
    found = {
        "config_digest": joined,
        "command": "; ".join(commands),
        "seeds": _seeds(records),
        "git_commit": str(first.get("git_commit") or ""),
        "git_dirty": first.get("git_dirty"),
        "versions": _words(first.get("versions")),
        "hardware": _words(first.get("hardware")),
        "sandbox_tier": str(first.get("sandbox_tier") or ""),
        "settings": _settings(records),
    }
    empty = {key: value for key, value in found.items() if not getattr(known, key) and value not in (None, "")}
    return known.model_copy(update=empty)


def _rollout_records(run: Path, data: ReportData) -> list[dict[str, Any]]:
    """The records that lie beside the trajectories, in the order of the document."""
    folders = dict.fromkeys((run / ref.trajectories).parent for ref in data.runs)
    return [content for folder in folders if (content := _json(folder / RECORD))]


def _settings(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The recipe, or the settings of each rollout by its condition; without what says nothing."""
    if "recipe" in records[0]:
        return dict(records[0]["recipe"])
    by_condition: dict[str, Any] = {}
    for record in records:
        configuration = record.get("configuration")
        if isinstance(configuration, Mapping):
            plain = {key.removeprefix("settings."): value for key, value in configuration.items() if value is not None}
            by_condition[str(plain.get("condition") or record.get("model") or len(by_condition))] = plain
    return next(iter(by_condition.values())) if len(by_condition) == 1 else by_condition


def _seeds(records: list[dict[str, Any]]) -> list[int]:
    found: list[int] = []
    for record in records:
        configuration = record.get("configuration") or {}
        listed = record.get("seeds") or [configuration.get("settings.seed")]
        found += [seed for seed in listed if isinstance(seed, int) and seed not in found]
    return found


def _words(value: object) -> dict[str, str]:
    return {str(key): str(one) for key, one in value.items()} if isinstance(value, Mapping) else {}


def missing_parts(run: Path, data: ReportData, stages: list[StageRow]) -> str:
    """What has not happened yet, in words; empty when nothing is known to be missing."""
    parts = []
    record = _json(run / RECORD)
    if "recipe" in record and not any(row.name == "report" for row in stages):
        done = (
            f"{len(stages)} stages are done, the last of them {stages[-1].name}" if stages else "no stage is done yet"
        )
        parts.append(f"the run has not reached its report stage ({done})")
    for ref in data.runs:
        wanted = _wanted(_json((run / ref.trajectories).with_name(RECORD)))
        if wanted and ref.round is None and ref.num_trajectories < wanted:
            parts.append(f"{ref.condition}: {ref.num_trajectories:,} of {wanted:,} trajectories are there")
    trainings = [curve.name for curve in training_curves(run) if not curve.finished]
    if trainings:
        parts.append(f"in training: {', '.join(trainings)}")
    return f"Not finished: {'; '.join(parts)}." if parts else ""


def _wanted(record: Mapping[str, Any]) -> int | None:
    """How many trajectories a rollout is to have; None where its record does not say, or rounds are recorded apart."""
    configuration = record.get("configuration") or {}
    number, samples = record.get("num_problems"), configuration.get("settings.samples", 1)
    if configuration.get("settings.record_rounds") or not isinstance(number, int) or not isinstance(samples, int):
        return None
    return number * samples


def _json(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one where there is none to be read."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
