"""Reports from records alone, through the real evaluation code."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from selftaught.errors import DataError
from selftaught.evals.build import BenchmarkRuns, EvalRun, build_report
from selftaught.evals.claims import check_claims
from selftaught.evals.records import FunnelRow
from selftaught.records import Outcome
from selftaught.report import write_report
from selftaught.report.folder import report_data
from selftaught.report.load import read_report_data
from selftaught.store import write_json, write_records

from .synthetic import _trajectory, make_run
from .test_write import blocks


def test_built_from_rollout_and_grade_alone(tmp_path: Path) -> None:
    run = make_run(tmp_path / "made", num_problems=24)
    folder = tmp_path / "rollout"
    write_records(folder / "problems.jsonl", run.problems)
    write_records(folder / "trajectories.jsonl", run.trajectories["start"])
    ungraded = report_data(folder)
    assert (ungraded.conditions, ungraded.gathered) == ([], True)
    assert [(ref.num_trajectories, ref.num_ungraded) for ref in ungraded.runs] == [(24, 24)]
    index = blocks(write_report(folder, ungraded).html.read_text())["index"]
    assert isinstance(index, dict)
    assert index["t"]["o"] == [-1] * 24  # all carried, none with a verdict
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
    assert (fresh.funnel, fresh.provenance) == (first.funnel, first.provenance)
    assert fresh.checks == check_claims(fresh)  # the claims follow the new grades


def test_a_gathered_report_follows_its_folder(tmp_path: Path) -> None:
    run = make_run(tmp_path / "made", num_problems=12)
    folder = tmp_path / "rollouts"
    write_records(folder / "problems.jsonl", run.problems)

    def add(condition: str) -> None:
        write_records(folder / condition / "trajectories.jsonl", run.trajectories[condition])
        write_records(folder / condition / "grades.jsonl", run.grades[condition])

    add("base")
    write_report(folder, report_data(folder))
    assert report_data(folder) == read_report_data(folder / "report.json")
    add("start")
    assert report_data(folder).condition_names() == ["base", "start"]


def test_rollouts_on_pool_and_test_stay_apart(tmp_path: Path) -> None:
    """A recipe's run that was interrupted: its record, two problem files, one rollout without grades."""
    run = make_run(tmp_path / "made", num_problems=24)
    folder = tmp_path / "demo"
    pool = [p.model_copy(update={"split": "pool"}) for p in run.problems[:12]]
    test = run.problems[12:]
    write_records(folder / "problems" / "pool.jsonl", pool)
    write_records(folder / "problems" / "test.jsonl", test)
    write_records(folder / "problems" / "removed.jsonl", [])
    write_json(folder / "run.json", {"recipe": {"name": "demo"}, "config_digest": "d1", "command": "selftaught demo"})
    marker = {"name": "eval/base", "seconds": 5.0, "finished_at": "2026-11-20T12:00:00Z", "kind": "rollout"}
    write_json(folder / "stages" / "eval.base.json", marker)
    write_records(folder / "eval" / "base" / "trajectories.jsonl", run.trajectories["base"][12:])
    write_records(folder / "eval" / "base" / "grades.jsonl", run.grades["base"][12:])
    write_records(folder / "round1" / "hinted" / "trajectories.jsonl", run.trajectories["base+hint"][:12])
    data = report_data(folder)
    assert data.benchmarks()[0] == "all"
    assert {(ref.condition, ref.benchmark, ref.num_ungraded) for ref in data.runs} == {
        ("base", "all", 0),
        ("base+hint", "pool", 12),
    }
    paths = write_report(folder, data)
    written = read_report_data(paths.json)
    assert "has not reached the last of its stages (1 done, the last of them eval/base)" in written.unfinished
    assert (written.provenance.command, written.wall_s) == ("selftaught demo", 5.0)
    assert paths.num_trajectories == 24
    assert not (folder / "report" / "problems-0.jsonl").exists()


def test_a_training_alone_shows_its_curve(tmp_path: Path) -> None:
    lines = [f'{{"step": {n}, "loss": {3 / n}}}\n' for n in range(1, 9)]
    (tmp_path / "metrics.jsonl").write_text("".join(lines))
    paths = write_report(tmp_path, report_data(tmp_path))
    assert [figure.stem for figure in paths.figures] == ["training"]
    data = read_report_data(paths.json)
    assert data.unfinished == f"Not finished: in training: {tmp_path.name}."
    assert report_data(tmp_path) == data


def test_nothing_yet_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "trajectories.jsonl").touch()
    with pytest.raises(DataError, match="holds no trajectories yet"):
        report_data(tmp_path)


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


def test_a_curve_alone_gives_its_plain_condition(tmp_path: Path) -> None:
    """Before the report stage of a recipe only the file with all rounds is there."""
    run = make_run(tmp_path / "made", num_problems=10)
    rng = random.Random(1)
    rounds = [_trajectory(p, "base", rng.random() < 0.5, rng, number) for p in run.problems for number in range(3)]
    folder = tmp_path / "rounds"
    write_records(folder / "problems.jsonl", run.problems)
    write_records(folder / "trajectories.jsonl", [t for t, _ in rounds])
    write_records(folder / "grades.jsonl", [g for _, g in rounds])
    paths = write_report(folder, report_data(folder))
    data = read_report_data(paths.json)
    assert data.condition_names() == ["base"]
    assert [row.round for row in data.scaling] == [0, 1, 2]
    assert (paths.num_trajectories, paths.num_total) == (30, 30)
