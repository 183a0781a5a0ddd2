"""What training saves is a plain model folder: read in a fresh process by our engine and by transformers, with equal logits.

One process, DDP, ZeRO-3 (with deepspeed) and low-rank adapters (with peft).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from selftaught.errors import IncompleteError
from selftaught.training.launch import TrainingJob, launch
from selftaught.training.render import load_rows
from selftaught.training.settings import LoraSettings, SftSettings

from .test_launch import ENVIRONMENT, TORCHRUN, write_kept
from .test_sft import SETTINGS, Stop, assert_same, base, losses, make_rows, stop_at_five

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.slow

__all__ = ["base"]

PROMPTS = [row.input_ids for row in make_rows(4, seed=7)]
READ = """
import json, sys
from pathlib import Path
import torch
from transformers import AutoModelForCausalLM
from selftaught.engines.model import Prefill, SlotModel
folder, prompts, out = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
ours = SlotModel(folder, 2)
ours.reserve(256)
with torch.no_grad():
    pairs = [(ours.prefill([Prefill(0, 0, ids)]).clone(), theirs(torch.tensor([ids])).logits[0]) for ids in prompts]
torch.save(pairs, out)
"""
ACCELERATE = (
    f"{sys.executable} -m accelerate.commands.launch --num_processes 2 --use_deepspeed --zero_stage 3 "
    "--zero3_save_16bit_model true --mixed_precision no"
)


def reloaded(folder: Path) -> list[torch.Tensor]:
    """Logits on the prompts, read in a fresh process by our engine; those of transformers must be equal."""
    out = folder.parent / f"{folder.name}.logits"
    command = [sys.executable, "-c", READ, str(folder), json.dumps(PROMPTS), str(out)]
    subprocess.run(command, check=True, env={**os.environ, **ENVIRONMENT})
    pairs = torch.load(out)
    for ours, theirs in pairs:
        assert torch.allclose(ours, theirs, atol=1e-4), (ours - theirs).abs().max()
    return [theirs for _, theirs in pairs]


def same_logits(a: list[torch.Tensor], b: list[torch.Tensor], tolerance: float) -> bool:
    return all(torch.allclose(one, two, atol=tolerance) for one, two in zip(a, b, strict=True))


def alone(base: Path, tmp_path: Path, settings: SftSettings) -> Path:
    """A folder trained in this process on the rows of ``kept.jsonl``."""
    from selftaught.training.sft import train_sft

    write_kept(tmp_path / "kept.jsonl")
    rows = load_rows(tmp_path / "kept.jsonl", settings.loss, settings.max_length)
    train_sft(rows, base, tmp_path / "one", settings)
    return tmp_path / "one"


def launched(base: Path, tmp_path: Path, settings: SftSettings, command: str, **environment: str) -> Path:
    """A folder trained on the same rows by two processes."""
    job = TrainingJob(
        kept=str(tmp_path / "kept.jsonl"), base_model=str(base), out=str(tmp_path / "two"), settings=settings
    )
    launch(command, {**ENVIRONMENT, **environment}, job)
    return tmp_path / "two"


def test_ddp_and_one_process(base: Path, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"micro_batch_size": 2})
    one = reloaded(alone(base, tmp_path, settings))
    assert not same_logits(one, reloaded(base), 1e-2), "it has learned nothing"
    two = settings.model_copy(update={"expect_world_size": 2, "expect_sharding": "ddp"})
    assert same_logits(one, reloaded(launched(base, tmp_path, two, TORCHRUN)), 1e-2)


def test_zero3(base: Path, tmp_path: Path) -> None:
    pytest.importorskip("deepspeed")
    settings = SETTINGS.model_copy(update={"micro_batch_size": 2})
    one = reloaded(alone(base, tmp_path, settings))
    three = settings.model_copy(update={"expect_world_size": 2, "expect_sharding": "zero3"})
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    folder = launched(base, tmp_path, three, ACCELERATE, DS_ACCELERATOR="cpu", PATH=path)
    assert same_logits(one, reloaded(folder), 1e-2)


def test_low_rank_adapters_are_merged(base: Path, tmp_path: Path) -> None:
    """The saved folder holds no adapter; its logits are those of the base under the adapter of the last checkpoint."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    settings = SETTINGS.model_copy(
        update={
            "lora": LoraSettings(rank=4, alpha=8),
            "learning_rate": 2e-2,
            "epochs": 6,
            "save_every_steps": 1,
            "keep_after_end": True,
        }
    )
    folder = alone(base, tmp_path, settings)
    curve = losses(folder)
    assert curve[-1] < curve[0] - 0.2
    assert not list(folder.glob("adapter*")) and "LoRA of rank 4, merged" in (folder / "README.md").read_text()
    logits = reloaded(folder)
    last = max((folder / "checkpoints").glob("checkpoint-*"), key=lambda path: int(path.name.partition("-")[2]))
    assert (last / "adapter_model.safetensors").exists() and not (last / "model.safetensors").exists()
    adapted = peft.PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), last
    ).eval()
    with torch.no_grad():
        wanted = [adapted(torch.tensor([ids])).logits[0] for ids in PROMPTS]
    assert same_logits(logits, wanted, 1e-4) and not same_logits(logits, reloaded(base), 1e-1)


