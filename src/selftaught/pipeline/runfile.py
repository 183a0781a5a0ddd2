"""The record of a recipe's run: made at the start, gone on with at each attempt; a folder belongs to one recipe."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selftaught.errors import ConfigError
from selftaught.pipeline.digest import IGNORED
from selftaught.pipeline.recipe import Recipe
from selftaught.provenance import made_here
from selftaught.records import utc_now
from selftaught.runs.folders import RunFolder
from selftaught.runs.record import RunKind, RunRecord, read_claimable, write_record
from selftaught.runs.stages import Part
from selftaught.sandbox.probe import reached_tier
from selftaught.tokens.folder import model_digest, model_source


def open_run(run: RunFolder, recipe: Recipe, *, fresh: bool) -> RunRecord:
    """Make or reopen a run folder, which the caller has locked.

    ConfigError when it belongs to another recipe or holds something else. ``fresh`` empties it first, and only when it
    holds a recipe's run and nothing beside it.
    """
    there = read_claimable(run.path, RunKind.RECIPE)
    if there is None and run.holds_anything():
        raise ConfigError(f"{run.path} is not empty and holds no {run.record.name}; name another --out.")
    if fresh and there is not None:
        empty(run)
        there = None
    if there is None:
        there = _new_record(recipe)
    elif there.digest != recipe.digest():
        raise ConfigError(
            f"{run.path} was made with other settings: {_what_differs(there, recipe)}. Name another --out, or give --fresh to "
            "start this run over."
        )
    there.made_by = made_here().model_copy(update={"hardware": there.made_by.hardware or made_here().hardware})
    there.attempts.append(utc_now())
    write_record(run.path, there)
    return there


def empty(run: RunFolder) -> None:
    """Delete what a recipe's run wrote. ConfigError, and nothing is deleted, when anything else lies in the folder."""
    known = run.entries()
    unknown = sorted(path.name for path in run.path.iterdir() if path.name not in known)
    for part in (run.path / part.label for part in (Part.SEED_ROUND, Part.START_ROUND, Part.CONTROL, Part.EVALUATION)):
        for path in sorted(part.iterdir()) if part.is_dir() else ():
            stage = run.stage_of(path)
            if path.is_dir() and (stage is None or not run.knows(stage)):
                unknown.append(run.relative(path))
    if unknown:
        raise ConfigError(
            f"{run.path} holds {unknown[0]}, which this run did not write; --fresh deletes nothing. Move it away, or name "
            "another --out."
        )
    for path in run.path.iterdir():
        if path == run.lock:  # it is held, and its deletion would let a second writer in
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _new_record(recipe: Recipe) -> RunRecord:
    return RunRecord(
        kind=RunKind.RECIPE,
        digest=recipe.digest(),
        model=recipe.base_model,
        tokenizer=recipe.base_model,
        settings=recipe.model_dump(mode="json"),
        seeds=[recipe.seed],
        models={recipe.base_model: _model_hash(recipe.base_model)},
        sandbox_tier=_sandbox_tier(),
    )


def _what_differs(there: RunRecord, recipe: Recipe) -> str:
    """The first key whose value the recipe has changed."""
    old = dict(_flat({key: value for key, value in there.settings.items() if key not in IGNORED}))
    content = recipe.model_dump(mode="json")
    new = dict(_flat({key: value for key, value in content.items() if key not in IGNORED}))
    for key in {**old, **new}:
        if old.get(key) != new.get(key):
            return f"{key} is {old.get(key)!r} there and {new.get(key)!r} here"
    return f"its digest is {there.digest} there and {recipe.digest()} here"


def _flat(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of nested mappings."""
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _model_hash(model: str) -> str:
    """Digest of a local model folder, or empty for one that is not here."""
    folder = Path(model_source(model))
    return model_digest(folder) if folder.is_dir() else ""


def _sandbox_tier() -> str:
    """Isolation tier that the sandbox reaches here; empty when it cannot tell."""
    return reached_tier()
