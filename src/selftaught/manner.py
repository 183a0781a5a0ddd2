"""A model's own manner: how it wants to be asked. The file ``selftaught.json`` lies in the model's folder.

A model that was trained on bare questions answers them worse when a request for ``\\boxed{}`` follows, whatever its
folder is called. So the folder says how its questions are rendered, where its thinking ends, and which hints suit it.
Training copies the base's manner to the trained model; every verb that asks a model reads it.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from selftaught.complaints import complaint
from selftaught.errors import DataError
from selftaught.runs.folders import ModelFolder
from selftaught.store import write_json

_MAX_ANCESTORS = 8
"""Bases of bases that are looked at before the default is taken."""


class ThinkStyle(StrEnum):
    """Where thinking ends."""

    AUTO = "auto"
    """Tags if the model knows ``</think>`` as one token, else the whole turn."""
    TAGS = "tags"
    WHOLE_TURN = "whole_turn"
    """The whole turn is thinking (QwQ-32B-Preview): the end token ends it."""


class Decoding(BaseModel):
    """Sampling that suits a model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float | None = Field(default=None, ge=0, le=10)
    top_p: float | None = Field(default=None, gt=0, le=1)


class Manner(BaseModel):
    """How to ask a model. The defaults are those of a model that has no such file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    question: Literal["request", "plain"] = "request"
    """``request``: after the question, the form of the answer is asked for (``\\boxed{}``, a ``python`` block).
    ``plain``: the question alone, then its options as lines ``A) …``, or its public tests as samples."""
    think_style: ThinkStyle = ThinkStyle.AUTO
    hints: str | None = None
    """Policy that `infer` takes when none is named; None leaves it to the verb."""
    sampling: Decoding | None = None
    """Temperature and top-p when none are named; None is greedy."""
    knows: Literal["toy"] | None = None
    """``toy``: the model knows the problem families of the embedded reasoner and no others, so that any other question
    gets a notice."""


def read_manner(folder: Path) -> Manner:
    """The manner of the model in ``folder``.

    A folder without the file that was trained here (``training.json``) has its base's manner; any other has the
    default. DataError when the file there cannot be read.
    """
    return _read(folder, _MAX_ANCESTORS)


def write_manner(folder: Path, manner: Manner) -> Path:
    """Write ``selftaught.json`` into a model's folder and return its path. Fields at their defaults are left out."""
    path = ModelFolder(folder).manner
    write_json(path, {"schema_version": 1, **manner.model_dump(mode="json", exclude_defaults=True)})
    return path


def trained_manner(base: Manner) -> Manner:
    """The manner of a model that was trained on ``base``. It calls Python by itself, so it needs no hints."""
    return base.model_copy(update={"hints": "none"})


def _read(folder: Path, ancestors: int) -> Manner:
    path = ModelFolder(folder).manner
    if path.is_file():
        try:
            return Manner.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise DataError(f"{path}: {complaint(error, Manner.model_fields, whole='the file')}") from None
    base = _trained_from(folder)
    if base is None or ancestors == 0:
        return Manner()
    return trained_manner(_read(base, ancestors - 1))


def _trained_from(folder: Path) -> Path | None:
    """Folder of the base model by ``training.json``.

    None if there is no such file, or the base is not a folder here.
    """
    try:
        record: Any = json.loads(ModelFolder(folder).summary.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    named = record.get("base_model") if isinstance(record, dict) else None
    if not isinstance(named, str) or not named:
        return None
    shipped = Path(__file__).parent / "toy" / "weights"
    if Path(named).parts[-3:] == shipped.parts[-3:]:  # the embedded model of this or of another installation
        return shipped
    return Path(named) if Path(named).is_dir() else None
