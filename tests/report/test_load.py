"""What the page carries of a run: whole problems, the last grade, no gated text, and what is there when files are gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught.errors import DataError
from selftaught.report import write_report
from selftaught.store import write_records

from .synthetic import make_run
from .test_write import blocks


def test_missing_or_broken_report_json(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"report\.json cannot be read"):
        write_report(tmp_path)
    (tmp_path / "report.json").write_text('{"conditions": [{"name": 3}]}')
    with pytest.raises(DataError, match=r"conditions\.0"):
        write_report(tmp_path)


def test_gone_files_leave_a_report(tmp_path: Path) -> None:
    run = make_run(tmp_path, num_problems=12)
    for ref in run.data.runs[1:]:
        (tmp_path / ref.trajectories).unlink()
    paths = write_report(tmp_path)
    assert (paths.num_trajectories, paths.num_total) == (12, 84)


def test_a_large_run_keeps_whole_problems_and_the_telling_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, num_problems=40)
    monkeypatch.setattr("selftaught.report.load.MAX_TRAJECTORIES", 7 * 15)
    paths = write_report(tmp_path)
    assert paths.num_trajectories == 105
    found = blocks(paths.html.read_text())
    index = found["index"]
    assert isinstance(index, dict)
    assert len(index["problems"]) == 40
    kept = {index["problems"][p]["id"] for p in index["t"]["p"]}
    assert len(kept) == 15
    assert {sample.problem_id for sample in run.data.samples} <= kept


def test_long_trajectories_are_fewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, num_problems=40)
    size = sum((tmp_path / ref.trajectories).stat().st_size for ref in run.data.runs)
    monkeypatch.setattr("selftaught.report.load.MAX_SOURCE_BYTES", size // 4)
    paths = write_report(tmp_path)
    assert paths.num_trajectories in (7 * 9, 7 * 10)
    assert blocks(paths.html.read_text())["index"]["t"]["o"].count(-1) == 0  # type: ignore[index, call-overload]


def test_gpqa_text_stays_out(tmp_path: Path) -> None:
    run = make_run(tmp_path, num_problems=12)
    secret = [p.model_copy(update={"source": "gpqa_diamond"}) for p in run.problems]
    write_records(tmp_path / "problems" / "test.jsonl", secret)
    paths = write_report(tmp_path)
    assert paths.num_trajectories == 0
    text = json.dumps(blocks(paths.html.read_text()))
    assert "remainder when" not in text
    assert write_report(tmp_path, gated_text=True).num_trajectories == 84


def test_last_grade_of_a_trajectory_counts(tmp_path: Path) -> None:
    run = make_run(tmp_path, num_problems=6)
    grades = run.grades["base"]
    fixed = grades[0].model_copy(update={"extracted": "regraded"})
    write_records(tmp_path / "eval" / "base" / "grades.jsonl", [*grades, fixed])
    found = blocks(write_report(tmp_path).html.read_text())
    index = found["index"]
    assert isinstance(index, dict)
    assert index["t"]["x"].count("regraded") == 1
