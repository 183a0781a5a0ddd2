"""Exports hold what was kept, exactly; real readers load them where they are installed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught.curation.records import Facts, KeptRow
from selftaught.errors import ConfigError, DataError
from selftaught.records import Outcome, ProblemKind, Span, SpanSource, StopReason, Trajectory
from selftaught.store import write_records
from selftaught.training.exports import Export, export, segments, turn_of
from selftaught.training.render import POLICIES, LossPolicy

PIECES = [
    ("prompt", "<|im_start|>user\nWhat is 6 * 7?<|im_end|>\n<|im_start|>assistant\n<think>\n"), ("model", "Wait"),
    ("hint", ", use Python.\n```python\n"), ("model", "print(6 * 7)\n```\n"), ("tool", "```output\n42\n```\n"),
    ("model", "So 42.\n</think>\n\\boxed{42}<|im_end|>"),
]  # fmt: skip


def trajectory(name: str) -> Trajectory:
    spans = [Span(source=SpanSource(source), token_ids=[ord(c) for c in text], text=text) for source, text in PIECES]
    return Trajectory(id=f"{name}#0", problem_id=name, spans=spans, stop_reason=StopReason.ANSWERED)


@pytest.fixture
def job(tmp_path: Path) -> Export:
    facts = Facts(
        outcome=Outcome.CORRECT,
        correct=True,
        num_tokens=9,
        num_model_tokens=5,
        num_calls=1,
        num_errors=0,
        num_hints=1,
        last_call_ok=True,
    )
    rows = [
        KeptRow(
            dataset="d_seed", source="s", kind=ProblemKind.MATH, facts=facts, why="", trajectory=trajectory(f"p{i}")
        )
        for i in range(5)
    ]
    write_records(tmp_path / "kept.jsonl", rows)
    return Export(
        tmp_path / "kept.jsonl", tmp_path / "out", LossPolicy(), {f"p{i}": "What is 6 * 7?" for i in range(5)}
    )


def test_the_conversation_has_the_whole_thinking_and_no_end_token() -> None:
    turn = turn_of(trajectory("p"), "What is 6 * 7?")
    assert turn.answer.startswith("<think>\nWait, use Python.") and turn.answer.endswith("</think>\n\\boxed{42}")


@pytest.mark.parametrize("policy", POLICIES.values())
def test_segments_join_to_what_the_model_saw(policy: LossPolicy) -> None:
    parts = segments(trajectory("p"), policy)
    assert "".join(text for text, _ in parts) == "".join(text for _, text in PIECES)
    assert all(a[1] != b[1] for a, b in zip(parts, parts[1:], strict=False))
    trained = "".join(text for text, label in parts if label)
    assert trained == "".join(text for source, text in PIECES if policy.weight(SpanSource(source)))


def test_json_formats(job: Export) -> None:
    export(["trl", "sharegpt", "axolotl", "llamafactory"], job)
    for name, key in (
        ("trl/train.jsonl", "prompt"),
        ("sharegpt/train.jsonl", "conversations"),
        ("axolotl/train.jsonl", "segments"),
    ):
        rows = [json.loads(line) for line in (job.out / name).read_text().splitlines()]
        assert len(rows) == 5 and all(key in row for row in rows)
    info = json.loads((job.out / "llamafactory" / "dataset_info.json").read_text())["selftaught"]
    rows = json.loads((job.out / "llamafactory" / info["file_name"]).read_text())
    assert [turn[info["tags"]["role_tag"]] for turn in rows[0]["conversations"]] == ["human", "gpt"]
    card = (job.out / "README.md").read_text()
    assert card.startswith("---\n") and "| tool | 0 |" in card


def test_mistakes_are_named(job: Export) -> None:
    with pytest.raises(ConfigError, match="jsonl"):
        export(["jsonl"], job)
    with pytest.raises(DataError, match="p0"):
        export(["trl"], Export(job.kept, job.out, job.policy, {}))


def test_parquet_is_token_exact(job: Export) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    export(["parquet"], job)
    rows = parquet.read_table(job.out / "tokenized" / "train.parquet").to_pylist()
    ids = [ord(c) for _, text in PIECES for c in text]
    wanted = [ord(c) if source in ("model", "hint") else -100 for source, text in PIECES for c in text]
    assert len(rows) == 5 and rows[0]["input_ids"] == ids and rows[0]["labels"] == wanted


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tokenized/train.parquet", "trl/train.jsonl", "sharegpt/train.jsonl"])
def test_datasets_loads_them(job: Export, name: str, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    pytest.importorskip("pyarrow")
    export(["parquet", "trl", "sharegpt"], job)
    kind = "parquet" if name.endswith("parquet") else "json"
    loaded = datasets.load_dataset(
        kind, data_files=str(job.out / name), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert len(loaded) == 5


@pytest.mark.slow
def test_trl_trains_a_step_on_the_token_ids_as_they_are(job: Export, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    export(["parquet"], job)
    rows = datasets.load_dataset(
        "parquet",
        data_files=str(job.out / "tokenized" / "train.parquet"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    config = Qwen2Config(
        vocab_size=256, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, intermediate_size=32,
        max_position_embeddings=512,
    )  # fmt: skip
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"<unk>": 0, "<eos>": 1}, unk_token="<unk>")),
        eos_token="<eos>",
        pad_token="<eos>",
    )
    args = trl.SFTConfig(
        output_dir=str(tmp_path / "trl"), max_steps=1, per_device_train_batch_size=2, max_length=None, report_to="none", use_cpu=True,
        save_strategy="no", bf16=False,
    )  # fmt: skip
    trainer = trl.SFTTrainer(Qwen2ForCausalLM(config), args=args, train_dataset=rows, processing_class=tokenizer)
    batch = next(iter(trainer.get_train_dataloader()))
    ids = [ord(c) for _, text in PIECES for c in text]
    wanted = [ord(c) if source in ("model", "hint") else -100 for source, text in PIECES for c in text]
    assert batch["input_ids"][0].tolist() == ids and batch["labels"][0].tolist() == wanted
    trainer.train()
