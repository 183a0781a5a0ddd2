"""A run folder of the first version goes on: its record is read, its recipe and every stage have the digests that it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selftaught.errors import ConfigError
from selftaught.pipeline import runfile
from selftaught.pipeline.execute import execute
from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.load import parse_recipe
from selftaught.pipeline.markers import Marker
from selftaught.runs import RunFolder
from selftaught.runs.record import RUN_SCHEMA, RunKind, read_record
from selftaught.store import write_json

OLDER: dict[str, Any] = json.loads(Path(__file__).with_name("older_run.json").read_text())
"""``run.json`` of a whole demo run at bce921e, and the digest in each of its markers."""


@pytest.fixture
def older(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    write_json(run.record, OLDER["run"])
    for stage in build_stages(parse_recipe(OLDER["run"]["recipe"], "older")):
        marker = Marker(
            name=stage.name, kind=stage.kind, digest=OLDER["digests"][stage.name], seconds=1, tokens=0, detail=""
        )
        write_json(run.marker(stage.ref), marker.model_dump(mode="json"))
    return run


def test_nothing_is_run_again(older: RunFolder) -> None:
    recipe = parse_recipe(OLDER["run"]["recipe"], "older")
    assert recipe.digest() == OLDER["run"]["config_digest"]
    result = execute(recipe, older.path, quiet=True)
    assert result.was_done and len(result.markers) == len(OLDER["digests"])
    record = read_record(older.path)
    assert record is not None and record.kind is RunKind.RECIPE and record.schema_version == RUN_SCHEMA
    assert record.models == OLDER["run"]["models"] and record.attempts[:-1] == OLDER["run"]["attempts"]


def test_another_recipe_is_refused_with_the_first_difference(older: RunFolder) -> None:
    content = {**OLDER["run"]["recipe"], "seed": 3}
    with pytest.raises(ConfigError, match="seed is 0 there and 3 here"):
        execute(parse_recipe(content, "older"), older.path, quiet=True)


@pytest.mark.parametrize("place", ["notes.txt", "round1/mine/x", "curated/kept.jsonl"])
def test_fresh_deletes_nothing_that_it_does_not_know(older: RunFolder, place: str) -> None:
    other = older.path / place
    other.parent.mkdir(parents=True, exist_ok=True)
    other.write_text("mine")
    with pytest.raises(ConfigError, match="which this run did not write; --fresh deletes nothing"):
        execute(parse_recipe(OLDER["run"]["recipe"], "older"), older.path, fresh=True, quiet=True)
    assert other.read_text() == "mine" and older.record.exists() and any(older.markers.iterdir())


def test_fresh_deletes_what_the_run_wrote(older: RunFolder) -> None:
    for place in (
        "report/figures/x.svg",
        "eval/base/grades.jsonl",
        "eval/base-rounds/grades.jsonl",
        "logs/problems.log",
    ):
        (older.path / place).parent.mkdir(parents=True, exist_ok=True)
        (older.path / place).touch()
    runfile.empty(older)
    assert not any(older.path.iterdir())


def test_a_torn_record_is_no_reason_to_delete(older: RunFolder) -> None:
    older.record.write_text("{")
    for fresh in (False, True):
        with pytest.raises(ConfigError, match="Name another folder"):
            execute(parse_recipe(OLDER["run"]["recipe"], "older"), older.path, fresh=fresh, quiet=True)
    assert any(older.markers.iterdir())
