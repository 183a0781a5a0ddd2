"""Which number type a local model runs in when nobody says: ``auto``.

A model that is stored in float32 stays in float32, always: the embedded reasoner's tokens depend on it. A model that is
stored in bfloat16 runs in bfloat16 where the processor multiplies it fast, else in float32, which holds every bfloat16
number exactly. A model that is stored in float16 runs in float16 on a GPU and in float32 on a CPU: bfloat16 would cut its numbers.

"Fast" is measured (`selftaught.processor`).
"""

from __future__ import annotations

import platform
from pathlib import Path

from selftaught.errors import ConfigError
from selftaught.processor import is_bfloat16_fast
from selftaught.tokens.files import read_json_object
from selftaught.tokens.weight_files import find_weight_files, stored_types

AUTO = "auto"
DTYPES = ("float32", "bfloat16", "float16")
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


def takes_two_bytes(folder: Path, dtype: str) -> bool:
    """Whether a weight takes two bytes of memory on a CPU, whatever its products are computed in."""
    return keeps_half(folder, dtype) or resolve_dtype(dtype, folder, "cpu") != "float32"


def stored_dtype(folder: Path) -> str:
    """The number type of the weights in ``folder``, by their files; else by ``config.json``; else float32."""
    files = find_weight_files(folder)
    types = {_NAMES.get(kind, "float32") for file in files[:1] for kind in stored_types(file)}
    if types:
        return next(name for name in DTYPES if name in types)
    config = read_json_object(folder / "config.json")
    named = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    return named if named in DTYPES else "float32"


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _gpu_has_bfloat16() -> bool:
    import torch

    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
