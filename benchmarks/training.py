"""Training speed against a bare PyTorch loop over the same rows: tokens per CPU-second of the process, one thread.

    python benchmarks/training.py --json [--runs 5] [--steps 24] [--precision float32]
    python benchmarks/training.py --model FOLDER --steps 3 --batch 2 --length 100 --runs 1 [--lora] [--only ours]

With ``--model``, a real model in place of a random one of the embedded reasoner's shape. ``--only`` runs one of them, so that
the peak of its resident memory is known.

The bare loop is as lean as it gets: the same model class, the same batches in the same order, no attention mask, logits at
loss positions only, AdamW, gradient clipping. Ours is `train_sft` as the pipeline calls it, from the first optimiser step to
the last, with its metrics file. TRL out of the box runs too where it is installed. Runs alternate, so that a busy machine
hits all alike; a ratio is the median over runs of ours / baseline within one round.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

import selftaught.training.loss
from selftaught.training.batches import collate_padded, training_order
from selftaught.training.render import IGNORE_INDEX, TrainingRow
from selftaught.training.settings import LoraSettings, SftSettings
from selftaught.training.sft import train_sft


def make_base(folder: Path) -> None:
    """A random Qwen2 of the embedded reasoner's shape."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=1536,
        hidden_size=192,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=2,
        intermediate_size=512,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)


