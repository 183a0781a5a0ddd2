"""The model card that is saved beside trained weights: what it was trained from, on what, and how."""

from __future__ import annotations

from selftaught.records import SpanSource
from selftaught.training.settings import TrainingSummary


def model_card(summary: TrainingSummary, name: str) -> str:
    """``README.md`` of a trained model's folder."""
    s = summary.settings
    loss = "–" if summary.final_loss is None else f"{summary.final_loss:.4f}"
    weights = ", ".join(f"{source.value} {s.loss.weight(source)}" for source in SpanSource)
    rows = [
        ("base model", f"`{summary.base_model}`"),
        ("rows", f"{summary.num_rows:,} ({summary.num_tokens:,} tokens, {summary.num_loss_tokens:,} with loss)"),
        ("loss weight by source", weights),
        ("epochs, steps", f"{s.epochs:g}, {summary.num_steps:,}"),
        ("rows a step", f"{s.global_batch_size}" + (" packs" if s.packing else "")),
        ("learning rate", f"{s.learning_rate:g}, {s.schedule}, {s.warmup_share:.0%} warm-up"),
        ("longest row", f"{s.max_length:,} tokens"),
        ("method", "full-parameter" if s.lora is None else f"LoRA of rank {s.lora.rank}, merged"),
        ("loss at the end", loss),
        ("processes", f"{summary.world_size}, sharding {summary.sharding}"),
        ("precision, attention", f"{summary.precision}, {summary.attention}"),
        ("time", f"{summary.seconds:,.0f} s, {summary.tokens_per_second:,.0f} tokens a second"),
        ("seed", str(s.seed)),
        ("versions", ", ".join(f"{package} {version}" for package, version in summary.versions.items())),
    ]
    table = "\n".join(f"| {key} | {value} |" for key, value in rows)
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [reasoning, tool-use, code-interpreter, selftaught]
---

# {name}

Trained by Hint-RFT (START, arXiv 2503.04625) with `selftaught`, on trajectories that a reasoner made for itself: no human
demonstration of tool use. It writes Python in fenced blocks inside its thinking; a runner must execute them and put the
output back (`selftaught infer "…" --model FOLDER`). Do not execute what it writes outside a sandbox.

| | |
|---|---|
{table}

Loss by step: `metrics.jsonl`. All settings: `training.json`. Licence and limits are those of the base model.
"""
