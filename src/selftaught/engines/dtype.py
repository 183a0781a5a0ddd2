"""Which number type a local model runs in when nobody says: ``auto``.

A model that is stored in float32 stays in float32, always: the embedded reasoner's tokens depend on it. A model that is
stored in bfloat16 runs in bfloat16 where the processor multiplies it fast, else in float32, which holds every bfloat16
number exactly. A model that is stored in float16 runs in float16 on a GPU and in float32 on a CPU: bfloat16 would cut its numbers.

"Fast" is measured, not looked up: one product in both types, about 50 ms. A CPU without the instructions (AVX512-BF16,
AMX) computes bfloat16 several times slower than float32; it is not asked at all, so that nothing heavy is imported for it.
"""

from __future__ import annotations

import functools
import platform
import time
from pathlib import Path

from selftaught.errors import ConfigError
from selftaught.tokens.files import read_json_object
from selftaught.tokens.weight_files import find_weight_files, stored_types

AUTO = "auto"
DTYPES = ("float32", "bfloat16", "float16")
_FAST_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "avx10_2", "bf16", "svebf16"})
"""In ``/proc/cpuinfo``: x86 (Intel, AMD) and Arm."""
_WORTH = 1.2
"""How much faster bfloat16 must be: it is less exact."""
_NAMES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16", "F64": "float32"}


def resolve_dtype(dtype: str, folder: Path, device: str | None = None) -> str:
    """The number type that ``dtype`` means for the model in ``folder``; anything but ``auto`` is kept. ConfigError if unknown."""
    if dtype != AUTO:
        if dtype not in DTYPES:
            raise ConfigError(f"dtype is {dtype!r}; expected {AUTO}, {', '.join(DTYPES)}.")
        return dtype
    stored = stored_dtype(folder)
    if stored == "float32":
        return "float32"
    if device is None:
        device = "cuda" if _has_cuda() else "cpu"
    if device != "cpu":
        return stored if stored == "float16" else "bfloat16" if _gpu_has_bfloat16() else "float32"
    return "bfloat16" if stored == "bfloat16" and is_bfloat16_fast() else "float32"


def keeps_half(folder: Path, dtype: str) -> bool:
    """Whether the engine keeps these weights in half precision: stored in 16 bits, multiplied in float32 on an x86 CPU."""
    return dtype == "float32" and platform.machine() in ("x86_64", "AMD64") and stored_dtype(folder) != "float32"


def stored_dtype(folder: Path) -> str:
    """The number type of the weights in ``folder``, by their files; else by ``config.json``; else float32."""
    files = find_weight_files(folder)
    types = {_NAMES.get(kind, "float32") for file in files[:1] for kind in stored_types(file)}
    if types:
        return next(name for name in DTYPES if name in types)
    config = read_json_object(folder / "config.json")
    named = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    return named if named in DTYPES else "float32"


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


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _gpu_has_bfloat16() -> bool:
    import torch

    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
