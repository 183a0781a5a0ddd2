"""Pretraining of the embedded reasoner from nothing: one run, one recipe, any device.

Stages, each resumed where it was left: tokenizer → packed corpus → training (checkpoint every minute or so) → model
folder with its card. Muon updates the matrices, AdamW the embeddings, norms and biases. The learning rate is constant
for a short while and then falls linearly to nearly 0. Most of the loss falls during this decay (docs/log.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from selftaught.manner import write_manner
from selftaught.store import write_json
from selftaught.toy import MANNER, corpus, data
from selftaught.toy.card import write_card
from selftaught.toy.gate import gate
from selftaught.toy.model import ModelConfig, TinyQwen2, save_pretrained
from selftaught.toy.tokenizer import save_tokenizer, train_tokenizer


@dataclass(frozen=True)
class PretrainSettings:
    """The recipe. Defaults are the shipped model's."""

    seed: int = 0
    tokenizer_documents: int = 20_000
    num_tokens: int = 14_600_000
    tokens_per_batch: int = 4096
    warmup_documents: int = 8_000
    """Documents of the first part, in which drills stand at `corpus.WARMUP_DRILL_SHARE`."""
    plain_documents: int = 28_000
    """Documents without detours, those of the first part included. Long documents delay the moment when copying
    appears."""
    muon_lr: float = 0.02
    adamw_lr: float = 3e-3
    warmup_steps: int = 100
    decay_from: float = 0.15
    """Share of the steps after which the rate falls."""
    weight_decay: float = 0.01
    checkpoint_every_s: float = 90.0
    gate_every_steps: int = 1000
    final_gate_each: int = 20
    """Development problems a family in the last gate, which goes onto the card."""
    model: ModelConfig = field(default_factory=ModelConfig)


