"""The Trainer with our loss and our order of rows. Imports transformers: load it only where training happens.

Shapes: B rows, T tokens, V vocabulary. Loss: sum of cross-entropies over the global batch / its number of loss tokens, so
that processes and accumulation steps do not change it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset, SequentialSampler
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from selftaught.heap import keep_large_tensors_apart
from selftaught.store import JsonlWriter, write_atomic
from selftaught.training.batches import collate_packed, collate_padded, training_order
from selftaught.training.loss import is_large, loss_as_logits, output_layer
from selftaught.training.render import IGNORE_INDEX, TrainingRow
from selftaught.training.settings import TINY_PARAMETERS, SftSettings

WHOLE = ("none", "ddp", "zero2")
"""Shardings under which every process holds whole weights: under the others, a piece of the output layer is not one of it."""


class OrderedRows(Dataset[list[TrainingRow]]):
    """All rows (or packs of rows) of a whole training, in the order in which they are taken."""

    def __init__(self, items: Sequence[list[TrainingRow]], order: Sequence[int]) -> None:
        self._items, self._order = items, order

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> list[TrainingRow]:
        return self._items[self._order[index]]


class SftTrainer(Trainer):
    """transformers' Trainer with a masked loss that computes logits where there is loss only."""

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        """The data set is in order already."""
        return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Cross-entropy summed over the loss positions of this micro batch / loss tokens of the global batch."""
        targets_BT = inputs.pop("labels")[:, 1:]
        where_T = (targets_BT != IGNORE_INDEX).any(dim=0).nonzero().squeeze(1)
        kept_BT = targets_BT[:, where_T]
        head = output_layer(self.accelerator.unwrap_model(model)) if sharding_of(self) in WHOLE else None
        if head is not None and is_large(head, kept_BT.numel()):
            with loss_as_logits(head, kept_BT, IGNORE_INDEX):
                loss = model(**inputs, logits_to_keep=where_T, use_cache=False).logits
        else:
            logits_BTV = model(**inputs, logits_to_keep=where_T, use_cache=False).logits
            loss = torch.nn.functional.cross_entropy(
                logits_BTV.float().flatten(0, 1), kept_BT.reshape(-1), ignore_index=IGNORE_INDEX, reduction="sum"
            )
        if num_items_in_batch is None:
            num_items_in_batch = (targets_BT != IGNORE_INDEX).sum()
        loss = loss / num_items_in_batch * self.args.world_size
        return (loss, None) if return_outputs else loss


class MetricsFile(TrainerCallback):
    """Writes ``metrics.jsonl`` (step, loss, learning rate, gradient norm) and reports progress. On resume, lines of steps
    after the checkpoint are taken out, so that no step stands twice."""

    def __init__(
        self,
        path: Path,
        last_step: int,
        progress: Callable[[int, int], None] | None,
        num_steps: int,
        steps_per_epoch: float,
    ) -> None:
        self._path, self._progress, self._num_steps = path, progress, num_steps
        self._steps_per_epoch = steps_per_epoch
        self._losses: list[float] = []
        kept = []
        if path.exists():
            for line in path.read_bytes().splitlines(keepends=True):
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                if line.endswith(b"\n") and row["step"] <= last_step:
                    kept.append(line)
                    self._losses.append(row["loss"])
        self._kept = kept
        self._writer: JsonlWriter | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Open the file on the main process."""
        if state.is_world_process_zero:
            write_atomic(self._path, self._kept)
            self._writer = JsonlWriter(self._path)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **kwargs: Any
    ) -> None:
        """One line a logging step."""
        if not logs or "loss" not in logs:
            return
        self._losses.append(float(logs["loss"]))
        if self._writer is not None:
            row = {"step": state.global_step, "epoch": round(state.global_step / self._steps_per_epoch, 4)}
            row |= {key: float(logs[key]) for key in ("loss", "learning_rate", "grad_norm") if key in logs}
            self._writer.write_line(json.dumps(row))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Progress."""
        if self._progress and state.is_world_process_zero:
            self._progress(state.global_step, self._num_steps)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def final_loss(self) -> float | None:
        """Mean loss over the last tenth of the logged steps."""
        if not self._losses:
            return None
        tail = deque(self._losses, maxlen=max(1, len(self._losses) // 10))
        return round(sum(tail) / len(tail), 6)


def make_trainer(
    model: Any, args: TrainingArguments, items: Sequence[list[TrainingRow]], settings: SftSettings, metrics: MetricsFile
) -> SftTrainer:
    """A trainer over rows or packs that is ready to run."""
    from transformers import PrinterCallback

    if not torch.cuda.is_available() and model.num_parameters() > TINY_PARAMETERS:
        keep_large_tensors_apart()
    lengths = [sum(len(row.input_ids) for row in item) for item in items]
    order = training_order(lengths, settings.global_batch_size, int(args.max_steps), settings.seed)
    trainer = SftTrainer(
        model=model,
        args=args,
        train_dataset=OrderedRows(items, order),
        data_collator=collate_packed if settings.packing else collate_padded,
        callbacks=[metrics],
    )
    trainer.loss_is_scaled_for_ga = True
    trainer.remove_callback(PrinterCallback)
    return trainer


def sharding_of(trainer: Trainer) -> str:
    """How the model is spread over processes, as the accelerator says: ``none ddp fsdp2 zero2 zero3``."""
    kind = str(trainer.accelerator.distributed_type).rpartition(".")[2]
    if kind == "DEEPSPEED":
        plugin = trainer.accelerator.state.deepspeed_plugin
        return f"zero{plugin.zero_stage}"
    if kind == "FSDP":
        return f"fsdp{getattr(trainer.accelerator.state.fsdp_plugin, 'fsdp_version', 1)}"
    return "ddp" if int(trainer.args.world_size) > 1 else "none"
