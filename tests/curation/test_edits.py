"""Hand edits come back as recorded, undoable changes; every trajectory's fate can be asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught.curation import CurateSettings, Rule, curate
from selftaught.curation.edits import write_editable
from selftaught.curation.explain import curated_folders, explain
from selftaught.curation.modify import undo
from selftaught.curation.records import KeptRow
from selftaught.errors import DataError
from selftaught.store import read_jsonl, write_records

from .conftest import WriteRollout
from .samples import CODEC, hinted, problem, read_lines

SETTINGS = CurateSettings(rule=Rule.D_START)


@pytest.fixture
def curated(write_rollout: WriteRollout, tmp_path: Path) -> Path:
    source = write_rollout("sampled", [(hinted("p1"), True), (hinted("p2"), True), (hinted("p3"), False)])
    out = tmp_path / "sampled" / "curated"
    curate([source], [problem(f"p{i}") for i in (1, 2, 3)], out, SETTINGS, codec=CODEC)
    write_records(tmp_path / "sampled" / "problems.jsonl", [problem(f"p{i}") for i in (1, 2, 3)])
    return out


def edit(path: Path, **changes: object) -> None:
    """Change one editable file's first row."""
    rows = read_lines(path)
    row = next(r for r in rows if r["id"] == "p1#0")
    row.update(changes)
    path.write_text(json.dumps(row) + "\n")


def test_an_edit_comes_back_recorded_and_undoable(curated: Path, write_rollout: WriteRollout, tmp_path: Path) -> None:
    file = tmp_path / "edit.jsonl"
    assert write_editable(read_jsonl(curated / "kept.jsonl", KeptRow), file) == 2
    spans = next(r for r in read_lines(file) if r["id"] == "p1#0")["spans"]
    spans[1]["text"] = spans[1]["text"].replace("I try by hand", "I estimate")  # type: ignore[index]
    edit(file, spans=spans, note="unclear")
    source = write_rollout("again", [(hinted("p1"), True), (hinted("p2"), True)])
    curate([source], [problem("p1"), problem("p2")], tmp_path / "out", SETTINGS, codec=CODEC, edits=file)
    row = next(r for r in read_jsonl(tmp_path / "out" / "kept.jsonl", KeptRow) if r.trajectory.id == "p1#0")
    assert "I estimate" in row.trajectory.text_after_prompt()
    [change] = row.modifications
    assert change.rule == "hand_edit" and change.reason == "unclear" and any(change.reencoded)
    assert undo(row.trajectory, row.modifications).spans == hinted("p1").spans


@pytest.mark.parametrize(
    ("index", "digest", "message"), [(0, None, "prompt span"), (4, None, "tool span"), (1, "0" * 16, "another text")]
)
def test_edits_that_would_lie_are_refused(
    curated: Path, write_rollout: WriteRollout, tmp_path: Path, index: int, digest: str | None, message: str
) -> None:
    file = tmp_path / "edit.jsonl"
    write_editable(read_jsonl(curated / "kept.jsonl", KeptRow), file)
    row = next(r for r in read_lines(file) if r["id"] == "p1#0")
    row["spans"][index]["text"] += "!"  # type: ignore[index]
    edit(file, spans=row["spans"], digest=digest or row["digest"])
    source = write_rollout("again", [(hinted("p1"), True)])
    with pytest.raises(DataError, match=message):
        curate([source], [problem("p1")], tmp_path / "out", SETTINGS, codec=CODEC, edits=file)


def test_an_edit_of_a_dropped_one_is_said(curated: Path, write_rollout: WriteRollout, tmp_path: Path) -> None:
    file = tmp_path / "edit.jsonl"
    write_editable(read_jsonl(curated / "kept.jsonl", KeptRow), file)
    source = write_rollout("again", [(hinted("p1"), False)])
    with pytest.raises(DataError, match="not kept"):
        curate([source], [problem("p1")], tmp_path / "out", SETTINGS, codec=CODEC, edits=file)


def test_explain(curated: Path, tmp_path: Path) -> None:
    [kept] = explain(curated_folders(tmp_path), "p1#0")
    [dropped] = explain(curated_folders(tmp_path), "p3")
    assert kept.kept and "right with 1 calls" in kept.why
    assert not dropped.kept and dropped.step == "wrong" and dropped.reason == "wrong"
    assert list(explain(curated_folders(tmp_path), "p9")) == []


def test_the_verb(curated: Path, tmp_path: Path, run_cli: object) -> None:
    run = tmp_path / "sampled"
    result = run_cli("curate", run, "--explain", "p3#0")  # type: ignore[operator]
    assert result.exit_code == 0 and "dropped at wrong" in result.stdout
    assert run_cli("curate", run, "--explain", "p9").exit_code == 2  # type: ignore[operator]
    result = run_cli("curate", run, "--json", "--set", "filters.max_tokens=10", "--out", tmp_path / "other")  # type: ignore[operator]
    assert result.exit_code == 0 and json.loads(result.stdout)["dropped"] == {"too_long": 2, "wrong": 1}
    result = run_cli("curate", run, "--set", "filters.max_token=10")  # type: ignore[operator]
    assert result.exit_code == 2 and "Did you mean max_tokens" in result.stderr
    result = run_cli("curate", run, "--export", "trl,sharegpt,axolotl,llamafactory")  # type: ignore[operator]
    assert result.exit_code == 0
    assert len((curated / "export" / "trl" / "train.jsonl").read_text().splitlines()) == 2
