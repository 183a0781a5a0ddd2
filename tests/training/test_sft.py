"""Fine-tuning: deterministic, resumable to the same weights, packing without cross-talk, the saved folder loads anywhere."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from selftaught.errors import ConfigError, DataError
from selftaught.training.render import IGNORE_INDEX, TrainingRow
from selftaught.training.settings import SftSettings

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

SETTINGS = SftSettings(
    learning_rate=1e-3,
    epochs=2,
    global_batch_size=4,
    micro_batch_size=4,
    max_length=128,
    precision="float32",
    save_every_steps=3,
)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen2 of a few thousand parameters."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=64, max_position_embeddings=256, tie_word_embeddings=True,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_text('{"stands": "for a tokenizer"}')
    return folder


class Stop(BaseException):
    """What ends a training in its middle."""


def stop_at_five(done: int, total: int) -> None:
    """A ``progress`` that ends the training after five steps."""
    if done == 5:
        raise Stop


def make_rows(count: int = 18, seed: int = 0) -> list[TrainingRow]:
    rng = random.Random(seed)
    made = []
    for number in range(count):
        start, n = rng.randrange(8), rng.randrange(10, 40)
        ids = [8 + (start + 3 * i) % 48 for i in range(n)]
        made.append(TrainingRow(str(number), ids, [IGNORE_INDEX] * 4 + ids[4:]))
    return made


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def assert_same(a: Path, b: Path, tolerance: float = 0.0) -> None:
    one, two = weights(a), weights(b)
    assert one.keys() == two.keys()
    for name in one:
        assert torch.allclose(one[name], two[name], atol=tolerance, rtol=0), name


def losses(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    return [row["loss"] for row in rows]


def test_it_learns_and_the_folder_loads(base: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    from selftaught.training.sft import train_sft

    settings = SETTINGS.model_copy(update={"epochs": 12, "learning_rate": 1e-2})
    seen: list[tuple[int, int]] = []
    summary = train_sft(
        make_rows(), base, tmp_path / "out", settings, progress=lambda done, total: seen.append((done, total))
    )
    curve = losses(tmp_path / "out")
    assert curve[0] > 4 > 1 > curve[-1]
    assert seen[-1] == (summary.num_steps, summary.num_steps) and summary.num_steps == len(curve) == 54
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (base / "tokenizer.json").read_bytes()
    assert not (tmp_path / "out" / "checkpoints").exists()
    assert "full-parameter" in (tmp_path / "out" / "README.md").read_text()
    AutoModelForCausalLM.from_pretrained(tmp_path / "out")


def test_same_seed_same_weights_and_resume_too(base: Path, tmp_path: Path) -> None:
    from selftaught.training.sft import train_sft

    train_sft(make_rows(), base, tmp_path / "whole", SETTINGS)
    train_sft(make_rows(), base, tmp_path / "again", SETTINGS)
    assert_same(tmp_path / "whole", tmp_path / "again")
    train_sft(make_rows(), base, tmp_path / "other", SETTINGS.model_copy(update={"seed": 1}))
    assert losses(tmp_path / "other") != losses(tmp_path / "whole")

    with pytest.raises(Stop):
        train_sft(make_rows(), base, tmp_path / "broken", SETTINGS, progress=stop_at_five)
    torn = tmp_path / "broken" / "checkpoints" / "checkpoint-99"
    torn.mkdir()
    (torn / "model.safetensors").write_bytes(b"torn")
    train_sft(make_rows(), base, tmp_path / "broken", SETTINGS)
    assert_same(tmp_path / "whole", tmp_path / "broken")
    assert losses(tmp_path / "broken") == losses(tmp_path / "whole")


def test_micro_batches_and_processes_do_not_change_the_loss(base: Path, tmp_path: Path) -> None:
    from selftaught.training.sft import train_sft

    train_sft(make_rows(), base, tmp_path / "four", SETTINGS)
    train_sft(make_rows(), base, tmp_path / "one", SETTINGS.model_copy(update={"micro_batch_size": 1}))
    assert losses(tmp_path / "one") == pytest.approx(losses(tmp_path / "four"), abs=1e-4)


def test_packing_has_no_cross_talk(base: Path, tmp_path: Path) -> None:
    """Logits of packed rows equal those of each row alone."""
    from transformers import AutoModelForCausalLM

    from selftaught.training.batches import collate_packed

    for attention in ("eager", "sdpa"):
        model = AutoModelForCausalLM.from_pretrained(base, attn_implementation=attention).eval()
        rows = make_rows(5)
        batch = collate_packed([rows])
        with torch.no_grad():
            packed = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits[0]
            at = 0
            for row in rows:
                alone = model(input_ids=torch.tensor([row.input_ids])).logits[0]
                assert torch.allclose(packed[at : at + len(row.input_ids)], alone, atol=1e-5)
                at += len(row.input_ids)


def test_packed_training_sees_every_row(base: Path, tmp_path: Path) -> None:
    from selftaught.training.sft import train_sft

    settings = SETTINGS.model_copy(update={"packing": True, "global_batch_size": 1, "micro_batch_size": 1, "epochs": 1})
    summary = train_sft(make_rows(), base, tmp_path / "out", settings)
    assert summary.num_rows == 18 and summary.num_steps < 9


def test_what_cannot_be_met_is_said(base: Path, tmp_path: Path) -> None:
    from selftaught.training.sft import train_sft

    with pytest.raises(DataError, match="no rows"):
        train_sft([], base, tmp_path / "x", SETTINGS)
    with pytest.raises(DataError, match="at most max_length 16"):
        train_sft(make_rows(), base, tmp_path / "x", SETTINGS.model_copy(update={"max_length": 16}))
    with pytest.raises(ConfigError, match="multiple of 4"):
        train_sft(make_rows(), base, tmp_path / "x", SETTINGS.model_copy(update={"global_batch_size": 6}))
    with pytest.raises(ConfigError, match="expected 2"):
        train_sft(make_rows(), base, tmp_path / "x", SETTINGS.model_copy(update={"expect_world_size": 2}))
    with pytest.raises(ConfigError, match="zero3"):
        train_sft(make_rows(), base, tmp_path / "x", SETTINGS.model_copy(update={"expect_sharding": "zero3"}))


@pytest.mark.slow
def test_a_base_without_all_its_weights_is_refused(base: Path, tmp_path: Path) -> None:
    """An untied output matrix that is missing would be filled with random numbers."""
    from selftaught.training.sft import train_sft

    broken = tmp_path / "broken"
    shutil.copytree(base, broken)
    config = json.loads((broken / "config.json").read_text()) | {"tie_word_embeddings": False}
    (broken / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match=r"broken lacks lm_head\.weight; expected all weights"):
        train_sft(make_rows(4), broken, tmp_path / "out", SETTINGS)


def test_killed_at_random_points_it_ends_with_the_same_weights(base: Path, tmp_path: Path) -> None:
    from selftaught.training.sft import train_sft

    settings = SETTINGS.model_copy(update={"epochs": 10, "save_every_steps": 5})
    train_sft(make_rows(), base, tmp_path / "whole", settings)
    script = (
        "import sys; sys.path.insert(0, sys.argv[3])\n"
        "from pathlib import Path\n"
        "from selftaught.training.sft import train_sft\n"
        "from selftaught.training.settings import SftSettings\n"
        "from selftaught.training.render import TrainingRow\n"
        "import json\n"
        "rows = [TrainingRow(*r) for r in json.loads(Path(sys.argv[2]).read_text())]\n"
        f"train_sft(rows, {str(base)!r}, Path(sys.argv[1]), SftSettings.model_validate_json({settings.model_dump_json()!r}))\n"
    )
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([[r.id, r.input_ids, r.labels] for r in make_rows()]))
    out = tmp_path / "killed"
    rng = random.Random(0)
    command = [sys.executable, "-c", script, str(out), str(rows), str(Path(__file__).parents[2] / "src")]
    for _ in range(2):
        process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
        while not (out / "metrics.jsonl").exists() and process.poll() is None:
            time.sleep(0.05)
        time.sleep(rng.random() * 1.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True)
    assert_same(tmp_path / "whole", out)
    assert losses(out) == losses(tmp_path / "whole")


def test_the_saved_folder_has_the_number_type_of_the_base(base: Path, tmp_path: Path) -> None:
    """Trained in float32; a server that reads float32 from the folder would go on to float16."""
    import shutil

    from transformers import AutoConfig, AutoModelForCausalLM

    from selftaught.training.sft import save_as_base, train_sft

    half = tmp_path / "half"
    AutoModelForCausalLM.from_pretrained(base).to(torch.bfloat16).save_pretrained(half)
    for folder, wanted in ((base, torch.float32), (half, torch.bfloat16)):
        train_sft(make_rows(), folder, tmp_path / f"out-{wanted.itemsize}", SETTINGS)
        out = tmp_path / f"out-{wanted.itemsize}"
        assert {tensor.dtype for tensor in weights(out).values()} == {wanted}
        assert AutoConfig.from_pretrained(out).dtype == wanted
        assert weights(out).keys() == weights(folder).keys()
    one, two = tmp_path / "out-2", tmp_path / "out-4"
    assert losses(one)[0] == pytest.approx(losses(two)[0], abs=1e-2) and losses(one)[-1] < losses(one)[0]
    shutil.copytree(two, tmp_path / "sharded")
    AutoModelForCausalLM.from_pretrained(two).save_pretrained(tmp_path / "sharded", max_shard_size="20KB")
    (tmp_path / "sharded" / "model.safetensors").unlink()
    save_as_base(half, tmp_path / "sharded")
    index = json.loads((tmp_path / "sharded" / "model.safetensors.index.json").read_text())
    stored = sum(tensor.numel() for tensor in weights(two).values()) * 2
    assert index["metadata"]["total_size"] == stored
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "sharded", dtype="auto").dtype == torch.bfloat16
