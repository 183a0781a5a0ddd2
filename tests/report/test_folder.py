"""Reports from records alone, through the real evaluation code."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from selftaught.errors import DataError
from selftaught.evals.build import BenchmarkRuns, EvalRun, build_report
from selftaught.evals.records import FunnelRow
from selftaught.records import Outcome
from selftaught.report import write_report
from selftaught.report.folder import report_data
from selftaught.store import write_json, write_records

from .synthetic import _trajectory, make_run
from .test_write import blocks


def test_built_from_rollout_and_grade_alone(tmp_path: Path) -> None:
    run = make_run(tmp_path / "made", num_problems=24)
    folder = tmp_path / "rollout"
    write_records(folder / "problems.jsonl", run.problems)
    write_records(folder / "trajectories.jsonl", run.trajectories["start"])
    with pytest.raises(DataError, match="selftaught grade"):
        report_data(folder)
    write_records(folder / "grades.jsonl", run.grades["start"])
    data = report_data(folder)
    assert data.condition_names() == ["start"]
    row = data.condition("start", data.benchmarks()[0])
    assert row is not None
    assert row.pass_at_1 == pytest.approx(sum(g.correct for g in run.grades["start"]) / 24)
    paths = write_report(folder, data)
    assert paths.num_trajectories == 24


def test_new_grades_are_counted(tmp_path: Path) -> None:
    run = make_run(tmp_path, num_problems=24)
    first = report_data(tmp_path)
    assert first == run.data
    all_right = [g.model_copy(update={"correct": True, "outcome": Outcome.CORRECT}) for g in run.grades["base"]]
    grades = tmp_path / "eval" / "base" / "grades.jsonl"
    write_records(grades, all_right)
    later = time.time() + 5
    os.utime(grades, (later, later))
    fresh = report_data(tmp_path)
    row = fresh.condition("base", "all")
    assert row is not None
    assert row.pass_at_1 == 1.0
    assert (fresh.funnel, fresh.checks, fresh.provenance) == (first.funnel, first.checks, first.provenance)


def test_rounds_are_carried_once(tmp_path: Path) -> None:
    run = make_run(tmp_path, num_problems=20)
    rng = random.Random(1)
    rounds = [
        _trajectory(p, "base", rng.random() < 0.2 + 0.1 * number, rng, number)
        for p in run.problems
        for number in range(5)
    ]
    for place, pairs in (("rounds", rounds), ("plain", [pair for pair in rounds if pair[0].round == 0])):
        write_records(tmp_path / place / "trajectories.jsonl", [t for t, _ in pairs])
        write_records(tmp_path / place / "grades.jsonl", [g for _, g in pairs])
    runs = [
        EvalRun("base", tmp_path / "rounds" / "trajectories.jsonl", tmp_path / "rounds" / "grades.jsonl", scaling=True),
        EvalRun(
            "base", tmp_path / "plain" / "trajectories.jsonl", tmp_path / "plain" / "grades.jsonl", "toy", "greedy"
        ),
    ]
    benchmark = BenchmarkRuns("test", run.problems, tmp_path / "problems" / "test.jsonl", runs)
    funnel = [FunnelRow(stage="d_seed", num_in=3, num_kept=1, dropped={"wrong": 2})]
    data = build_report([benchmark], base_folder=tmp_path, funnel=funnel)
    paths = write_report(tmp_path, data)
    assert (paths.num_trajectories, paths.num_total) == (100, 100)
    index = blocks(paths.html.read_text())["index"]
    assert isinstance(index, dict)
    assert index["conditions"] == ["base"]
    assert index["names"] == ["base", "base by rounds (hints)"]
    assert {figure.stem for figure in paths.figures} >= {"scaling", "accuracy", "funnel"}
    write_json(tmp_path / "report.json", data.model_dump(mode="json"))
    assert report_data(tmp_path) == data
