"""Render: from a trajectory to ``input_ids`` and ``labels``. The only place that decides what carries loss.

The loss weight of a token follows from who put it there (its span's source) and a policy named in the recipe. It is
computed here and never stored. START does not disclose its masking; the practice around it never trains on tool output,
and hints must carry loss in round one, or the model never learns to call the tool by itself (sections 2.2, 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selftaught.curation.records import ENCODE_TEXT, KeptRow
from selftaught.errors import DataError
from selftaught.records import Record, Span, SpanSource, Trajectory
from selftaught.runs.folders import DataFolder
from selftaught.store import read_jsonl

IGNORE_INDEX = -100
"""Label of a token without loss, as PyTorch and every trainer know it."""

Weight = Literal[0, 1]


class LossPolicy(Record):
    """Loss weight by span source. The default is round one's: the model's tokens and the hints."""

    prompt: Weight = 0
    """The question and the chat template."""
    model: Weight = 1
    """What the model sampled."""
    hint: Weight = 1
    """Inserted hints."""
    tool: Weight = 0
    """Output of the model's Python."""
    control: Weight = 0
    """Notices of the runner."""

    def weight(self, source: SpanSource) -> int:
        """0 or 1 for one source."""
        weight: int = getattr(self, source.value)
        return weight

    def takes(self, span: Span) -> bool:
        """Whether loss is taken on a span: by its source, unless curation took it out."""
        return bool(self.weight(span.source)) and span.loss is None


POLICIES: dict[str, LossPolicy] = {
    "hints": LossPolicy(),
    "model_only": LossPolicy(hint=0),
    "all_but_prompt": LossPolicy(tool=1, control=1),
}
"""Named policies: ``hints`` (the default), ``model_only`` (hints masked too), ``all_but_prompt`` (an ablation: what a
trainer does that masks by chat role, tool output included)."""


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One sequence as a trainer takes it: ``labels[i]`` is ``input_ids[i]`` or -100; shifting is the loss's business."""

    id: str
    input_ids: list[int]
    labels: list[int]

    @property
    def num_loss_tokens(self) -> int:
        """Tokens that are predicted with loss; the first token of a row never is."""
        return sum(label != IGNORE_INDEX for label in self.labels[1:])


def render_row(row: KeptRow, policy: LossPolicy) -> TrainingRow:
    """The training row of a kept trajectory; text without ids only where curation was told to take and encode it."""
    return render(row.trajectory, policy, encoded=any(change.rule == ENCODE_TEXT for change in row.modifications))


def render(trajectory: Trajectory, policy: LossPolicy, *, encoded: bool = False) -> TrainingRow:
    """The training row of one trajectory; DataError for text without token ids, unless it was ``encoded`` since."""
    if trajectory.text_only and not encoded:
        raise DataError(
            f"trajectory {trajectory.id} holds text without token ids; expected one that an engine gave ids for. "
            "Curate with --allow-text-only to encode it."
        )
    input_ids: list[int] = []
    labels: list[int] = []
    for span in trajectory.spans:
        input_ids += span.token_ids
        if policy.takes(span):
            labels += span.token_ids
        else:
            labels += [IGNORE_INDEX] * len(span.token_ids)
    return TrainingRow(trajectory.id, input_ids, labels)


def render_all(rows: Iterable[KeptRow], policy: LossPolicy) -> Iterator[TrainingRow]:
    """Training rows of kept trajectories, in order."""
    for row in rows:
        yield render_row(row, policy)


def load_rows(kept: Path, policy: LossPolicy, max_length: int) -> list[TrainingRow]:
    """Read ``kept.jsonl``; DataError when a row is longer than ``max_length`` or none carries loss: nothing is cut silently."""
    rows = list(render_all(read_jsonl(kept, KeptRow), policy))
    for row in rows:
        if len(row.input_ids) > max_length:
            raise DataError(
                f"{kept}: {row.id} has {len(row.input_ids)} tokens, training takes {max_length}; "
                "curate with filters.max_tokens at most that."
            )
        if row.num_loss_tokens == 0:
            raise DataError(f"{kept}: {row.id} carries no loss under this policy; expected sampled tokens.")
    if not rows:
        raise DataError(
            f"{kept} holds no rows; nothing to train on. See {DataFolder(kept.parent).funnel.name} beside it for where they went."
        )
    return rows