def test_low_rank_adapters_resume(base: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    from selftaught.training.sft import train_sft

    settings = SETTINGS.model_copy(update={"lora": LoraSettings(rank=4, alpha=8)})
    train_sft(make_rows(), base, tmp_path / "whole", settings)

    with pytest.raises(Stop):
        train_sft(make_rows(), base, tmp_path / "broken", settings, progress=stop_at_five)
    train_sft(make_rows(), base, tmp_path / "broken", settings)
    assert_same(tmp_path / "whole", tmp_path / "broken")
    assert losses(tmp_path / "broken") == losses(tmp_path / "whole")


def test_low_rank_adapters_and_two_processes(base: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    settings = SETTINGS.model_copy(update={"micro_batch_size": 2, "lora": LoraSettings(rank=4, alpha=8)})
    one = reloaded(alone(base, tmp_path, settings))
    two = settings.model_copy(update={"expect_world_size": 2, "expect_sharding": "ddp"})
    assert same_logits(one, reloaded(launched(base, tmp_path, two, TORCHRUN)), 1e-2)


def test_low_rank_adapters_are_refused_where_no_process_has_the_weights(base: Path, tmp_path: Path) -> None:
    pytest.importorskip("deepspeed")
    pytest.importorskip("peft")
    alone(base, tmp_path, SETTINGS)
    settings = SETTINGS.model_copy(update={"micro_batch_size": 2, "lora": LoraSettings(rank=4)})
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with pytest.raises(IncompleteError, match="exit code"):
        launched(base, tmp_path, settings, ACCELERATE, DS_ACCELERATOR="cpu", PATH=path)
    assert not (tmp_path / "two" / "model.safetensors").exists()


def test_low_rank_adapters_over_a_base_in_bfloat16(base: Path, tmp_path: Path) -> None:
    """The frozen weights are held, and saved, in the base's type; only the adapters are float32."""
    pytest.importorskip("peft")
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(base).to(torch.bfloat16).save_pretrained(tmp_path / "half")
    settings = SETTINGS.model_copy(
        update={
            "lora": LoraSettings(rank=4, alpha=8),
            "precision": "bfloat16",
            "gradient_checkpointing": True,
            "learning_rate": 2e-2,
            "epochs": 6,
            "save_every_steps": 1,
            "keep_after_end": True,
        }
    )
    folder = alone(tmp_path / "half", tmp_path, settings)
    curve = losses(folder)
    assert curve[-1] < curve[0] - 0.2
    assert {tensor.dtype for tensor in load_file(folder / "model.safetensors").values()} == {torch.bfloat16}
    last = next((folder / "checkpoints").glob("checkpoint-*"))
    assert {tensor.dtype for tensor in load_file(last / "adapter_model.safetensors").values()} == {torch.float32}
    reloaded(folder)
