"""Several runs in one report."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.errors import ConfigError
from selftaught.records import Outcome
from selftaught.report import write_report
from selftaught.report.several import join_runs, run_names
from selftaught.store import write_json, write_records

from .synthetic import make_run
from .test_write import blocks


def _rollout(folder: Path, condition: str, better: bool) -> None:
    made = make_run(folder.parent / f"made-{folder.name}", num_problems=12)
    grades = made.grades[condition]
    if better:
        grades = [grade.model_copy(update={"correct": True, "outcome": Outcome.CORRECT}) for grade in grades]
    write_records(folder / "problems.jsonl", made.problems)
    write_records(folder / "trajectories.jsonl", made.trajectories[condition])
    write_records(folder / "grades.jsonl", grades)


def test_two_runs_are_paired_on_the_problems_that_they_share(tmp_path: Path) -> None:
    _rollout(tmp_path / "before", "base", better=False)
    _rollout(tmp_path / "after", "base", better=True)
    out = tmp_path / "report-of-both"
    data = join_runs([tmp_path / "before", tmp_path / "after"], out)
    assert data.condition_names() == ["before: base", "after: base"]
    assert data.reference == "before: base"
    pair = data.against_reference("after: base", data.benchmarks()[0])
    assert pair is not None
    assert pair.diff > 0
    assert [(row.a, row.b, row.right_to_wrong) for row in data.transitions[:1]] == [("before: base", "after: base", 0)]
    paths = write_report(out, data, records=False)
    assert (paths.num_trajectories, paths.num_total) == (24, 24)
    index = blocks(paths.html.read_text())["index"]
    assert isinstance(index, dict)
    assert index["pair"] == ["before: base", "after: base"]
    assert index["conditions"] == ["before: base", "after: base"]


def test_other_problems_of_the_same_name_stay_apart(tmp_path: Path) -> None:
    for name, part in (("a", slice(0, 6)), ("b", slice(6, 12))):
        made = make_run(tmp_path / f"made-{name}", num_problems=12)
        plain = [p.model_copy(update={"metadata": {}}) for p in made.problems[part]]
        write_records(tmp_path / name / "problems.jsonl", plain)
        write_records(tmp_path / name / "trajectories.jsonl", made.trajectories["base"][part])
        write_records(tmp_path / name / "grades.jsonl", made.grades["base"][part])
    data = join_runs([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert data.benchmarks() == ["synthetic", "synthetic (2)"]
    assert data.paired == []


def test_a_run_without_its_own_record_and_one_with(tmp_path: Path) -> None:
    for name in ("a", "b"):
        _rollout(tmp_path / name, "base", better=False)
    write_json(tmp_path / "b" / "run.json", {"digest": "d2", "command": "selftaught rollout", "configuration": {}})
    data = join_runs([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert data.provenance.command == "b: selftaught rollout"
    assert "not recorded" in data.provenance.data["a"]
    assert "d2" in data.provenance.data["b"]


def test_names_tell_runs_apart(tmp_path: Path) -> None:
    assert run_names([tmp_path / "x" / "run", tmp_path / "y" / "run"]) == ["x/run", "y/run"]
    with pytest.raises(ConfigError, match="named twice"):
        run_names([tmp_path / "x", tmp_path / "x"])


def test_the_verb_takes_several(run_cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for name in ("a", "b"):
        _rollout(tmp_path / name, "base", better=name == "b")
    result = run_cli("report", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "both")
    assert result.exit_code == 0
    assert "b: base" in result.stdout
    assert (tmp_path / "both" / "report.html").exists()
    assert run_cli("report", tmp_path / "a", "--out", tmp_path / "c").exit_code == 2
    assert run_cli("report", tmp_path / "a", tmp_path / "a").exit_code == 2
