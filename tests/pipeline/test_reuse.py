"""`run --reuse`: stages of another run are taken over exactly where they were asked the same and read the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from selftaught.errors import ConfigError
from selftaught.pipeline import perform as perform_module
from selftaught.pipeline import runfile
from selftaught.pipeline.execute import execute
from selftaught.pipeline.foresee import foresee
from selftaught.pipeline.load import load_recipe
from selftaught.pipeline.markers import StageResult
from selftaught.pipeline.plan import make_plan
from selftaught.pipeline.stages import GradeStage, ProblemsStage, RolloutStage, StageBase, TrainStage
from selftaught.progress import Reporter
from selftaught.runs import RunFolder
from selftaught.store import write_json

SMALL = ["evaluate.scaling_rounds=1", "evaluate.conditions={base: {}, start: {}}"]


def perform(folder: RunFolder, stage: object, workers: int, progress: Reporter) -> StageResult:
    """Write what such a stage writes, made of what it reads and of its settings, and note that it was performed."""
    assert isinstance(stage, StageBase)
    folder.logs.mkdir(parents=True, exist_ok=True)
    with (folder.logs / "performed.txt").open("a") as log:
        log.write(stage.name + "\n")
    sets = folder.problem_sets
    if isinstance(stage, ProblemsStage):
        outputs = {sets.pool: str(stage.pool), sets.test: str(stage.test)}
    else:
        read = [sets.pool.read_text() if "problems" in stage.need_names else ""]
        for need in (need for need in stage.needs if need.name != "problems"):
            files = sorted((folder.path / need.folder).glob("*.*"))
            read += [file.read_text() for file in files if file.suffix in (".jsonl", ".safetensors")]
        if getattr(getattr(stage, "problems", None), "name", "") == "TEST":
            read[0] = sets.test.read_text()
        text = hashlib.sha256("".join([stage.own_digest(), *read]).encode()).hexdigest()
        own = folder.path / stage.ref.folder
        if isinstance(stage, GradeStage):
            outputs = {own / "grades.jsonl": text}
        elif isinstance(stage, RolloutStage):
            outputs = {folder.path / ref.folder / "trajectories.jsonl": text for ref in stage.writes}
        elif isinstance(stage, TrainStage):
            outputs = {own / "model.safetensors": text, own / "checkpoints" / "step-1" / "optimizer.pt": "large"}
        else:
            outputs = {own / "kept.jsonl": text}
    for path, content in outputs.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        if path.name not in ("grades.jsonl", "optimizer.pt"):
            write_json(path.with_name("run.json"), {"by": stage.name})
    return StageResult(
        tokens=7, detail="made", outputs=[folder.relative(path) for path in outputs if path.suffix != ".pt"]
    )


@pytest.fixture(autouse=True)
def _made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perform_module, "perform", perform)
    monkeypatch.setattr(runfile, "_sandbox_tier", lambda: "none")
    monkeypatch.setattr(runfile, "_model_hash", lambda model: "made-up")


def run(out: Path, *overrides: str, reuse: list[Path] | None = None) -> set[str]:
    """Run the demo's recipe; the stages that were performed and not taken over."""
    recipe = load_recipe("demo", [*SMALL, *overrides])
    execute(recipe, out, reuse=reuse or [], start_method="fork", num_cores=2, quiet=True)
    return set((out / "logs" / "performed.txt").read_text().split())


def contents(out: Path) -> dict[str, str]:
    """What the stages made, by file."""
    names = ("trajectories.jsonl", "grades.jsonl", "kept.jsonl", "model.safetensors")
    return {
        str(p.relative_to(out)): p.read_text() for p in out.rglob("*") if p.name in names and "report" not in p.parts
    }


