"""A model's folder while it is trained: held by one writer, and that of one training only.

Under a launcher the first process holds it for all.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from selftaught.errors import ConfigError
from selftaught.provenance import DIGEST_CHARS, digest_of, made_here
from selftaught.runs.folders import ModelFolder
from selftaught.runs.lock import WriterLock
from selftaught.runs.record import RunKind, RunRecord, claim, read_record
from selftaught.tokens.folder import model_digest
from selftaught.training.render import TrainingRow
from selftaught.training.settings import SftSettings, TrainingSummary, read_summary

_NO_RESULT = frozenset(
    "save_every_steps keep_checkpoints keep_after_end log_every_steps report_to num_threads expect_world_size "
    "expect_sharding".split()
)
"""Settings that change nothing in the weights."""


@contextmanager
def claimed(
    folder: ModelFolder, base_model: str | Path, settings: SftSettings, rows: Sequence[TrainingRow]
) -> Iterator[TrainingSummary | None]:
    """Hold ``folder`` for this training; gives its summary when it is complete already.

    ConfigError when another process writes there, or when the folder holds something else: it says what differs.
    """
    if int(os.environ.get("RANK", "0")):
        yield read_summary(folder) if folder.summary.is_file() else None
        return
    with WriterLock(folder.lock, "train"):
        wanted = _record(base_model, settings, rows)
        _check_older(folder, wanted, base_model, rows)
        claim(folder, wanted, is_begun=_is_begun(folder), defaults=_deciding(SftSettings()))
        yield read_summary(folder) if folder.summary.is_file() else None


def _is_begun(folder: ModelFolder) -> bool:
    """Whether a step was made that a later call could go on from."""
    return folder.summary.is_file() or any(folder.checkpoints.glob("*"))


def _record(base_model: str | Path, settings: SftSettings, rows: Sequence[TrainingRow]) -> RunRecord:
    """What is about to be trained."""
    deciding, folder = _deciding(settings), Path(base_model)
    digest = model_digest(folder) if folder.is_dir() else None
    inputs = {"rows": rows_digest(rows)}
    whole = settings.model_dump(mode="json")
    return RunRecord(
        kind=RunKind.TRAINING,
        digest=digest_of({"settings": deciding, "model": digest or str(base_model), **inputs}),
        model=str(base_model),
        model_digest=digest,
        tokenizer=str(base_model),
        settings=deciding,
        spread={key: value for key, value in whole.items() if key in _NO_RESULT},
        inputs=inputs,
        seeds=[settings.seed],
        made_by=made_here(),
    )


def _deciding(settings: SftSettings) -> dict[str, object]:
    """The settings that decide the weights."""
    return settings.model_dump(mode="json", exclude=set(_NO_RESULT))


def rows_digest(rows: Sequence[TrainingRow]) -> str:
    """Digest of everything that is trained on, in its order."""
    hashed = hashlib.sha256()
    for row in rows:
        for ids in (row.input_ids, row.labels):
            hashed.update(len(ids).to_bytes(8, "little") + array("q", ids).tobytes())
    return hashed.hexdigest()[:DIGEST_CHARS]


def _check_older(folder: ModelFolder, wanted: RunRecord, base_model: str | Path, rows: Sequence[TrainingRow]) -> None:
    """ConfigError for a model without a record that is not this training's: one of an older version, or somebody's own."""
    if read_record(folder.path) is not None or not folder.path.is_dir():
        return
    if not folder.summary.is_file():
        if folder.holds_model() and not folder.checkpoints.is_dir():
            raise ConfigError(f"{folder.path} holds a model that was not trained there; name another --out.")
        return
    there = read_summary(folder)
    counts = (there.num_rows, there.num_tokens), (len(rows), sum(len(row.input_ids) for row in rows))
    same = _deciding(there.settings) == wanted.settings and there.base_model == str(base_model)
    if not same or counts[0] != counts[1]:
        raise ConfigError(f"{folder.path} holds a model that was trained otherwise; name another --out.")
