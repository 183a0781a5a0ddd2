"""The fine-tuning part of ``gpu.py``: ours and TRL's out of the box, full and LoRA, one pack a step."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from gpu_job import Job, first_that_fits, matmul_tflops, now, peak_gb, sheet_tflops


class Enough(Exception):
    """Raised inside a training when all that was to be measured is: nothing is to be saved."""


def sft(job: Job) -> None:
    """Full fine-tuning and LoRA, ours and TRL's, on packs of the longest length that fits."""
    peak = matmul_tflops(job)
    name, folder = job.large()
    trainers: list[tuple[str, Callable[..., list[float]]]] = [("selftaught", train_ours)]
    if all(importlib.util.find_spec(module) for module in ("trl", "datasets")):
        trainers.append(("trl", train_trl))
    else:
        job.note(trainer="trl", left_out="not installed; pip install 'selftaught[train]'")
    for lora in (False, True):
        for trainer, train in trainers:
            what = {"trainer": trainer, "kind": "lora" if lora else "full"}
            if lora and importlib.util.find_spec("peft") is None:
                job.note(**what, left_out="peft is not installed; pip install 'selftaught[train]'")
            elif not job.has_time(30):
                job.note(**what, left_out="no time left")
            else:
                sizes = (128,) if job.small else (16_384, 8192, 4096, 2048)
                first_that_fits(
                    job,
                    sizes,
                    lambda size: sft_speed(job, train, folder, lora, size, peak, {**what, "model": name}),  # noqa: B023
                    **what,
                )


def sft_speed(
    job: Job, train: Callable[..., list[float]], folder: Path, lora: bool, size: int, peak: float, what: dict[str, Any]
) -> None:
    """One row of the table. The share counts what a training needs at least: 6 (LoRA: 4) operations a weight and token, and
    attention inside the rows of a pack; work that checkpointing repeats does not count."""
    steps = 3 if job.small else 6
    row_length = min(size, 2048)
    marks = train(job, folder, lora, size, row_length, steps)
    seconds = (marks[-1] - marks[0]) / (len(marks) - 1)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    per_weight = 4 if lora else 6
    flops = (
        per_weight * num_weights(config) + per_weight * config["num_hidden_layers"] * config["hidden_size"] * row_length
    )
    tflops = flops * size / seconds / 1e12
    sheet = sheet_tflops(torch.cuda.get_device_name()) if job.device == "cuda" else None
    job.note(
        **what,
        packed_tokens=size,
        tokens_per_s=round(size / seconds, 1),
        memory_gb=peak_gb(),
        tflops=round(tflops, 4),
        share_of_measured_peak=round(tflops / peak, 3),
        share_of_sheet_peak=round(tflops / sheet, 3) if sheet else "not known",
    )


def num_weights(config: dict[str, Any]) -> int:
    """Weights that a token is multiplied by: all of a Qwen2 or Llama but the input embedding."""
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    kv = config.get("num_key_value_heads") or heads
    dim = config.get("head_dim") or hidden // heads
    layer = hidden * dim * (2 * heads + 2 * kv) + 3 * hidden * config["intermediate_size"]
    return int(config["num_hidden_layers"] * layer + hidden * config["vocab_size"])


def token_rows(size: int, row_length: int, count: int) -> list[list[int]]:
    """Rows that fill ``count`` packs of ``size`` tokens."""
    rng = random.Random(0)
    return [[rng.randrange(300) for _ in range(row_length)] for _ in range(count * size // row_length)]


def train_ours(job: Job, base: Path, lora: bool, size: int, row_length: int, steps: int) -> list[float]:
    """`train_sft` as the command calls it; when each step ended."""
    from selftaught.training.render import TrainingRow
    from selftaught.training.settings import LoraSettings, SftSettings
    from selftaught.training.sft import train_sft

    rows = [TrainingRow(str(at), ids, list(ids)) for at, ids in enumerate(token_rows(size, row_length, steps))]
    settings = SftSettings(
        epochs=1,
        global_batch_size=1,
        micro_batch_size=1,
        packing=True,
        max_length=size,
        precision="bfloat16",
        gradient_checkpointing=True,
        save_every_steps=0,
        lora=LoraSettings() if lora else None,
    )
    marks: list[float] = []

    def progress(done: int, total: int) -> None:
        marks.append(now())
        if done == total:
            raise Enough

    out = job.scratch / f"sft-{lora}-{size}"
    with contextlib.suppress(Enough):
        train_sft(rows, base, out, settings, progress=progress)
    return marks


def train_trl(job: Job, base: Path, lora: bool, size: int, row_length: int, steps: int) -> list[float]:
    """TRL's trainer with packing and its own defaults for the rest; when each step ended."""
    import datasets
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    marks: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *args: object, **kwargs: object) -> None:
            marks.append(now())

    adapters = None
    if lora:
        from peft import LoraConfig

        adapters = LoraConfig(r=32, lora_alpha=64, target_modules="all-linear", task_type="CAUSAL_LM")
    settings = SFTConfig(
        output_dir=str(job.scratch / f"trl-{lora}-{size}"),
        max_steps=steps,
        per_device_train_batch_size=1,
        max_length=size,
        packing=True,
        bf16=True,
        use_cpu=job.device == "cpu",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    data = datasets.Dataset.from_list([{"input_ids": ids} for ids in token_rows(size, row_length, steps)])
    SFTTrainer(str(base), args=settings, train_dataset=data, callbacks=[Clock()], peft_config=adapters).train()
    return marks
