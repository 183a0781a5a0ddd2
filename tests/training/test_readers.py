"""Exports read by the trainers that they are for: datasets, TRL, Axolotl, LLaMA-Factory; one step on each that TRL reads.

Each test needs its trainer and skips without it. Axolotl and LLaMA-Factory pin other versions of transformers than ours, so
they live in an environment of their own; their readers alone need few of their dependencies (``docs/hint-rft.md``).
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import pytest

from selftaught.curation.records import Facts, KeptRow
from selftaught.records import Outcome, ProblemKind, Span, SpanSource, StopReason, Trajectory
from selftaught.store import read_jsonl, write_records
from selftaught.training.exports import Export, export, turn_of
from selftaught.training.render import LossPolicy, render

pytest.importorskip("transformers")
pytestmark = pytest.mark.slow

QUESTIONS = ["What is 6 * 7?", "What is 7 * 7?", "What is 8 * 7?", "What is 9 * 7?"]


def optional(name: str) -> Any:
    """A module of another trainer, or a skip that says what is missing."""
    # Asked for by name in a test only, so that its settings stay out of the other tests.
    os.environ.setdefault("AXOLOTL_DO_NOT_TRACK", "1")
    os.environ.setdefault("DISABLE_VERSION_CHECK", "1")
    try:
        return importlib.import_module(name)
    except ImportError as error:
        return pytest.skip(f"{name.partition('.')[0]} cannot be imported: {error}")


@pytest.fixture(scope="module")
def folder() -> Path:
    from selftaught.toy import model_path

    return model_path()


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def trajectory(tokenizer: Any, number: int) -> Trajectory:
    """A run with a hint, a call and an answer, as a rollout stores it."""
    a, question = 6 + number, QUESTIONS[number]
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
    )
    pieces = [
        ("prompt", prompt), ("model", f"I multiply {a} by 7.\nWait"), ("hint", ", maybe Python can check it.\n```python\n"),
        ("model", f"print({a} * 7)\n```\n"), ("tool", f"```output\n{a * 7}\n```\n"),
        ("model", f"It is {a * 7}.\n</think>\nThe answer is \\boxed{{{a * 7}}}.<|im_end|>"),
    ]  # fmt: skip
    spans = [
        Span(source=SpanSource(source), token_ids=tokenizer.encode(text, add_special_tokens=False), text=text)
        for source, text in pieces
    ]
    return Trajectory(id=f"p{number}#0", problem_id=f"p{number}", spans=spans, stop_reason=StopReason.ANSWERED)


@pytest.fixture
def job(tmp_path: Path, tokenizer: Any) -> Export:
    facts = Facts(
        outcome=Outcome.CORRECT, correct=True, num_tokens=90, num_model_tokens=50, num_calls=1, num_errors=0, num_hints=1,
        last_call_ok=True,
    )  # fmt: skip
    rows = [
        KeptRow(dataset="d_seed", source="s", kind=ProblemKind.MATH, facts=facts, why="", trajectory=trajectory(tokenizer, i))
        for i in range(4)
    ]  # fmt: skip
    write_records(tmp_path / "kept.jsonl", rows)
    return Export(tmp_path / "kept.jsonl", tmp_path / "out", LossPolicy(), {f"p{i}": QUESTIONS[i] for i in range(4)})


def trajectories(job: Export) -> list[Trajectory]:
    return [row.trajectory for row in read_jsonl(job.kept, KeptRow)]


def seen(one: Trajectory) -> str:
    return "".join(span.text for span in one.spans)


def loss_text(tokenizer: Any, labels: list[int]) -> str:
    return str(tokenizer.decode([label for label in labels if label != -100]))


def load(kind: str, path: Path, cache: Path) -> Any:
    """The file as `datasets` reads it, and TRL after it."""
    datasets = optional("datasets")
    return datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=str(cache))


def trained_a_step(rows: Any, folder: Path, tokenizer: Any, out: Path, **own: Any) -> dict[str, Any]:
    """TRL's trainer on the embedded reasoner: its first batch, after one step with a finite loss."""
    trl = optional("trl")
    from transformers import AutoModelForCausalLM

    args = trl.SFTConfig(
        output_dir=str(out), max_steps=1, per_device_train_batch_size=4, max_length=None, report_to="none", use_cpu=True,
        save_strategy="no", bf16=False, disable_tqdm=True, **own,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_pretrained(folder)
    before = model.model.layers[0].mlp.up_proj.weight.detach().clone()
    trainer = trl.SFTTrainer(model, args=args, train_dataset=rows, processing_class=tokenizer)
    batch: dict[str, Any] = next(iter(trainer.get_train_dataloader()))
    loss = trainer.train().training_loss
    assert 0 < loss < 20
    assert not before.equal(model.model.layers[0].mlp.up_proj.weight)
    return batch


def rows_of(batch: dict[str, Any]) -> list[tuple[list[int], list[int]]]:
    """(ids, labels) of a padded batch without its padding."""
    mask = batch["attention_mask"] if "attention_mask" in batch else batch["input_ids"] >= 0
    return [
        (ids[keep.bool()].tolist(), labels[keep.bool()].tolist())
        for ids, labels, keep in zip(batch["input_ids"], batch["labels"], mask, strict=True)
    ]


def test_trl_trains_on_the_parquet_as_it_is(job: Export, folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    optional("pyarrow")
    export(["parquet"], job)
    rows = load("parquet", job.out / "tokenized" / "train.parquet", tmp_path / "cache")
    batch = trained_a_step(rows, folder, tokenizer, tmp_path / "trl")
    wanted = [render(t, job.policy) for t in trajectories(job)]
    assert sorted(rows_of(batch)) == sorted((row.input_ids, row.labels) for row in wanted)


def test_trl_trains_on_prompt_and_completion(job: Export, folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    export(["trl"], job)
    rows = load("json", job.out / "trl" / "train.jsonl", tmp_path / "cache")
    batch = trained_a_step(rows, folder, tokenizer, tmp_path / "trl")
    texts = sorted(tokenizer.decode(ids) for ids, _ in rows_of(batch))
    assert texts == sorted(f"{seen(t)}\n" for t in trajectories(job)), "the text that the model saw, and the turn's end"
    for _, labels in rows_of(batch):
        trained = loss_text(tokenizer, labels)
        assert "What is" not in trained and "```output" in trained, (
            "the whole assistant turn has loss, as the card says"
        )


def test_trl_takes_the_roles_of_sharegpt_as_they_stand(
    job: Export, folder: Path, tokenizer: Any, tmp_path: Path
) -> None:
    """It trains, but ``human`` and ``gpt`` go into the chat template unchanged: ShareGPT is for trainers that map roles."""
    export(["sharegpt"], job)
    rows = load("json", job.out / "sharegpt" / "train.jsonl", tmp_path / "cache")
    batch = trained_a_step(rows, folder, tokenizer, tmp_path / "trl")
    texts = sorted(tokenizer.decode(ids) for ids, _ in rows_of(batch))
    renamed = {"user": "human", "assistant": "gpt"}
    wanted = [f"{seen(t)}\n" for t in trajectories(job)]
    for role, other in renamed.items():
        wanted = [text.replace(f"<|im_start|>{role}\n", f"<|im_start|>{other}\n") for text in wanted]
    assert texts == sorted(wanted)


def test_axolotl_reads_its_segments(
    job: Export, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own loader and strategy, from the stanza that the export writes to the ids and labels that it would train on."""
    shared, wrappers = optional("axolotl.utils.data.shared"), optional("axolotl.utils.data.wrappers")
    settings = optional("axolotl.utils.dict").DictDefault
    import yaml

    export(["axolotl"], job)
    monkeypatch.chdir(job.out / "axolotl")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    stanza = yaml.safe_load(Path("dataset.yaml").read_text())
    config = settings({**stanza, "sequence_len": 2048, "dataset_num_proc": 1})
    dataset_config = settings(stanza["datasets"][0])
    raw = shared.load_dataset_with_config(dataset_config, use_auth_token=False)
    raw = raw["train"] if "train" in raw else raw  # noqa: SIM401 - a Dataset has no get
    wrapped, _ = wrappers.get_dataset_wrapper(
        dataset_config=dataset_config, tokenizer=tokenizer, cfg=config, dataset_base_type=stanza["datasets"][0]["type"],
        dataset=raw,
    )  # fmt: skip
    rows = list(wrapped)
    assert len(rows) == 4
    for row, one in zip(rows, trajectories(job), strict=True):
        wanted = render(one, job.policy)
        assert tokenizer.decode(row["input_ids"]) == seen(one)
        assert loss_text(tokenizer, row["labels"]) == loss_text(tokenizer, wanted.labels)
        assert row["input_ids"] == wanted.input_ids and row["labels"] == wanted.labels


def test_axolotl_takes_the_parquet_as_it_is(
    job: Export, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that hold ids, labels and a mask are ready in its eyes: nothing is encoded anew."""
    shared, wrappers = optional("axolotl.utils.data.shared"), optional("axolotl.utils.data.wrappers")
    settings = optional("axolotl.utils.dict").DictDefault

    export(["parquet"], job)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    path = str(job.out / "tokenized" / "train.parquet")
    config = settings({"path": path, "ds_type": "parquet", "type": None, "split": "train"})
    raw = shared.load_dataset_with_config(config, use_auth_token=False)
    raw = raw["train"] if "train" in raw else raw  # noqa: SIM401 - a Dataset has no get
    rows, _ = wrappers.get_dataset_wrapper(
        dataset_config=config,
        tokenizer=tokenizer,
        cfg=settings({"sequence_len": 2048}),
        dataset_base_type=None,
        dataset=raw,
    )
    wanted = [render(t, job.policy) for t in trajectories(job)]
    assert [(row["input_ids"], row["labels"]) for row in rows] == [(row.input_ids, row.labels) for row in wanted]


@pytest.mark.parametrize("template_name", ["qwen", "qwen3"])
def test_llamafactory_reads_its_folder(job: Export, folder: Path, template_name: str, tmp_path: Path) -> None:
    """Its own loader, from ``dataset_info.json`` to the ids and labels that it would train on."""
    loader, templates = optional("llamafactory.data.loader"), optional("llamafactory.data.template")
    arguments = optional("llamafactory.hparams")
    from transformers import AutoTokenizer, Seq2SeqTrainingArguments

    export(["llamafactory"], job)
    data = arguments.DataArguments(
        dataset="selftaught", dataset_dir=str(job.out / "llamafactory"), template=template_name, cutoff_len=2048,
        preprocessing_num_workers=None, overwrite_cache=True,
    )  # fmt: skip
    model = arguments.ModelArguments(model_name_or_path=str(folder), cache_dir=str(tmp_path / "cache"))
    training = Seq2SeqTrainingArguments(output_dir=str(tmp_path / "lf"), use_cpu=True, report_to="none")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    template = templates.get_template_and_fix_tokenizer(tokenizer, data)
    module = loader.get_dataset(template, model, data, training, "sft", tokenizer)
    rows = list(module["train_dataset"])
    assert len(rows) == 4
    for row, one in zip(rows, trajectories(job), strict=True):
        question = QUESTIONS[int(one.problem_id[1:])]
        text, trained = tokenizer.decode(row["input_ids"]), loss_text(tokenizer, row["labels"])
        assert f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n<think>\n" in text
        assert trained.strip() == f"{turn_of(one, question).answer}<|im_end|>", "the whole thinking, tool output too"
