"""Launched training: two processes give the loss curve of one, and what was asked for is asserted."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from selftaught.curation.records import Facts, KeptRow
from selftaught.errors import ConfigError, IncompleteError
from selftaught.records import Outcome, ProblemKind, Span, SpanSource, StopReason, Trajectory
from selftaught.store import write_records
from selftaught.training.launch import TrainingJob, launch, read_settings
from selftaught.training.render import load_rows
from selftaught.training.settings import SftSettings

from .test_sft import SETTINGS, assert_same, base, losses, make_rows

pytest.importorskip("transformers")

__all__ = ["base"]

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
TORCHRUN = f"{sys.executable} -m torch.distributed.run --standalone --nproc-per-node 2"


def write_kept(path: Path) -> None:
    facts = Facts(
        outcome=Outcome.CORRECT,
        correct=True,
        num_tokens=9,
        num_model_tokens=5,
        num_calls=0,
        num_errors=0,
        num_hints=0,
        last_call_ok=True,
    )
    rows = []
    for row in make_rows():
        spans = [
            Span(source=SpanSource.PROMPT, token_ids=row.input_ids[:4], text=""),
            Span(source=SpanSource.MODEL, token_ids=row.input_ids[4:], text=""),
        ]
        trajectory = Trajectory(id=row.id, problem_id=row.id, spans=spans, stop_reason=StopReason.ANSWERED)
        rows.append(KeptRow(dataset="d", source="s", kind=ProblemKind.MATH, facts=facts, why="", trajectory=trajectory))
    write_records(path, rows)


@pytest.mark.slow
def test_two_processes_have_the_curve_of_one(base: Path, tmp_path: Path) -> None:
    from selftaught.training.sft import train_sft

    kept = tmp_path / "kept.jsonl"
    write_kept(kept)
    settings = SETTINGS.model_copy(update={"micro_batch_size": 2})
    train_sft(load_rows(kept, settings.loss, settings.max_length), base, tmp_path / "one", settings)
    two = settings.model_copy(update={"expect_world_size": 2, "expect_sharding": "ddp"})
    job = TrainingJob(kept=str(kept), base_model=str(base), out=str(tmp_path / "two"), settings=two)
    summary = launch(TORCHRUN, ENVIRONMENT, job)
    assert summary.world_size == 2 and summary.sharding == "ddp"
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-4)
    assert_same(tmp_path / "one", tmp_path / "two", 1e-3)
    wrong = job.model_copy(
        update={"out": str(tmp_path / "wrong"), "settings": two.model_copy(update={"expect_world_size": 4})}
    )
    with pytest.raises(IncompleteError, match="exit code"):
        launch(TORCHRUN, ENVIRONMENT, wrong)
    assert not (tmp_path / "wrong" / "model.safetensors").exists()


@pytest.mark.slow
def test_zero3_has_the_curve_of_one(base: Path, tmp_path: Path) -> None:
    pytest.importorskip("deepspeed")
    from selftaught.training.sft import train_sft

    kept = tmp_path / "kept.jsonl"
    write_kept(kept)
    settings = SETTINGS.model_copy(update={"micro_batch_size": 2})
    train_sft(load_rows(kept, settings.loss, settings.max_length), base, tmp_path / "one", settings)
    three = settings.model_copy(update={"expect_world_size": 2, "expect_sharding": "zero3"})
    job = TrainingJob(kept=str(kept), base_model=str(base), out=str(tmp_path / "three"), settings=three)
    command = (
        f"{sys.executable} -m accelerate.commands.launch --num_processes 2 --use_deepspeed --zero_stage 3 "
        "--zero3_save_16bit_model true --mixed_precision no"
    )
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    summary = launch(command, {**ENVIRONMENT, "DS_ACCELERATOR": "cpu", "PATH": path}, job)
    assert summary.sharding == "zero3"
    assert losses(tmp_path / "three") == pytest.approx(losses(tmp_path / "one"), abs=1e-4)
    assert_same(tmp_path / "one", tmp_path / "three", 1e-3)


def test_settings_from_files_flags_and_overrides(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text("learning_rate: 1.0e-5\nepochs: 2\n")
    settings = read_settings(path, None, {"epochs": 3.0}, ["loss.hint=0", "packing=true"])
    assert (settings.learning_rate, settings.epochs, settings.loss.hint, settings.packing) == (1e-5, 3.0, 0, True)
    path.write_text(json.dumps({"seed_round": {"train": {"max_length": 64}}}))
    assert read_settings(path, "seed_round", {}, []).max_length == 64
    with pytest.raises(ConfigError, match=r"no start_round\.train"):
        read_settings(path, "start_round", {}, [])
    with pytest.raises(ConfigError, match="Did you mean packing"):
        read_settings(None, None, {}, ["packin=true"])
    assert read_settings(None, None, {}, []) == SftSettings()