def rate_at(step: int, num_steps: int, settings: PretrainSettings) -> float:
    """Factor on both learning rates at ``step``."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    # Never quite 0: the last steps would do nothing.
    start = settings.decay_from * num_steps
    return 1.0 if step < start else max(0.02, (num_steps - step) / (num_steps - start))


def streams(settings: PretrainSettings) -> tuple[Iterator[str], Iterator[str], Iterator[str]]:
    """The text in its order: warm-up documents, plain ones, and without end those with detours."""
    seed, warm = settings.seed, settings.warmup_documents
    plain = max(settings.plain_documents, warm)
    return (
        corpus.documents(seed, 0, warm, warmup=True, detours=False),
        corpus.documents(seed, warm, plain, detours=False),
        corpus.documents(seed, plain, None),
    )


def build_corpus(tokenizer: Any, settings: PretrainSettings, report: Callable[[str], None]) -> list[data.PackedCorpus]:
    """The packed parts of `streams`, ``num_tokens`` in all."""
    parts: list[data.PackedCorpus] = []
    for stream in streams(settings):
        left = settings.num_tokens - sum(part.num_tokens for part in parts)
        parts.append(data.pack(data.encode(tokenizer, stream), left))
    documents, tokens = (sum(getattr(part, name) for part in parts) for name in ("num_documents", "num_tokens"))
    report(f"corpus: {documents:,} documents, {tokens:,} tokens")
    return parts


def _optimizers(model: TinyQwen2, settings: PretrainSettings) -> list[torch.optim.Optimizer]:
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.dim() != 2 or "embed" in name]
    return [
        torch.optim.Muon(matrices, lr=settings.muon_lr, weight_decay=settings.weight_decay),
        torch.optim.AdamW(others, lr=settings.adamw_lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _device(name: str) -> torch.device:
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


def pretrain(
    out: Path,
    settings: PretrainSettings | None = None,
    *,
    device: str = "auto",
    report: Callable[[str], None] = print,
) -> Path:
    """Pretrain into ``out`` and return the folder of the finished model (``out/model``). Resumes after a kill."""
    settings = settings or PretrainSettings()
    write_json(out / "settings.json", asdict(settings))
    final = out / "model"
    if (final / "card.json").exists():
        return final
    where = _device(device)
    tokenizer_file = out / "tokenizer" / "tokenizer.json"
    if not tokenizer_file.exists():
        # Documents of a seed that no corpus uses.
        trained = train_tokenizer(corpus.documents(10**6, 0, settings.tokenizer_documents), settings.model.vocab_size)
        save_tokenizer(trained, tokenizer_file.parent)
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    parts = build_corpus(tokenizer, settings, report)
    plan = [(part, batch) for part in parts for batch in data.batches(part, settings.tokens_per_batch, settings.seed)]

    torch.manual_seed(settings.seed)
    model = TinyQwen2(settings.model).to(where)
    training = _Training(model, settings, where, out / "checkpoint.pt")
    if training.resume():
        report(f"resumed at step {training.step}")
    training.run(plan, tokenizer, report)
    training.save()
    export(model, tokenizer_file.parent, final)
    rates = gate(model, tokenizer, num_each=settings.final_gate_each, seed=1).rates()
    card = {
        "settings": asdict(settings),
        "num_parameters": sum(parameter.numel() for parameter in model.parameters()),
        "num_documents": sum(part.num_documents for part in parts),
        "num_tokens": sum(part.num_tokens for part in parts),
        "num_steps": len(plan),
        "minutes": round(training.seconds / 60, 1),
        "device": str(where),
        "torch": torch.__version__,
        "gate": {key: round(value, 4) for key, value in rates.items()},
        "curve": training.curve,
    }
    write_json(final / "card.json", card)
    write_card(final)
    return final


class _Training:
    """The loop of steps with what a checkpoint holds: model, optimizers, step, seconds and the curve of losses."""

    def __init__(self, model: TinyQwen2, settings: PretrainSettings, where: torch.device, checkpoint: Path) -> None:
        self._model, self._settings, self._where, self._checkpoint = model, settings, where, checkpoint
        self._optimizers = _optimizers(model, settings)
        # Read before a checkpoint is loaded: the checkpoint holds the decayed rates of the step at which it was
        # written.
        self._base_rates = [group["lr"] for optimizer in self._optimizers for group in optimizer.param_groups]
        self.step, self.seconds = 0, 0.0
        self.curve: list[dict[str, Any]] = []

    def resume(self) -> bool:
        """Go on from the checkpoint; False when there is none."""
        if not self._checkpoint.exists():
            return False
        state = torch.load(self._checkpoint, map_location=self._where, weights_only=True)
        self._model.load_state_dict(state["model"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.seconds, self.curve = state["step"], state["seconds"], state["curve"]
        return True

    def save(self) -> None:
        """Write the checkpoint; a kill leaves the one before it whole."""
        temporary = self._checkpoint.with_suffix(".tmp")
        torch.save(
            {
                "model": self._model.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
                "step": self.step,
                "seconds": self.seconds,
                "curve": self.curve,
            },
            temporary,
        )
        temporary.replace(self._checkpoint)

    def run(self, plan: Sequence[tuple[Any, Any]], tokenizer: Tokenizer, report: Callable[[str], None]) -> None:
        """All steps of ``plan`` that are not done yet."""
        settings = self._settings
        self._model.train()
        started = last_saved = time.monotonic()
        before = self.seconds
        window: list[float] = []
        while self.step < len(plan):
            window.append(self._one_step(plan[self.step], rate_at(self.step, len(plan), settings)))
            self.step += 1
            self.seconds = before + time.monotonic() - started
            if self.step % 100 == 0:
                self._note(float(np.mean(window)), len(plan), report)
                window = []
            if self.step % settings.gate_every_steps == 0:
                rates = gate(self._model, tokenizer, num_each=6).rates()
                self.curve[-1]["gate"] = {key: round(value, 3) for key, value in rates.items()}
                report("gate: " + "  ".join(f"{key} {value:.2f}" for key, value in rates.items()))
            if time.monotonic() - last_saved > settings.checkpoint_every_s:
                self.save()
                last_saved = time.monotonic()

    def _one_step(self, batch: tuple[Any, Any], factor: float) -> float:
        """One update; returns the loss."""
        for group, rate in zip((g for o in self._optimizers for g in o.param_groups), self._base_rates, strict=True):
            group["lr"] = rate * factor
        ids, labels = (torch.from_numpy(array).to(self._where) for array in data.take(*batch))
        with torch.autocast(self._where.type, torch.bfloat16):
            loss = self._model.loss(ids, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return float(loss.item())

    def _note(self, loss: float, num_steps: int, report: Callable[[str], None]) -> None:
        """One point of the curve, and one line with the speed and the time left."""
        self.curve.append({"step": self.step, "loss": round(loss, 4), "seconds": round(self.seconds, 1)})
        left = self.seconds / self.step * (num_steps - self.step)
        speed = self.step * self._settings.tokens_per_batch / self.seconds
        report(
            f"step {self.step}/{num_steps}  loss {self.curve[-1]['loss']:.3f}  {speed:,.0f} tokens/s  {left / 60:.0f} min left"
        )


def export(model: TinyQwen2, tokenizer_folder: Path, folder: Path) -> None:
    """Write a Hugging Face folder: weights, configuration, tokenizer, chat template."""
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    ids = [tokenizer.encode(name).ids[0] for name in ("<|im_end|>", "<|endoftext|>")]
    save_pretrained(model, folder, eos_ids=ids, pad_id=ids[1])
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((tokenizer_folder / name).read_bytes())
    write_manner(folder, MANNER)
