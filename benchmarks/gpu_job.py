"""What the parts of ``gpu.py`` share: the job, the clock, the memory, and models to measure with.

Seconds are wall time, the GPU being waited for before and after. Tokens are those of the rows; no padding counts.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

PEAK_TFLOPS = {  # data sheets, dense products in bfloat16 with sums in float32; the first name that fits counts
    "GB200": 2500,
    "B200": 2250,
    "GH200": 989,
    "H200 NVL": 835,
    "H200": 989,
    "H100 NVL": 835,
    "H100 PCIe": 756,
    "H100": 989,
    "A100": 312,
    "A30": 165,
    "A10G": 70,
    "A10": 125,
    "L40S": 362,
    "L40": 181,
    "L4": 121,
    "RTX 4090": 165,
    "RTX 3090": 71,
}
QWEN_1_5B = {
    "vocab_size": 151_936,
    "hidden_size": 1536,
    "num_hidden_layers": 28,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "intermediate_size": 8960,
}
QWEN_SMALL = {
    "vocab_size": 2048,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
}


@dataclass(frozen=True)
class Job:
    """What a part is asked to do, and where its figures go."""

    small: bool
    given: str | None
    scratch: Path
    deadline: float
    """On ``time.monotonic``'s clock."""
    note: Callable[..., None]

    @property
    def device(self) -> str:
        """Where to measure."""
        return "cuda" if torch.cuda.is_available() else "cpu"

    def has_time(self, seconds: float) -> bool:
        """Whether so much is left; small sizes always fit."""
        return self.small or time.monotonic() + seconds < self.deadline

    def toy(self) -> Path:
        """The embedded reasoner, or a random model of its shape."""
        from rollout import model_folder

        return model_folder(None, self.scratch)

    def large(self) -> tuple[str, Path]:
        """The given model; else a random Qwen2 of 1.5 B parameters in bfloat16, made once. Its name and folder."""
        if self.given:
            return Path(self.given).name, Path(self.given)
        folder = self.scratch / "large"
        if not (folder / "made").exists():
            make_qwen2(folder, QWEN_SMALL if self.small else QWEN_1_5B, self.device)
            (folder / "made").touch()
        return "random small" if self.small else "random 1.5 B", folder


def make_qwen2(folder: Path, shape: dict[str, int], device: str) -> None:
    """A randomly initialised Qwen2 with a small tokenizer, in bfloat16."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from selftaught.engines.tiny import write_tokenizer

    write_tokenizer(folder)
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            config = Qwen2Config(**shape, max_position_embeddings=32_768, tie_word_embeddings=True)
            Qwen2ForCausalLM(config).save_pretrained(folder)
    finally:
        torch.set_default_dtype(before)
        free_memory()


def free_memory() -> None:
    """Give memory back, and forget its peak."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_gb() -> float:
    """Most memory that tensors took since `free_memory`: on the GPU; without one, of the whole process since its start."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 1e9, 2)
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2)


def now() -> float:
    """Wall time with all queued work done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the GPU's memory was too small, also where the engine or a library has wrapped the error."""
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower()


def first_that_fits(job: Job, sizes: Iterable[int], work: Callable[[int], None], **what: Any) -> None:
    """``work`` with the first size that fits into memory; each one that does not is noted."""
    for size in sizes:
        free_memory()
        try:
            work(size)
            return
        except Exception as error:
            if not is_out_of_memory(error):
                job.note(**what, size=size, error=f"{type(error).__name__}: {str(error).strip()[:200]}")
                return
        job.note(**what, size=size, left_out="out of memory")  # outside: the error holds the tensors


def matmul_tflops(job: Job) -> float:
    """The best of some large products."""
    size = 64 if job.small else 8192
    one = torch.randn(size, size, device=job.device, dtype=torch.bfloat16)
    best = float("inf")
    for _ in range(5):
        started = now()
        for _ in range(4 if job.small else 20):
            torch.mm(one, one)
        best = min(best, (now() - started) / (4 if job.small else 20))
    return 2 * size**3 / best / 1e12


def sheet_tflops(name: str) -> int | None:
    """The data sheet's peak of a chip with this name."""
    return next((tflops for part, tflops in PEAK_TFLOPS.items() if part in name), None)
