"""Settings of one supervised fine-tuning stage. Defaults are the paper's where it gives them (section 3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from selftaught.manner import read_manner
from selftaught.records import Record
from selftaught.runs.folders import ModelFolder
from selftaught.training.render import LossPolicy

LOGIT_CHUNK_BYTES = 256 << 20
"""Most bytes of float32 logits at a time in training. Fewer logits than that are computed at once, by transformers."""
TINY_PARAMETERS = 50_000_000
"""Below this, eager attention is faster than fused kernels on a CPU, and tensors are no burden to its memory."""


class LoraSettings(Record):
    """Low-rank adapters for GPUs that cannot hold full-parameter training; merged into the saved model."""

    rank: int = Field(default=32, ge=1)
    """Rank of the adapters."""
    alpha: int = Field(default=64, ge=1)
    """Scale: the adapters' output times alpha / rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of adapter inputs set to 0 in training."""
    target_modules: str = "all-linear"
    """Matrices that get an adapter."""


class SftSettings(Record):
    """How to train. ``global_batch_size`` counts rows over all processes and accumulation steps."""

    learning_rate: float = Field(default=7e-6, gt=0)
    """Peak; 7e-6 for QwQ-32B-Preview, 2e-6 for R1-Distill-Qwen-32B in the paper."""
    epochs: float = Field(default=3.0, gt=0)
    """Passes over the rows."""
    global_batch_size: int = Field(default=128, ge=1)
    """Rows a step, over all processes and accumulation steps."""
    micro_batch_size: int = Field(default=1, ge=1)
    """Rows a process takes at once (with ``packing``: packs)."""
    max_length: int = Field(default=16_384, ge=8)
    """Longest row, and the length of a pack. Longer rows are refused, never cut."""
    packing: bool = False
    """Put several rows into one sequence of ``max_length`` tokens; positions restart, attention does not cross."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Course of the learning rate after the warm-up."""
    warmup_share: float = Field(default=0.03, ge=0, le=1)
    """Share of the steps in which the learning rate rises from 0."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's weight decay."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's two decay rates."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients with a larger norm are scaled down to it."""
    loss: LossPolicy = LossPolicy()
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """Compute type; weights and optimiser stay in float32. ``auto``: bfloat16 where the hardware multiplies it."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass, to save memory."""
    attention: str = "auto"
    """``eager``, ``sdpa``, ``flash_attention_2``, ``flex_attention``; ``auto``: eager for tiny models on a CPU, else sdpa."""
    save_every_steps: int = Field(default=200, ge=0)
    """Checkpoints to resume from; 0 for none."""
    keep_checkpoints: int = Field(default=2, ge=1)
    """The newest so many stay on disk."""
    keep_after_end: bool = False
    """Keep the checkpoints when training is complete, to choose among them by pass@k and length."""
    log_every_steps: int = Field(default=1, ge=1)
    """Steps between two lines of ``metrics.jsonl``."""
    report_to: list[str] = Field(default_factory=list)
    """``tensorboard``, ``wandb``, ``trackio``: beside ``metrics.jsonl``, which is always written."""
    seed: int = 0
    """Of the order of the rows and of dropout."""
    num_threads: int = Field(default=1, ge=0)
    """CPU threads of a process; 0 leaves PyTorch's own choice. Two threads can be far slower than one at small sizes."""
    lora: LoraSettings | None = None
    expect_world_size: int | None = Field(default=None, ge=1)
    """Fail at start unless so many processes take part."""
    expect_sharding: Literal["none", "ddp", "fsdp2", "zero2", "zero3"] | None = None
    """Fail at start unless training is sharded so: launchers fall back silently to something else."""


TINY_DEFAULTS: dict[str, Any] = {
    "learning_rate": 1.8e-4,
    "epochs": 2.0,
    "global_batch_size": 4,
    "micro_batch_size": 4,
    "max_length": 2048,
    "save_every_steps": 50,
}
"""What the demo's recipe trains the embedded model with. `SftSettings`' own defaults are those of a 32B model: at 7e-6 and
128 rows a step, a model of two million parameters learns nothing from some hundred rows."""


def defaults_for(base_model: str | Path) -> dict[str, Any]:
    """Training settings that suit a base better than the general defaults: for the embedded model and what came of it."""
    folder = Path(base_model)
    return dict(TINY_DEFAULTS) if folder.is_dir() and read_manner(folder).knows == "toy" else {}


class TrainingSummary(Record):
    """What came out of a training stage; ``training.json`` in the model's folder."""

    num_rows: int
    num_tokens: int
    """In one epoch, padding not counted."""
    num_loss_tokens: int
    num_steps: int
    epochs: float
    final_loss: float | None
    """Mean over the last tenth of the steps."""
    seconds: float
    tokens_per_second: float
    precision: str
    attention: str
    world_size: int
    sharding: str
    base_model: str
    settings: SftSettings
    versions: dict[str, str]


def read_summary(folder: ModelFolder) -> TrainingSummary:
    """The summary of a finished model's folder."""
    content = json.loads(folder.summary.read_text("utf-8"))
    content.pop("created_at", None)
    return TrainingSummary.model_validate(content)
