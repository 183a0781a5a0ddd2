"""Whether this CPU multiplies bfloat16 fast: what ``auto`` means for engines and for training where there is no GPU.

"Fast" is measured, not looked up: one product in both types, about 50 ms. A CPU without the instructions (AVX512-BF16,
AMX) computes bfloat16 several times slower than float32; it is not asked at all, so that nothing heavy is imported for it.
"""

from __future__ import annotations

import functools
import platform
import time
from pathlib import Path

_FAST_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "avx10_2", "bf16", "svebf16"})
"""In ``/proc/cpuinfo``: x86 (Intel, AMD) and Arm."""
_WORTH = 1.2
"""How much faster bfloat16 must be: it is less exact."""


@functools.cache
def cpu_flags() -> frozenset[str]:
    """Which of the instructions that make bfloat16 fast this CPU names; empty where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return frozenset()
    named = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return _FAST_FLAGS.intersection(named.partition(":")[2].split())


@functools.cache
def is_bfloat16_fast() -> bool:
    """Whether this CPU multiplies bfloat16 clearly faster than float32."""
    return bool(cpu_flags()) and measure_bfloat16() >= _WORTH


def measure_bfloat16() -> float:
    """How many times faster a product of a decoding step is in bfloat16 than in float32, on one thread of this CPU."""
    import torch

    def seconds(dtype: torch.dtype) -> float:
        rows, matrix = torch.ones(32, 1024, dtype=dtype), torch.ones(4096, 1024, dtype=dtype)
        best = float("inf")
        for _ in range(4):
            started = time.perf_counter()
            torch.nn.functional.linear(rows, matrix)
            best = min(best, time.perf_counter() - started)
        return best

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return seconds(torch.float32) / seconds(torch.bfloat16)
    finally:
        torch.set_num_threads(threads)


def describe_cpu() -> str:
    """One line for ``selftaught doctor``: what ``auto`` means here for a model that is stored in bfloat16."""
    flags = ", ".join(sorted(cpu_flags()))
    if not flags:
        return f"float32 (this {platform.machine()} CPU has no fast bfloat16: no AVX512-BF16, no AMX)"
    speed = measure_bfloat16()
    chosen = "bfloat16" if speed >= _WORTH else "float32"
    return f"{chosen} (bfloat16 is {speed:.1f}× as fast as float32; {flags})"
