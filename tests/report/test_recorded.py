"""What a folder records beside trajectories: stages, wall time, trainings, provenance, what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught.evals.records import ReportData, TrainingPoint
from selftaught.report import write_report
from selftaught.report.folder import report_data
from selftaught.report.load import read_report_data
from selftaught.report.recorded import thin, training_curves, union, with_records
from selftaught.store import write_json, write_records

from .synthetic import MadeRun, make_run


@pytest.mark.parametrize(
    ("spans", "length"),
    [([], 0), ([(0, 5), (5, 7)], 7), ([(0, 10), (2, 3)], 10), ([(8, 9), (0, 4), (3, 5)], 6)],
)
def test_overlap_counts_once(spans: list[tuple[float, float]], length: float) -> None:
    assert union(spans) == length


def _metrics(folder: Path, losses: list[float], finished: bool) -> None:
    folder.mkdir(parents=True)
    lines = [
        json.dumps({"step": n + 1, "loss": loss, "learning_rate": 1e-4 / (n + 1)}) for n, loss in enumerate(losses)
    ]
    lines += ['{"train_runtime": 3.0}', '{"step": 2, "lo']  # a summary; a torn line
    (folder / "metrics.jsonl").write_text("\n".join(lines))
    if finished:
        (folder / "training.json").write_text("{}")


def test_training_curves_finished_and_not(tmp_path: Path) -> None:
    _metrics(tmp_path / "round1" / "start-0", [3.0, 2.0, 1.0], finished=True)
    _metrics(tmp_path / "round2" / "start", [3.0] * 1000, finished=False)
    first, second = training_curves(tmp_path)
    assert (first.name, first.finished, first.num_steps) == ("round1/start-0", True, 3)
    assert [(point.step, point.loss) for point in first.points] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert (second.finished, second.num_steps, len(second.points)) == (False, 1000, 400)


def test_of_two_lines_on_one_step_the_later_counts(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 9}\n{"step": 2, "loss": 8}\n{"step": 2, "loss": 1}\n')
    (curve,) = training_curves(tmp_path)
    assert [point.loss for point in curve.points] == [9, 1]
    assert curve.name == tmp_path.name


def test_thinning_keeps_the_ends_and_the_mean() -> None:
    points = [TrainingPoint(step=n, loss=float(n % 2)) for n in range(2002)]
    kept = thin(points, 102)
    assert (len(kept), kept[0], kept[-1]) == (102, points[0], points[-1])
    assert all(abs(point.loss - 0.5) < 0.03 for point in kept[1:-1])


def test_an_own_run_says_model_command_time_and_settings(made: MadeRun, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write_records(folder / "problems.jsonl", made.problems)
    rows = [t.model_copy(update={"model": "runs/m1", "condition": "m1"}) for t in made.trajectories["start"]]
    write_records(folder / "trajectories.jsonl", rows)
    write_records(folder / "grades.jsonl", made.grades["start"])
    record = {
        "digest": "abc123",
        "command": "selftaught rollout mine.jsonl --model runs/m1 --out runs/mine",
        "num_problems": 40,
        "configuration": {
            "settings.samples": 1,
            "settings.seed": 3,
            "settings.condition": "m1",
            "settings.system": None,
        },
        "versions": {"python": "3.11"},
    }
    write_json(folder / "run.json", record)
    paths = write_report(folder, report_data(folder))
    data = read_report_data(paths.json)
    assert data.title == "mine: m1"
    assert data.provenance.command == record["command"]
    assert data.provenance.settings == {"samples": 1, "seed": 3, "condition": "m1", "system": None}
    assert (data.provenance.config_digest, data.provenance.seeds) == ("abc123", [3])
    assert data.wall_s is not None
    assert 0 < data.wall_s < 3
    assert data.unfinished == "Not finished: m1: 36 of 40 trajectories are there."
    page = paths.html.read_text()
    first_screen = page[page.index('<div id="results">') : page.index('<nav class="contents"')]
    for words in ("runs/m1", "selftaught rollout mine.jsonl", "wall time", "abc123", "Not finished"):
        assert words in first_screen
    assert "Δ base" not in page
    assert "dashed line" not in page
    assert "Beside the paper" not in page


def test_what_the_document_says_stays(made: MadeRun, tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"digest": "other", "command": "selftaught x", "configuration": {}})
    data = with_records(tmp_path, made.data)
    assert data.provenance.config_digest == made.data.provenance.config_digest
    assert data.provenance.command == "selftaught x"
    assert data.stages == made.data.stages


def test_broken_records_cost_what_they_would_say(tmp_path: Path) -> None:
    make_run(tmp_path, num_problems=6)
    (tmp_path / "run.json").write_text("[1, 2")
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "a.json").write_text("nonsense")
    (tmp_path / "metrics.jsonl").write_text("nonsense\n[1]\n")
    (tmp_path / "funnel.json").write_text("{}")
    assert isinstance(with_records(tmp_path, report_data(tmp_path)), ReportData)
