"""The card of a pretrained embedded reasoner: how it was made and what it can do, from ``card.json`` alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_HEAD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
tags: [selftaught, toy, reasoning]
---
# The embedded base reasoner

A Qwen2 model of {millions:.1f} M parameters that thinks by hand, slips, and never uses a tool by itself. It is the base on
which `selftaught demo` runs the whole of START (arXiv 2503.04625) on two CPU cores. It knows the problem families in
`selftaught.toy.families` and nothing else: use it to see and test the loop, not to solve problems.

Everything it has read is made by `selftaught.toy.corpus`: chats without any call in their thinking, worksheets between
other tags, chats in which the user pastes a run, and drills; some made long by a list that the question asks for. No hint
sentence and no problem of the pool, development or test split stands in that text; `tests/toy/test_corpus.py` scans for them.

## Recipe
`selftaught toy pretrain --out RUN --seed {seed}`, from nothing, in one run.

| | |
|---|---|
| documents / tokens | {num_documents:,} / {num_tokens:,} |
| steps of {batch:,} tokens | {num_steps:,} |
| optimiser | Muon {muon} for matrices, AdamW {adamw} for the rest, falling in a line from {decay:.0%} of the steps |
| layers / width / heads / key-value heads / MLP | {layers} / {width} / {heads} / {kv} / {mlp} |
| vocabulary | {vocab} (byte-level BPE, numbers in pairs of digits) |
| made in | {minutes:.0f} minutes on {device}, torch {torch}{note} |
"""


def _curve(points: list[dict[str, Any]], rows: int = 14) -> str:
    """A table with about ``rows`` points of the loss curve, evenly spread."""
    stride = max(1, len(points) // rows)
    chosen = points[::stride]
    if points and chosen[-1] is not points[-1]:
        chosen.append(points[-1])
    lines = [
        "## Loss curve",
        "Mean training loss of the last 100 steps, nats a token.",
        "",
        "| step | loss |",
        "|---|---|",
    ]
    return "\n".join(lines + [f"| {point['step']:,} | {point['loss']:.3f} |" for point in chosen])


def _gate(rates: dict[str, float]) -> str:
    lines = [
        "## Gate",
        "Teacher-forced on the development split (`selftaught toy gate`): share of number tokens copied right from unseen",
        "questions into code, of easy sums right, of tool outputs carried into the boxed answer; and where a tag is closed",
        "after a cell in thinking, how often it is `</think>`, after one cell, three, or one behind ten attempts by hand.",
        "",
        "| what | share |",
        "|---|---|",
    ]
    return "\n".join(lines + [f"| {name} | {rate:.1%} |" for name, rate in rates.items()])


def _evaluation(rows: list[dict[str, Any]]) -> str:
    lines = [
        "## Evaluation",
        "Held-out test split, greedy, tools offered, no hints; from the demo's report.",
        "",
        "| problems | n | pass@1 | 95 % interval | calls Python |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        low, high = row["ci95"]
        lines.append(
            f"| {row['benchmark']} | {row['n']} | {row['pass_at_1']:.1%} | {low:.1%} – {high:.1%} | {row['tool_call_rate']:.1%} |"
        )
    return "\n".join(lines)


def render_card(card: dict[str, Any]) -> str:
    """A card as Markdown, from what `pretrain` writes; ``evaluation`` holds rows of report.json when it is there."""
    settings = card["settings"]
    model = settings["model"]
    parts = [
        _HEAD.format(
            millions=card["num_parameters"] / 1e6,
            seed=settings["seed"],
            num_documents=card["num_documents"],
            num_tokens=card["num_tokens"],
            num_steps=card["num_steps"],
            batch=settings["tokens_per_batch"],
            muon=settings["muon_lr"],
            adamw=settings["adamw_lr"],
            decay=settings["decay_from"],
            layers=model["num_layers"],
            width=model["hidden_size"],
            heads=model["num_heads"],
            kv=model["num_kv_heads"],
            mlp=model["mlp_size"],
            vocab=model["vocab_size"],
            minutes=card["minutes"],
            device=card["device"],
            torch=card["torch"],
            note=f"; {card['note']}" if card.get("note") else "",
        ),
        _curve(card["curve"]),
        _gate(card["gate"]),
    ]
    if card.get("evaluation"):
        parts.append(_evaluation(card["evaluation"]))
    return "\n\n".join(parts) + "\n"


def write_card(folder: Path) -> None:
    """Write ``README.md`` beside ``card.json``."""
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    (folder / "README.md").write_text(render_card(card), encoding="utf-8")
