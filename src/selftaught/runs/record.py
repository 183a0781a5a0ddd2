"""``run.json``: the one record of what made a folder. Only this module writes it and reads it.

A folder belongs to one run: whoever wants to write into it claims it with the record of what it is about to do, and is
refused with the first difference when the folder holds something else. Records of older versions are read and carried
over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from selftaught.complaints import complaint
from selftaught.errors import ConfigError, shorten
from selftaught.provenance import MadeBy, digest_of, made_here
from selftaught.records import Record, utc_now
from selftaught.runs.folders import DataFolder, Folder, ModelFolder, RolloutFolder, RunFolder
from selftaught.store import write_json

RUN_SCHEMA = 2
"""Version of this record. 1: two records, of a rollout (without a version) and of a recipe's run."""


class RunKind(StrEnum):
    """What a folder holds."""

    ROLLOUT = "rollout"
    EVALUATION = "evaluation"
    RECIPE = "recipe"
    CURATION = "curation"
    TRAINING = "training"

    @property
    def words(self) -> str:
        """As a message calls it."""
        return {
            RunKind.ROLLOUT: "a rollout",
            RunKind.EVALUATION: "an evaluation",
            RunKind.RECIPE: "the run of a recipe",
            RunKind.CURATION: "a curated data set",
            RunKind.TRAINING: "a trained model",
        }[self]


class RunRecord(Record):
    """The content of ``run.json``, whatever made the folder."""

    schema_version: int = RUN_SCHEMA
    kind: RunKind
    digest: str = ""
    """Of the settings that decide the results; a recipe's own digest."""
    created_at: str = Field(default_factory=utc_now)
    attempts: list[str] = Field(default_factory=list)
    """UTC times at which it was started or gone on with."""
    model: str = ""
    """As it was given: a folder, a hub id, ``toy`` or the URL of a server."""
    model_digest: str | None = None
    """Of the model's files; None for a served one."""
    tokenizer: str = ""
    """Whose tokenizer made the ids: a folder, a hub id or ``toy``; empty when it is not known."""
    condition: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What decides the results: a rollout's settings, curation's, training's, or the whole recipe."""
    spread: dict[str, Any] = Field(default_factory=dict)
    """How the work was spread; it does not change results."""
    inputs: dict[str, str] = Field(default_factory=dict)
    """What else the results follow from → its digest: hint library, rows, source folders."""
    problems: str = ""
    """The problem file, relative to this folder."""
    num_problems: int | None = None
    problems_digest: str = ""
    seeds: list[int] = Field(default_factory=list)
    models: dict[str, str] = Field(default_factory=dict)
    """Model → digest of its files, of the models that a recipe used or trained."""
    data: dict[str, str] = Field(default_factory=dict)
    """Problem file → digest."""
    sandbox_tier: str = ""
    taken_from: str = ""
    """The folder, relative to this one, that these rows were copied from."""
    made_by: MadeBy = Field(default_factory=MadeBy)

    def problem_file(self, folder: Path) -> Path | None:
        """The problems of ``folder``, or None when the record does not say or they are gone."""
        for path in (folder / self.problems, Path(self.problems)) if self.problems else ():
            if path.is_file():
                return path
        return None


def read_record(folder: Path) -> RunRecord | None:
    """The record of a folder, or None when it has none. ConfigError when it cannot be read."""
    path = Folder(folder).record
    try:
        content = json.loads(path.read_text("utf-8"))
        return RunRecord.model_validate(_carried_over(content))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = (
            complaint(error, whole="the record").rstrip(".")
            if isinstance(error, ValidationError)
            else str(error).splitlines()[0]
        )
        raise ConfigError(
            f"{path} cannot be read ({why}); it is torn, or another version of selftaught wrote it. Name another folder."
        ) from None


def peek_record(folder: Path) -> RunRecord | None:
    """The record of a folder for somebody who can do without it: None also when it cannot be read."""
    try:
        return read_record(folder)
    except ConfigError:
        return None


def write_record(folder: Path, record: RunRecord) -> None:
    """Write it as a whole."""
    write_json(Folder(folder).record, record.model_dump(mode="json"))


def claim(folder: Folder, wanted: RunRecord, *, is_begun: bool, defaults: Mapping[str, Any] | None = None) -> RunRecord:
    """Make ``folder`` that of ``wanted``, or go on with it; the record as it now stands on disk.

    ``is_begun`` says whether results lie in it: what failed before its first result binds nobody. ``defaults`` are the
    settings' default values: one that an older record lacks had its default. The caller holds the folder's lock.
    ConfigError says what the folder holds instead, or what differs.
    """
    there = read_claimable(folder.path, wanted.kind)
    if there is None or not is_begun:
        record = wanted
    else:
        difference = first_difference(there, wanted, defaults or {})
        if difference is not None:
            raise ConfigError(f"{folder.path} holds {wanted.kind.words} {difference}. Name another folder.")
        record = there
        record.spread, record.made_by = wanted.spread, wanted.made_by
        record.problems = record.problems or wanted.problems
        record.tokenizer = record.tokenizer or wanted.tokenizer
        record.num_problems, record.problems_digest = wanted.num_problems, wanted.problems_digest
    record.attempts.append(utc_now())
    write_record(folder.path, record)
    return record


def claim_anew(folder: Folder, wanted: RunRecord) -> RunRecord:
    """`claim` for what is written anew as a whole each time: other settings are no reason to refuse the folder.

    The caller holds the folder's lock. ConfigError when it holds something else.
    """
    there = read_claimable(folder.path, wanted.kind)
    record = wanted.model_copy(update={"digest": digest_of(wanted.settings), "made_by": made_here()})
    if there is not None:
        record.created_at, record.attempts = there.created_at, list(there.attempts)
    record.attempts = [*record.attempts, utc_now()]
    write_record(folder.path, record)
    return record