def make_rows(count: int, longest: int) -> list[TrainingRow]:
    """Rows of the demo's lengths, or up to ``longest`` tokens; a quarter of the tokens carries no loss."""
    rng = random.Random(0)
    rows = []
    for number in range(count):
        length = rng.randrange(longest * 2 // 7, longest)
        ids = [rng.randrange(1536) for _ in range(length)]
        rows.append(TrainingRow(str(number), ids, [IGNORE_INDEX] * (length // 4) + ids[length // 4 :]))
    return rows


def settings_for(steps: int, rows: int, batch: int, precision: str, lora: bool) -> SftSettings:
    """The demo's training settings for exactly ``steps`` steps."""
    return SftSettings(
        learning_rate=6e-4,
        epochs=steps * batch / rows,
        global_batch_size=batch,
        micro_batch_size=batch,
        lora=LoraSettings() if lora else None,
        max_length=1024,
        precision=precision,
        save_every_steps=0,
    )


def tokens_after_first(rows: list[TrainingRow], settings: SftSettings, steps: int) -> int:
    """Tokens of all steps but the first, padding not counted: the first one warms up."""
    batch = settings.global_batch_size
    order = training_order([len(row.input_ids) for row in rows], batch, steps, settings.seed)
    return sum(len(rows[i].input_ids) for i in order[batch:])


class _Enough(Exception):
    """Ends a training before it saves."""


def ours(rows: list[TrainingRow], base: Path, settings: SftSettings, steps: int) -> float:
    """CPU-seconds from the end of the first step to the end of the last."""
    marks: list[float] = []

    def progress(done: int, total: int) -> None:
        marks.append(time.process_time())
        if done == total:
            raise _Enough

    with tempfile.TemporaryDirectory() as out, contextlib.suppress(_Enough):
        train_sft(rows, base, Path(out), settings, progress=progress)
    assert len(marks) == steps
    return marks[-1] - marks[0]


def bare(rows: list[TrainingRow], base: Path, settings: SftSettings, steps: int) -> float:
    """The same batches through a loop of a dozen lines."""
    batch_size = settings.global_batch_size
    tiny = sum(file.stat().st_size for file in base.glob("*.safetensors")) < 200e6
    model = AutoModelForCausalLM.from_pretrained(
        base, dtype=torch.float32, attn_implementation="eager" if tiny else "sdpa"
    )
    if settings.lora is not None:
        from peft import LoraConfig, get_peft_model

        lora = settings.lora
        wanted = LoraConfig(
            r=lora.rank, lora_alpha=lora.alpha, target_modules=lora.target_modules, task_type="CAUSAL_LM"
        )
        model = get_peft_model(model, wanted)
    model.train()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, betas=settings.betas, fused=True)
    order = training_order([len(row.input_ids) for row in rows], batch_size, steps, settings.seed)
    autocast = settings.precision == "bfloat16"
    start = 0.0
    for step in range(steps):
        batch = collate_padded([[rows[i]] for i in order[step * batch_size : (step + 1) * batch_size]])
        targets = batch["labels"][:, 1:]
        where = (targets != IGNORE_INDEX).any(dim=0).nonzero().squeeze(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = model(input_ids=batch["input_ids"], logits_to_keep=where, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), targets[:, where].reshape(-1), ignore_index=IGNORE_INDEX
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
        if step == 0:
            start = time.process_time()
    return time.process_time() - start


def trl(rows: list[TrainingRow], base: Path, settings: SftSettings, steps: int) -> float:
    """TRL's SFTTrainer out of the box over the same rows (its own order)."""
    import datasets
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    marks: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *args: object, **kwargs: object) -> None:
            marks.append(time.process_time())

    vocabulary = Tokenizer(models.WordLevel({"<unk>": 0, "<eos>": 1}, unk_token="<unk>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=vocabulary, eos_token="<eos>", pad_token="<eos>")
    data = datasets.Dataset.from_list([{"input_ids": row.input_ids, "labels": row.labels} for row in rows])
    with tempfile.TemporaryDirectory() as out:
        args = SFTConfig(
            output_dir=out,
            max_steps=steps,
            per_device_train_batch_size=settings.global_batch_size,
            learning_rate=settings.learning_rate,
            max_length=None,
            report_to="none",
            use_cpu=True,
            bf16=settings.precision == "bfloat16",
            save_strategy="no",
            disable_tqdm=True,
            gradient_checkpointing=False,
        )
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        SFTTrainer(model, args=args, train_dataset=data, processing_class=tokenizer, callbacks=[Clock()]).train()
    return marks[-1] - marks[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument(
        "--model", type=Path, help="a model folder; by default a random one of the embedded reasoner's shape"
    )
    parser.add_argument("--lora", action="store_true")
    parser.add_argument("--batch", type=int, default=8, help="rows a step")
    parser.add_argument("--length", type=int, default=420, help="longest row in tokens")
    parser.add_argument("--chunk-mb", type=int, help="logits at a time, in MB of float32; by default as users have it")
    parser.add_argument("--only", choices=("ours", "bare", "trl"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.chunk_mb:
        selftaught.training.loss.LOGIT_CHUNK_BYTES = options.chunk_mb << 20
    rows = make_rows(options.steps * options.batch, options.length)
    settings = settings_for(options.steps, len(rows), options.batch, options.precision, options.lora)
    tokens = tokens_after_first(rows, settings, options.steps)
    contenders: dict[str, Callable[..., float]] = {"ours": ours, "bare": bare}
    try:
        import datasets  # noqa: F401
        import trl as _  # noqa: F401

        contenders["trl"] = trl
    except ImportError:
        print("trl is not installed: left out", file=sys.stderr)
    if options.lora:
        contenders.pop("trl", None)
    if options.only:
        contenders = {options.only: contenders[options.only]}
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory() as folder:
        base = options.model or Path(folder)
        if options.model is None:
            make_base(base)
        for number in range(options.runs):
            order = list(contenders) if number % 2 == 0 else list(contenders)[::-1]
            for name in order:
                speeds[name].append(tokens / contenders[name](rows, base, settings, options.steps))
                print(f"run {number + 1}: {name} {speeds[name][-1]:.0f} tokens per CPU-second", file=sys.stderr)
    result = {
        f"{a}_over_{b}": ratio(speeds[a], speeds[b])
        for a, b in (("ours", "bare"), ("trl", "bare"))
        if a in speeds and b in speeds
    }
    result["tokens_per_cpu_s"] = {name: round(statistics.median(values), 1) for name, values in speeds.items()}
    result |= {"precision": options.precision, "bar_ours_over_bare": 0.85}
    result["peak_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2)
    print(json.dumps(result) if options.json else json.dumps(result, indent=2))
    return 0


def ratio(ours_speeds: list[float], baseline: list[float]) -> dict[str, object]:
    """Median over runs of the ratio within a round, with its runs and spread."""
    ratios = [a / b for a, b in zip(ours_speeds, baseline, strict=True)]
    return {
        "ratio": round(statistics.median(ratios), 3),
        "runs": [round(value, 3) for value in ratios],
        "spread": round(max(ratios) - min(ratios), 3),
        "unit": "tokens per CPU-second",
    }


if __name__ == "__main__":
    sys.exit(main())
