"""Exports: a curated data set in the shapes that other trainers read, with a card that says how it was made.

``parquet`` is exact: the very token ids with their labels (TRL and Axolotl take the columns as they are). ``axolotl`` marks
loss by segments of text, which Axolotl encodes anew. ``trl``, ``sharegpt`` and ``llamafactory`` are conversations: those trainers put loss on the whole
assistant turn, tool output included, which their own options cannot mask; the card says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from selftaught.curation.records import Funnel, KeptRow
from selftaught.errors import ConfigError, DataError, MissingPartError
from selftaught.records import SpanSource, Trajectory, utc_now
from selftaught.store import read_jsonl, write_atomic, write_json
from selftaught.training.render import IGNORE_INDEX, LossPolicy, render_row

ROWS_PER_GROUP = 1_000
"""Rows held in memory at a time while Parquet is written."""

_DATA_SET = "selftaught"
"""Name under which LLaMA-Factory knows the data."""


@dataclass(frozen=True)
class Export:
    """What is exported, for whom, and with which loss."""

    kept: Path
    out: Path
    policy: LossPolicy
    questions: dict[str, str]
    """Problem id → user message."""


@dataclass(frozen=True)
class Turn:
    """One question with its whole answer, thinking and tool output inside."""

    id: str
    question: str
    answer: str


def export(formats: list[str], job: Export, *, funnel: Path | None = None, model: str = "") -> list[Path]:
    """Write the formats and the card; return the files. ConfigError for an unknown format, MissingPartError without pyarrow."""
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ConfigError(f"export format {unknown[0]!r} is unknown; expected some of {', '.join(FORMATS)}.")
    job.out.mkdir(parents=True, exist_ok=True)
    written = [path for name in formats for path in FORMATS[name](job)]
    card = job.out / "README.md"
    summary = Funnel.model_validate_json(funnel.read_text("utf-8")) if funnel and funnel.exists() else None
    write_atomic(card, [dataset_card(job, formats, summary, model).encode()])
    return [*written, card]


def turn_of(trajectory: Trajectory, question: str) -> Turn:
    """The conversation of a trajectory: an opened ``<think>`` of the prompt belongs to the answer, end-of-turn tokens do not."""
    prompt = "".join(span.text for span in trajectory.spans if span.source is SpanSource.PROMPT)
    think = prompt.rfind("<think>")
    opened = prompt[think:] if think >= 0 and not prompt[think + len("<think>") :].strip() else ""
    answer = opened + trajectory.text_after_prompt()
    for end in ("<|im_end|>", "<|endoftext|>", "<｜end▁of▁sentence｜>", "<|eot_id|>"):
        answer = answer.removesuffix("\n").removesuffix(end)
    return Turn(trajectory.id, question, answer)


def segments(trajectory: Trajectory, policy: LossPolicy) -> list[tuple[str, bool]]:
    """(text, has loss) of neighbouring spans with the same loss; joined, exactly the text that the model saw."""
    result: list[tuple[str, bool]] = []
    for span in trajectory.spans:
        label = policy.takes(span)
        if result and result[-1][1] == label:
            result[-1] = (result[-1][0] + span.text, label)
        elif span.text:
            result.append((span.text, label))
    return result


def _kept(job: Export) -> Iterator[KeptRow]:
    return read_jsonl(job.kept, KeptRow)


def _turns(job: Export) -> Iterator[Turn]:
    for row in _kept(job):
        question = job.questions.get(row.trajectory.problem_id)
        if question is None:
            raise DataError(
                f"{row.trajectory.id}: problem {row.trajectory.problem_id!r} is not in the problem file; name it with --problems."
            )
        yield turn_of(row.trajectory, question)


def _lines(path: Path, rows: Iterable[object]) -> Path:
    write_atomic(path, (json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows))
    return path


def parquet(job: Export) -> list[Path]:
    """``tokenized/train.parquet``: id, problem_id, input_ids, labels, and attention_mask (all 1), by which Axolotl knows it as ready."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingPartError("the parquet export needs pyarrow; pip install 'selftaught[hub]'.") from None
    path = job.out / "tokenized" / "train.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("problem_id", pa.string()),
            ("input_ids", pa.list_(pa.int32())),
            ("labels", pa.list_(pa.int32())),
            ("attention_mask", pa.list_(pa.int8())),
        ]
    )
    temporary = path.with_suffix(".tmp")
    with pq.ParquetWriter(temporary, schema) as writer:
        for group in _grouped(_kept(job), ROWS_PER_GROUP):
            rendered = [render_row(row, job.policy) for row in group]
            columns = {
                "id": [row.id for row in rendered],
                "problem_id": [row.trajectory.problem_id for row in group],
                "input_ids": [row.input_ids for row in rendered],
                "labels": [[IGNORE_INDEX, *row.labels[1:]] for row in rendered],
                "attention_mask": [[1] * len(row.input_ids) for row in rendered],
            }
            writer.write_table(pa.table(columns, schema=schema))
    temporary.replace(path)
    return [path]