def read_claimable(folder: Path, wanted: RunKind) -> RunRecord | None:
    """The record of a folder, or None without one. ConfigError when the folder holds something of another kind."""
    there = read_record(folder)
    kind = there.kind if there is not None else kind_without_record(folder)
    if kind is not None and kind is not wanted:
        raise ConfigError(f"{folder} holds {kind.words}; name another --out for {wanted.words}.")
    return there


def kind_without_record(folder: Path) -> RunKind | None:
    """What a folder without a record holds, told by its files; None for an empty one or one that is not ours."""
    if RunFolder(folder).markers.is_dir():
        return RunKind.RECIPE
    if ModelFolder(folder).summary.is_file() or ModelFolder(folder).holds_model():
        return RunKind.TRAINING
    if DataFolder(folder).funnel.is_file() or DataFolder(folder).kept.is_file():
        return RunKind.CURATION
    return RunKind.ROLLOUT if RolloutFolder(folder).trajectories.is_file() else None


def first_difference(there: RunRecord, now: RunRecord, defaults: Mapping[str, Any]) -> str | None:
    """The first thing that makes ``now`` another run than ``there``, in the user's words; None when they are one."""
    settings, wanted = _plain(there.settings), _plain(now.settings)
    for key in {**settings, **wanted}:
        default = _plain(defaults).get(key)
        old, new = settings.get(key, default), wanted.get(key, default)
        if old != new:
            return f"whose {option_name(key)} is {_in_words(old)}; here it is {_in_words(new)}"
    for key in {**there.inputs, **now.inputs}:
        if there.inputs.get(key) not in (None, now.inputs.get(key)):
            return f"made from another content of its {key}"
    if there.model_digest and now.model_digest and there.model_digest != now.model_digest:
        return f"of another model ({there.model}); the files of {now.model} differ from it"
    return None


def option_name(key: str) -> str:
    """A setting as the user gives it: ``tool_timeout_s`` → ``--tool-timeout``; a nested one as ``--set`` takes it."""
    if "." in key:
        return f"--set {key}"
    name = key.removesuffix("_s") if key.endswith("_timeout_s") else key
    return "--" + name.replace("_", "-")


def _plain(content: Any) -> dict[str, Any]:
    """As JSON gives it back."""
    return dict(json.loads(json.dumps(content, default=str)))


def _in_words(value: object) -> str:
    return "not set" if value is None else shorten(json.dumps(value, ensure_ascii=False))


# ------------------------------------------------------------------------------------------------- older versions


def _carried_over(content: dict[str, Any]) -> dict[str, Any]:
    """The content of an older version in the present form. ValueError for a newer one."""
    version = content.get("schema_version", 0)
    if version > RUN_SCHEMA:
        raise ValueError(f"schema_version is {version}; this selftaught reads up to {RUN_SCHEMA}, upgrade it")
    if version == RUN_SCHEMA:
        return content
    return _old_recipe(content) if "recipe" in content else _old_rollout(content)


_MADE_BY = ("versions", "hardware", "git_commit", "git_dirty", "command")


def _made_by(content: dict[str, Any]) -> dict[str, Any]:
    """Provenance, with every value as text."""
    made: dict[str, Any] = {key: content[key] for key in _MADE_BY if content.get(key) is not None}
    for key in ("versions", "hardware"):
        made[key] = {name: str(value) for name, value in (made.get(key) or {}).items() if value is not None}
    return made


def _old_rollout(content: dict[str, Any]) -> dict[str, Any]:
    """The record that a rollout wrote before version 2: flat keys ``settings.…`` beside two digests."""
    configuration: dict[str, Any] = content["configuration"]
    prefix = "settings."
    settings = {key[len(prefix) :]: value for key, value in configuration.items() if key.startswith(prefix)}
    model = str(content.get("model", ""))
    served = model.startswith(("http://", "https://"))
    tokenizer = settings.get("tokenizer") or (settings.get("model_name") if served else model)
    hints = configuration.get("hints_digest")
    return {
        "kind": RunKind.ROLLOUT,
        "digest": content.get("digest", ""),
        "created_at": content.get("created_at", ""),
        "model": model,
        "model_digest": configuration.get("model_digest"),
        "tokenizer": tokenizer or "",
        "condition": settings.get("condition", ""),
        "settings": settings,
        "spread": content.get("spread") or {},
        "inputs": {HINT_LIBRARY: hints} if hints else {},
        "num_problems": content.get("num_problems"),
        "problems_digest": content.get("problems_digest", ""),
        "seeds": [settings["seed"]] if isinstance(settings.get("seed"), int) else [],
        "made_by": _made_by(content),
    }


def _old_recipe(content: dict[str, Any]) -> dict[str, Any]:
    """The record that a recipe's run wrote before version 2."""
    recipe: dict[str, Any] = content["recipe"]
    return {
        "kind": RunKind.RECIPE,
        "digest": content["config_digest"],
        "model": recipe.get("base_model", ""),
        "tokenizer": recipe.get("base_model", ""),
        "settings": recipe,
        "made_by": _made_by(content),
        **{
            key: content[key]
            for key in ("created_at", "attempts", "seeds", "models", "data", "sandbox_tier")
            if key in content
        },
    }


HINT_LIBRARY = "hint library"
"""Key of ``RunRecord.inputs``."""
