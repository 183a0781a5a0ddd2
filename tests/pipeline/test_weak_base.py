"""A base too weak to fill its data sets: the run ends with a report of what was measured and one clear line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught.curation.records import Funnel
from selftaught.errors import EmptyDataError
from selftaught.evals.records import ReportData
from selftaught.pipeline import perform as perform_module
from selftaught.pipeline import report as report_module
from selftaught.pipeline import runfile
from selftaught.pipeline.execute import execute
from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.load import load_recipe
from selftaught.pipeline.outcome import RunOutcome
from selftaught.pipeline.perform import _refuse_empty
from selftaught.pipeline.recipe import Recipe
from selftaught.pipeline.stages import TrainStage
from selftaught.runs import RunFolder, StageRef

from .fake_run import fake_perform


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> list[RunOutcome]:
    """What the partial report was asked to show; made-up stages leave nothing that a real one could read."""
    calls: list[RunOutcome] = []
    monkeypatch.setattr(report_module, "make_partial_report", lambda run, stages, outcome: calls.append(outcome))
    monkeypatch.setattr(runfile, "_sandbox_tier", lambda: "none")
    monkeypatch.setattr(runfile, "_model_hash", lambda model: "made-up")
    return calls


def without_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """The demo's recipe, in which one training stage finds no rows."""

    def perform(run: RunFolder, stage: object, workers: int, progress: object) -> object:
        if getattr(stage, "name", "") == name:
            raise EmptyDataError(f"{name} needs at least 1 row")
        return fake_perform(run, stage, workers, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(perform_module, "perform", perform)
    return load_recipe("demo")


@pytest.mark.parametrize("name", ["round1/start-0", "round2/start"])
def test_without_start_the_run_ends_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reported: list[RunOutcome]
) -> None:
    recipe = without_rows(name, monkeypatch)
    for _ in range(2):  # the same command again says the same, without doing anything twice
        result = execute(recipe, tmp_path / "run", start_method="fork", num_cores=2, quiet=True)
        assert result.empty == {StageRef.parse(name): f"{name} needs at least 1 row"} and name not in result.markers
    assert len(reported) == 2 and "report" not in result.markers
    needing = [stage.name for stage in build_stages(recipe) if name in stage.need_names]
    assert needing and not any((tmp_path / "run" / other).exists() for other in needing)
    monkeypatch.setattr(perform_module, "perform", fake_perform)
    assert not execute(recipe, tmp_path / "run", start_method="fork", num_cores=2, quiet=True).empty


def test_without_the_control_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reported: list[RunOutcome]
) -> None:
    recipe = without_rows("control/base-rft", monkeypatch)
    result = execute(recipe, tmp_path / "run", start_method="fork", num_cores=2, quiet=True)
    missing = {stage.name for stage in build_stages(recipe)} - set(result.markers)
    assert missing == {"control/base-rft", "eval/base-rft", "eval/base-rft/grade", "report"}
    assert [ref.name for ref in result.empty] == ["control/base-rft"] and len(reported) == 1


@pytest.mark.parametrize(
    ("dropped", "advice"),
    [
        ({"wrong": 7, "greedy_right": 1}, "stronger base"),
        ({"greedy_right": 8}, "harder problems"),
        ({"no_tool_call": 8}, "other hints"),
        ({"wrong": 7, "over_quota": 1}, "no right answer came with a call"),
        ({}, "nothing was sampled"),
    ],
)
def test_the_line_says_where_the_rows_went(tmp_path: Path, dropped: dict[str, int], advice: str) -> None:
    stage = next(s for s in build_stages(load_recipe("demo")) if isinstance(s, TrainStage))
    funnel = Funnel(
        dataset="d_seed", num_in=sum(dropped.values()), num_kept=0, num_kept_with_tool=0, num_kept_text_only=0, num_problems=8,
        steps=[], dropped=dropped, kept_by_kind={}, modified={}, sources={},
    )  # fmt: skip
    run = RunFolder(tmp_path)
    path = run.data(stage.data).funnel
    path.parent.mkdir(parents=True)
    path.write_text(funnel.model_dump_json())
    with pytest.raises(EmptyDataError, match=f"round1/d_seed kept 0 of {sum(dropped.values())}.*{advice}") as caught:
        _refuse_empty(run, stage)
    assert "\n" not in str(caught.value) and "round1/start-0 needs at least 1 row" in str(caught.value)
    path.write_text(funnel.model_copy(update={"num_kept": 1}).model_dump_json())
    _refuse_empty(run, stage)


@pytest.mark.slow
def test_a_base_that_solves_nothing_still_gets_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real loop: after eight tokens nobody has an answer."""
    from selftaught.cli.app import main

    run = tmp_path / "run"
    words = ["run", "demo", "--out", str(run), "--cores", "1"]
    for override in ("pool.limit=8", "test.limit=8", "defaults.max_tokens=8", "evaluate.scaling_rounds=1"):
        words += ["--set", override]
    assert main(words) == 1
    out, err = capsys.readouterr()
    last = err.strip().splitlines()[-1]
    assert "round1/d_seed kept 0 of" in last and "Traceback" not in err
    assert "pool" in out and "base+hint" in out
    data = ReportData.model_validate_json((run / "report.json").read_bytes())
    pool = {row.name: row for row in data.conditions if row.benchmark == "pool"}
    assert set(pool) == {"base", "base+hint"} and pool["base"].n == 8 and pool["base"].pass_at_1 == 0
    assert pool["base"].decoding == "greedy, no tools"
    assert [row.stage for row in data.funnel] == ["d_seed"] and data.funnel[0].num_kept == 0
    assert "kept 0 of" in data.notes[0] and "Not measured" in data.notes[1]
    assert "kept 0 of" in (run / "report.md").read_text() and (run / "report.html").exists()
    assert json.loads((run / "run.json").read_text())["attempts"]