def trl(job: Export) -> list[Path]:
    """``trl/train.jsonl``: ``prompt`` and ``completion`` as messages; loss on the completion."""
    rows = (
        {
            "prompt": [{"role": "user", "content": turn.question}],
            "completion": [{"role": "assistant", "content": turn.answer}],
        }
        for turn in _turns(job)
    )
    return [_lines(job.out / "trl" / "train.jsonl", rows)]


def sharegpt(job: Export) -> list[Path]:
    """``sharegpt/train.jsonl``: ``conversations`` of ``human`` and ``gpt``."""
    return [_lines(job.out / "sharegpt" / "train.jsonl", (_conversation(turn) for turn in _turns(job)))]


def axolotl(job: Export) -> list[Path]:
    """``axolotl/train.jsonl`` for ``type: input_output`` (template-free segments), and the stanza to paste."""
    rows = (
        {
            "id": row.trajectory.id,
            "segments": [{"label": label, "text": text} for text, label in segments(row.trajectory, job.policy)],
        }
        for row in _kept(job)
    )
    stanza = job.out / "axolotl" / "dataset.yaml"
    write_atomic(
        stanza,
        [b"train_on_inputs: false\ndatasets:\n  - path: train.jsonl\n    ds_type: json\n    type: input_output\n"],
    )
    return [_lines(job.out / "axolotl" / "train.jsonl", rows), stanza]


def llamafactory(job: Export) -> list[Path]:
    """``llamafactory/selftaught.json`` in ShareGPT form with the ``dataset_info.json`` that registers it."""
    path = job.out / "llamafactory" / f"{_DATA_SET}.json"
    write_json(path, [_conversation(turn) for turn in _turns(job)])
    info = {
        _DATA_SET: {
            "file_name": path.name,
            "formatting": "sharegpt",
            "columns": {"messages": "conversations"},
            "tags": {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"},
        }
    }
    write_json(path.with_name("dataset_info.json"), info)
    return [path, path.with_name("dataset_info.json")]


def _conversation(turn: Turn) -> dict[str, object]:
    return {
        "id": turn.id,
        "conversations": [{"from": "human", "value": turn.question}, {"from": "gpt", "value": turn.answer}],
    }


FORMATS: dict[str, Callable[[Export], list[Path]]] = {
    "parquet": parquet,
    "trl": trl,
    "sharegpt": sharegpt,
    "axolotl": axolotl,
    "llamafactory": llamafactory,
}
"""Formats by name."""


def dataset_card(job: Export, formats: list[str], funnel: Funnel | None, model: str) -> str:
    """``README.md`` of the exported set: how it was made, counts at each filter, limits."""
    configs = ""
    if "parquet" in formats:
        configs += "  - config_name: tokenized\n    data_files: tokenized/train.parquet\n"
    if "trl" in formats:
        configs += "  - config_name: conversations\n    data_files: trl/train.jsonl\n"
    head = "---\ntags: [reasoning, tool-use, code-interpreter, selftaught]\n"
    head += f"configs:\n{configs}---\n" if configs else "---\n"
    lines = [
        head,
        f"# {funnel.dataset if funnel else 'selftaught data set'}",
        "",
        "Trajectories of a reasoner that calls Python inside its thinking, made by Hint-RFT (START, arXiv 2503.04625) with",
        f"`selftaught`. Exported {utc_now()}" + (f"; tokens are those of `{model}`." if model else "."),
        "",
        "| source of a token | loss |",
        "|---|---|",
        *(f"| {source.value} | {job.policy.weight(source)} |" for source in SpanSource),
        "",
    ]
    if funnel:
        lines += [
            f"{funnel.num_in} trajectories of {funnel.num_problems} problems went in, {funnel.num_kept} were kept "
            f"({funnel.num_kept_text_only} without a call).",
            "",
            "| step | in | dropped | out |",
            "|---|---:|---:|---:|",
            *(f"| {s.step} | {s.num_in} | {s.num_dropped} | {s.num_out} |" for s in funnel.steps),
            "",
            "Modified: " + (", ".join(f"{rule} {count}" for rule, count in funnel.modified.items()) or "nothing") + ".",
            "",
        ]
    lines += [
        "## Limits",
        "",
        "- `tokenized` is exact: ids as the model saw them, -100 where there is no loss. It belongs to one tokenizer.",
        "- Conversation formats put loss on the whole assistant turn, output of the interpreter included.",
        "- Answers were judged by rules and tests; a right answer can stand on wrong reasoning.",
        "- Problems keep the licence of their source.",
        "",
    ]
    return "\n".join(lines)


def _grouped(rows: Iterable[KeptRow], size: int) -> Iterator[list[KeptRow]]:
    group: list[KeptRow] = []
    for row in rows:
        group.append(row)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
