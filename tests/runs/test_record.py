"""The record of a folder: one form, older forms read, and the first difference named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught.errors import ConfigError
from selftaught.runs.folders import Folder
from selftaught.runs.record import RunKind, RunRecord, claim, claim_anew, read_record, write_record

OLD_ROLLOUT = {
    "kind": "rollout",
    "digest": "909909543b712210",
    "created_at": "2026-11-28T03:40:25Z",
    "model": "toy",
    "num_problems": 430,
    "problems_digest": "021c91ae5b9778ae",
    "configuration": {
        "model_digest": "d727e639b53ab623",
        "hints_digest": "48981bbed7a92f8e",
        "settings.condition": "base+hint",
        "settings.seed": 7,
        "settings.tokenizer": None,
    },
    "spread": {"workers": 0},
    "versions": {"selftaught": "0.1.0", "torch": None},
    "hardware": {"machine": "x86_64", "num_cpus": 2},
    "git_commit": None,
    "command": "selftaught demo",
}
OLD_RECIPE = {
    "schema_version": 1,
    "recipe": {"name": "demo", "base_model": "toy", "seed": 0},
    "config_digest": "058d42cfa67173fe",
    "seeds": [0],
    "created_at": "2026-11-28T03:30:00Z",
    "attempts": ["2026-11-28T03:30:00Z"],
    "git_commit": "bce921e",
    "git_dirty": False,
    "versions": {"python": "3.11"},
    "hardware": {"cores": "2"},
    "models": {"toy": "d727e639b53ab623"},
    "data": {},
    "sandbox_tier": "full",
    "command": "selftaught demo",
}


def record(**changes: object) -> RunRecord:
    fields = {"kind": RunKind.ROLLOUT, "model": "toy", "settings": {"seed": 0, "tool_timeout_s": 2.0}, **changes}
    return RunRecord.model_validate(fields)


def test_the_two_older_records_are_read(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(OLD_ROLLOUT))
    rollout = read_record(tmp_path)
    assert rollout is not None and rollout.kind is RunKind.ROLLOUT and rollout.condition == "base+hint"
    assert rollout.settings["seed"] == 7 and rollout.model_digest == "d727e639b53ab623" and rollout.tokenizer == "toy"
    assert rollout.made_by.hardware == {"machine": "x86_64", "num_cpus": "2"}
    (tmp_path / "run.json").write_text(json.dumps(OLD_RECIPE))
    recipe = read_record(tmp_path)
    assert recipe is not None and recipe.kind is RunKind.RECIPE and recipe.digest == "058d42cfa67173fe"
    assert (
        recipe.settings["base_model"] == "toy" and recipe.sandbox_tier == "full" and recipe.made_by.git_dirty is False
    )
    write_record(tmp_path, recipe)
    assert read_record(tmp_path) == recipe


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"schema_version": 99}', '{"kind": "rollout"}', '{"schema_version": 2}']
)
def test_what_cannot_be_read_is_said_and_nothing_is_to_be_deleted(tmp_path: Path, content: str) -> None:
    assert read_record(tmp_path) is None
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(ConfigError, match=r"run\.json cannot be read") as caught:
        read_record(tmp_path)
    assert "--fresh" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_belongs_to_one_run(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    claim(folder, record(), is_begun=False)
    assert len(claim(folder, record(), is_begun=True).attempts) == 2
    with pytest.raises(ConfigError, match=r"a rollout whose --tool-timeout is 2\.0; here it is 3\.0"):
        claim(folder, record(settings={"seed": 0, "tool_timeout_s": 3.0}), is_begun=True)
    with pytest.raises(ConfigError, match="holds a rollout; name another --out for a trained model"):
        claim(folder, record(kind=RunKind.TRAINING), is_begun=False)
    with pytest.raises(ConfigError, match="holds a rollout"):
        claim_anew(folder, record(kind=RunKind.CURATION))


def test_what_was_not_begun_binds_nobody(tmp_path: Path) -> None:
    claim(Folder(tmp_path), record(), is_begun=False)
    assert claim(Folder(tmp_path), record(settings={"seed": 5}), is_begun=False).settings == {"seed": 5}


def test_a_setting_that_an_older_record_lacks_had_its_default(tmp_path: Path) -> None:
    claim(Folder(tmp_path), record(), is_begun=False)
    later = {"seed": 0, "tool_timeout_s": 2.0, "later": 1}
    assert claim(Folder(tmp_path), record(settings=later), is_begun=True, defaults={"later": 1})
    with pytest.raises(ConfigError, match="--later is 1; here it is 2"):
        claim(Folder(tmp_path), record(settings={**later, "later": 2}), is_begun=True, defaults={"later": 1})


@pytest.mark.parametrize(
    ("file", "kind"),
    [("trajectories.jsonl", "a rollout"), ("funnel.json", "a curated data set"), ("config.json", "a trained model")],
)
def test_a_folder_without_a_record_is_known_by_its_files(tmp_path: Path, file: str, kind: str) -> None:
    (tmp_path / file).write_text("")
    with pytest.raises(ConfigError, match=f"holds {kind}; name another --out for an evaluation"):
        claim_anew(Folder(tmp_path), record(kind=RunKind.EVALUATION))


def test_an_unwritable_folder_is_a_mistake_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nothing")):
        with pytest.raises(ConfigError, match="--out .* cannot be written .*name a folder"):
            Folder(path).make()
