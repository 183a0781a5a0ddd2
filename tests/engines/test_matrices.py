"""Layouts of one weight give one product; processes that share a memory file hold it once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from selftaught.engines.matrices import PrivateStore, SharedStore, Store, _Halved, survives_half
from selftaught.engines.model import Prefill, SlotModel
from selftaught.engines.tiny import make_tiny_model


@pytest.fixture
def memory_file() -> Iterator[str]:
    descriptor = os.memfd_create("test-weights")
    yield f"/proc/{os.getpid()}/fd/{descriptor}"
    os.close(descriptor)


def products(store: Store, weight: torch.Tensor, bias: torch.Tensor, rows: torch.Tensor) -> list[torch.Tensor]:
    found = [store.matrix(lambda: weight)(rows), store.matrix(lambda: weight, lambda: bias)(rows)]
    store.close()
    return found


@pytest.mark.parametrize("num_rows", [1, 7, 40])
def test_every_layout_gives_the_same_product(memory_file: str, num_rows: int) -> None:
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(48, 32, generator=generator), torch.randn(48, generator=generator)
    rows = torch.randn(num_rows, 32, generator=generator)
    plain = products(PrivateStore(packed=False), weight, bias, rows)
    assert torch.allclose(plain[1], rows @ weight.t() + bias, atol=1e-5)
    layouts = [lambda: PrivateStore(packed=True), *[lambda: SharedStore(memory_file, 1 << 20, torch.float32)] * 2]
    for layout in layouts:  # opened one after another: the second of a shared one waits for the first
        for ours, theirs in zip(products(layout(), weight, bias, rows), plain, strict=True):
            assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_second_process_makes_nothing(memory_file: str) -> None:
    first = SharedStore(memory_file, 1 << 20, torch.float32)
    kept = [first.put(lambda: torch.arange(6.0).view(2, 3)), first.put(lambda: torch.ones(4, dtype=torch.bfloat16))]
    first.close()
    second = SharedStore(memory_file, 1 << 20, torch.float32)
    found = [second.put(lambda: pytest.fail("made again")) for _ in kept]
    second.close()
    assert all(torch.equal(one, other) and one.dtype is other.dtype for one, other in zip(kept, found, strict=True))


def test_a_first_process_that_dies_leaves_the_work_to_the_next(memory_file: str) -> None:
    script = (
        "import os, sys, torch; from selftaught.engines.matrices import SharedStore\n"
        f"store = SharedStore({memory_file!r}, 1 << 20, torch.float32)\n"
        "store.put(lambda: torch.zeros(3))\n"
        "os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    store = SharedStore(memory_file, 1 << 20, torch.float32)
    assert torch.equal(store.put(lambda: torch.ones(3)), torch.ones(3))
    store.close()


def test_a_shared_model_says_the_same(tmp_path: Path, memory_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selftaught.engines.matrices.LARGE_BYTES", 0)
    folder = make_tiny_model(tmp_path, family="qwen3")
    private = SlotModel(folder, 2)
    shared = [SlotModel(folder, 2, share=memory_file) for _ in range(2)]
    ask = [Prefill(0, 0, list(range(50)))]
    expected = private.prefill(ask)
    for model in shared:
        assert torch.allclose(model.prefill(ask), expected, atol=2e-3, rtol=1e-4)
    assert torch.equal(shared[0].prefill(ask), shared[1].prefill(ask))


@pytest.mark.parametrize("num_rows", [1, 7, 40])
@pytest.mark.parametrize("num_outputs", [48, 20_000])
def test_half_precision_loses_nothing_of_bfloat16_weights(num_rows: int, num_outputs: int) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(num_outputs, 32, generator=generator).bfloat16().float()
    bias, rows = torch.randn(num_outputs, generator=generator), torch.randn(num_rows, 32, generator=generator)
    store = PrivateStore(packed=True, halved=True)
    assert survives_half(weight)
    assert isinstance(store.matrix(lambda: weight), _Halved)
    for ours, theirs in zip(
        products(store, weight, bias, rows), products(PrivateStore(packed=False), weight, bias, rows), strict=True
    ):
        assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("value", [1e5, 1.0001, float("inf"), float("nan")])
def test_a_weight_that_half_precision_cuts_keeps_its_own(value: float) -> None:
    weight = torch.ones(4, 4)
    weight[1, 2] = value
    store = PrivateStore(packed=True, halved=True)
    assert not survives_half(weight)
    assert not isinstance(store.matrix(lambda: weight), _Halved)