@pytest.mark.parametrize(
    ("override", "made_anew"),
    [
        ("evaluate.conditions={base: {}, start: {}, base-rft: {}}", ("eval/base-rft",)),
        ("start_round.train.learning_rate=0.5", ("round2/start", "eval/start")),
        ("test.seed=5", ("eval/",)),
        ("seed_round.train.epochs=9", ("round1/start-0", "round2/", "control/d_rft", "control/base-rft", "eval/start")),
        ("seed=3", ("round", "control/", "eval/")),
    ],
)
def test_only_what_depends_on_a_changed_key_is_made_anew(
    tmp_path: Path, override: str, made_anew: tuple[str, ...]
) -> None:
    everything = run(tmp_path / "old")
    recipe = load_recipe("demo", [*SMALL, override])
    before = contents(tmp_path)
    foreseen = foresee(recipe, tmp_path / "new", [tmp_path / "old"])
    assert contents(tmp_path) == before and not (tmp_path / "new").exists(), "a plan writes nothing"
    performed = run(tmp_path / "new", override, reuse=[tmp_path / "old"])
    assert {row.name for row in make_plan(recipe, foreseen).stages if row.is_left} == performed
    assert set(foreseen.values()) <= {f"taken over from {tmp_path / 'old'}"}
    assert not any(row.is_left for row in make_plan(recipe, foresee(recipe, tmp_path / "new", [])).stages)
    from_scratch = run(tmp_path / "scratch", override)
    expected = {name for name in from_scratch if name.startswith(made_anew)} | {"problems", "report"}
    assert performed == expected
    assert performed < everything | expected or override.startswith("seed=")
    assert contents(tmp_path / "new") == contents(tmp_path / "scratch"), "as if nothing had been taken over"
    assert not list((tmp_path / "new").rglob("*.taken"))
    checkpoints = tmp_path / "new" / "round1" / "start-0" / "checkpoints"
    assert checkpoints.exists() == ("round1/start-0" in performed), "they are of no use once the model is there"


def test_markers_say_where_a_stage_was_done(tmp_path: Path) -> None:
    run(tmp_path / "old")
    run(tmp_path / "new", "start_round.train.learning_rate=0.5", reuse=[tmp_path / "old"])
    markers = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "new" / "stages").glob("*.json")}
    assert markers["round1.hinted"]["taken_from"] == str(tmp_path / "old") and markers["round1.hinted"]["tokens"] == 7
    assert markers["round2.start"]["taken_from"] == ""
    again = execute(
        load_recipe("demo", [*SMALL, "start_round.train.learning_rate=0.5"]),
        tmp_path / "new",
        start_method="fork",
        quiet=True,
    )
    assert again.was_done, "its markers are its own"


def test_the_first_run_that_has_a_stage_counts(tmp_path: Path) -> None:
    run(tmp_path / "one", "evaluate.conditions={base: {}}")
    run(tmp_path / "two", "start_round.train.learning_rate=0.5")
    performed = run(tmp_path / "new", "start_round.train.learning_rate=0.5", reuse=[tmp_path / "one", tmp_path / "two"])
    assert performed == {"problems", "report"}, "what only the second has comes from there"


@pytest.mark.parametrize("harm", ["changed", "deleted"])
def test_a_stage_whose_files_were_changed_is_made_anew(tmp_path: Path, harm: str) -> None:
    run(tmp_path / "old")
    harmed = tmp_path / "old" / "round1" / "start-0" / "model.safetensors"
    harmed.write_text("another") if harm == "changed" else harmed.unlink()
    performed = run(tmp_path / "new", reuse=[tmp_path / "old"])
    assert performed == {"problems", "report", "round1/start-0"}, "what it makes is the same, so the rest holds"
    assert harmed.exists() == (harm == "changed"), "the other run is never written"


def test_what_has_begun_here_goes_on_here(tmp_path: Path) -> None:
    run(tmp_path / "old")
    begun = tmp_path / "new" / "round1" / "hinted" / "trajectories.jsonl"
    recipe = load_recipe("demo", SMALL)
    begun.parent.mkdir(parents=True)
    runfile.write_record(tmp_path / "new", runfile._new_record(recipe))
    begun.write_text("half\n")
    assert "round1/hinted" in run(tmp_path / "new", reuse=[tmp_path / "old"])


def test_a_folder_that_cannot_be_taken_from_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="holds no run.json of a recipe's run"):
        run(tmp_path / "new", reuse=[tmp_path / "nothing"])
    run(tmp_path / "old")
    with pytest.raises(ConfigError, match="is the run itself"):
        run(tmp_path / "old", reuse=[tmp_path / "old"])
    monkeypatch.setattr(runfile, "_model_hash", lambda model: "other weights")
    with pytest.raises(ConfigError, match="another base model"):
        run(tmp_path / "other", reuse=[tmp_path / "old"])
    with pytest.raises(ConfigError, match="another base model"):
        foresee(load_recipe("demo", SMALL), None, [tmp_path / "old"])
