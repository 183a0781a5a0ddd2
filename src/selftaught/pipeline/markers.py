"""Done-markers: one small file for each finished stage. A stage with a marker is never run again; all others are.

The marker is written last and as a whole, so it proves that the stage's files are complete. It holds the hashes of
these files, and the digest of what the stage was asked to do. A run folder can therefore not be continued with another
recipe.
"""

from __future__ import annotations

import hashlib

from pydantic import Field, ValidationError

from selftaught.errors import ConfigError
from selftaught.pipeline.stages import Stage
from selftaught.provenance import DIGEST_CHARS, file_digest
from selftaught.records import SCHEMA_VERSION, Record, utc_now
from selftaught.runs.folders import RunFolder
from selftaught.runs.stages import StageRef
from selftaught.store import write_json


class StageResult(Record):
    """What performing a stage gives back."""

    tokens: int = 0
    """Generated, or trained on."""
    detail: str = ""
    outputs: list[str] = Field(default_factory=list)
    """Files written, relative to the run; hashed into the marker."""


class Marker(Record):
    """Proof that a stage is done."""

    schema_version: int = SCHEMA_VERSION
    name: str
    kind: str
    digest: str
    seconds: float
    """Wall time over all attempts that the run knows of; the last one alone when killed in between."""
    tokens: int
    detail: str
    finished_at: str = Field(default_factory=utc_now)
    hashes: dict[str, str] = Field(default_factory=dict)
    taken_from: str = ""
    """The run that did it, when this one took it over; seconds and tokens are its."""


def read_marker(run: RunFolder, stage: StageRef) -> Marker | None:
    """The marker of a stage, or None; a torn one counts as none."""
    try:
        return Marker.model_validate_json(run.marker(stage).read_text("utf-8"))
    except (OSError, ValidationError):
        return None


def stage_digest(run: RunFolder, stage: Stage) -> str:
    """Digest of a stage and of the markers that it needs.

    Since each marker's digest contains those before it, a change anywhere in the recipe changes every later stage's
    digest.
    """
    needed = [read_marker(run, need) for need in stage.needs]
    joined = stage.own_digest() + "".join(marker.digest if marker else "-" for marker in needed)
    return hashlib.sha256(joined.encode()).hexdigest()[:DIGEST_CHARS]


def write_marker(run: RunFolder, stage: Stage, result: StageResult, seconds: float, *, taken_from: str = "") -> Marker:
    """Say that ``stage`` is done; its files are complete by now."""
    marker = Marker(
        name=stage.name,
        kind=stage.kind,
        digest=stage_digest(run, stage),
        seconds=round(seconds, 3),
        tokens=result.tokens,
        detail=result.detail,
        hashes={name: file_digest(run.path / name) for name in result.outputs if (run.path / name).is_file()},
        taken_from=taken_from,
    )
    save_marker(run, stage.ref, marker)
    return marker


def save_marker(run: RunFolder, stage: StageRef, marker: Marker) -> None:
    """Write a marker as it is."""
    write_json(run.marker(stage), marker.model_dump(mode="json"))


def finished(run: RunFolder, stages: list[Stage]) -> dict[str, Marker]:
    """Markers of the stages that are done, by the stage's name. ConfigError when one was made by another recipe."""
    done: dict[str, Marker] = {}
    for stage in stages:
        marker = read_marker(run, stage.ref)
        if marker is None:
            continue
        if marker.digest != stage_digest(run, stage):
            raise ConfigError(
                f"{run.path}: stage {stage.name} was made with other settings; name another --out, or give --fresh to start "
                "this run over."
            )
        done[stage.name] = marker
    return done
