"""``benchmarks/gpu.py`` without a GPU: the parts at tiny sizes, and what happens when one fails, hangs or needs too much memory."""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("torch")
FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    monkeypatch.syspath_prepend(str(FOLDER))
    return {name: importlib.import_module(name) for name in ("gpu", "gpu_job", "gpu_parts", "gpu_sft")}


def test_machine_and_engine_give_figures(modules: dict[str, ModuleType], tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = []
    job = modules["gpu_job"].Job(True, None, tmp_path, time.monotonic(), lambda **row: rows.append(row))
    modules["gpu_parts"].machine(job)
    assert all(row["value"] for row in rows) and len(rows) >= 6
    rows.clear()
    modules["gpu_parts"].engine_speed(job, *job.large(), 2)
    assert rows[0]["rows"] == 2 and rows[0]["prefill_tokens_per_s"] > 0 and rows[0]["decode_tokens_per_s"] > 0


def test_weights_are_counted_as_transformers_counts_them(modules: dict[str, ModuleType]) -> None:
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    shape = modules["gpu_job"].QWEN_SMALL
    config = Qwen2Config(**shape, tie_word_embeddings=True)
    with torch.device("meta"):
        model = Qwen2ForCausalLM(config)
    counted = sum(weight.numel() for name, weight in model.named_parameters() if weight.dim() > 1)
    assert modules["gpu_sft"].num_weights(config.to_dict()) == counted


def test_too_little_memory_takes_the_next_smaller_size(modules: dict[str, ModuleType], tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = []
    job = modules["gpu_job"].Job(True, None, tmp_path, time.monotonic(), lambda **row: rows.append(row))

    def work(size: int) -> None:
        if size > 8:
            raise RuntimeError("the local engine failed: OutOfMemoryError: CUDA out of memory. Tried to allocate 3 GiB")
        job.note(size=size, fits=True)

    modules["gpu_job"].first_that_fits(job, (32, 16, 8, 4), work, model="m")
    assert [row.get("left_out") for row in rows] == ["out of memory", "out of memory", None]
    assert rows[-1] == {"size": 8, "fits": True}
    rows.clear()
    modules["gpu_job"].first_that_fits(job, (2, 1), lambda size: 1 // 0, model="m")
    assert len(rows) == 1 and rows[0]["error"].startswith("ZeroDivisionError")


@pytest.mark.parametrize(
    "kind, state", [("good", "done"), ("late", "out of time"), ("bad", "failed"), ("partly", "failed in part")]
)
def test_a_part_that_fails_or_hangs_is_written_down(
    kind: str, state: str, modules: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def part(job: Any) -> None:
        job.note(figure=1.5)
        if kind == "late":
            time.sleep(60)
        if kind == "bad":
            raise ValueError("no kernel image is available")
        if kind == "partly":
            job.note(error="a size failed")

    gpu = modules["gpu"]
    monkeypatch.setitem(modules["gpu_parts"].PARTS, "machine", part)
    options = argparse.Namespace(small=True, model=None)
    found = gpu.measure(
        "machine", options, tmp_path, -4.0 if kind == "late" else 60.0, multiprocessing.get_context("fork")
    )
    assert found["state"] == state and found["rows"][0] == {"figure": 1.5}
    if kind == "bad":
        assert found["rows"][1] == {"error": "ValueError: no kernel image is available"}
    result = {"command": "c", "finished_at": "now", "parts": {"machine": found}}
    gpu.write(result, tmp_path)
    assert json.loads((tmp_path / "gpu.json").read_text()) == result
    text = (tmp_path / "gpu.md").read_text()
    assert "| figure |\n|---|\n| 1.5 |" in text and (state == "done") == ("This part" not in text)


def test_without_a_gpu_it_says_so(
    modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["gpu.py", "--out", str(tmp_path / "out")])
    assert modules["gpu"].main() == 3
    assert "sees no GPU" in capsys.readouterr().err and not (tmp_path / "out").exists()
