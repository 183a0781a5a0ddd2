"""Which files of a model folder hold its weights: one set, or an error that names what is wrong.

A folder may hold more than a model's weights: adapters, optimizer state, another format's copy. Only these count:
``model.safetensors.index.json`` and the shards that it names, or ``model.safetensors``, or a whole numbered set
``model-00001-of-00003.safetensors`` …, or else the only ``*.safetensors`` file. Two sets are taken for one if they hold
the same bytes; otherwise nobody can know which one is meant. Only headers are read here (safetensors: eight bytes of
length, then JSON), so neither torch nor safetensors is needed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selftaught.errors import EngineError
from selftaught.tokens.files import read_json_object

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
_NUMBERED = re.compile(r"model-(\d+)-of-(\d+)\.safetensors")
_BLOCK = 1 << 24


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where one tensor lies: bytes ``start:end`` of ``file``."""

    file: Path
    dtype: str
    """As safetensors names it: ``F32``, ``BF16``, ``F16``, …"""
    shape: tuple[int, ...]
    start: int
    end: int


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the model's weights. EngineError when there are none, or two sets that disagree."""
    found = find_weight_files(folder)
    if not found:
        others = sorted(path.name for path in folder.glob("*.bin")) if folder.is_dir() else []
        beside = f"; {others[0]} is in a format that is not read here" if others else ""
        raise EngineError(f"{folder} has no model*.safetensors file; expected model weights{beside}.")
    return found


def find_weight_files(folder: Path) -> list[Path]:
    """As `weight_files`, and empty when there are no safetensors weights."""
    index, single = folder / INDEX, folder / SINGLE
    if index.is_file():
        shards = _indexed(index)
        if single.is_file() and single not in shards:
            _refuse_unless_equal(index, shards, single)
        return shards
    if single.is_file():
        return [single]
    return _numbered(folder) or _only_one(folder)


def stored_tensors(files: list[Path]) -> dict[str, StoredTensor]:
    """All tensors of ``files`` by name. EngineError when a file is cut or is something else."""
    found: dict[str, StoredTensor] = {}
    for file in files:
        found |= _header(file)
    return found


def stored_types(file: Path) -> dict[str, int]:
    """Number type of safetensors (``BF16``, ``F32``, …) → how many elements of a file have it."""
    counts: dict[str, int] = {}
    for tensor in _header(file).values():
        num = 1
        for axis in tensor.shape:
            num *= axis
        counts[tensor.dtype] = counts.get(tensor.dtype, 0) + num
    return counts


def _indexed(index: Path) -> list[Path]:
    """The shards that an index names; each must be there and hold what the index says."""
    weight_map = read_json_object(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise EngineError(f"{index} has no 'weight_map'; expected tensor names and their files.")
    shards = sorted({index.parent / str(name) for name in weight_map.values()})
    for shard in shards:
        if not shard.is_file():
            raise EngineError(f"{index} names {shard.name}, which is not there; expected every shard beside the index.")
    held = {shard: _header(shard) for shard in shards}
    for name, file in weight_map.items():
        if name not in held[index.parent / str(file)]:
            raise EngineError(f"{index} says that {file} holds {name}; it does not.")
    return shards


def _numbered(folder: Path) -> list[Path]:
    """A whole set of numbered shards whose index is missing."""
    matches = [
        (path, match)
        for path in sorted(folder.glob("model-*.safetensors"))
        if (match := _NUMBERED.fullmatch(path.name))
    ]
    if not matches:
        return []
    totals = {int(match[2]) for _, match in matches}
    numbers = [int(match[1]) for _, match in matches]
    if len(totals) > 1 or numbers != list(range(1, max(totals) + 1)):
        names = ", ".join(path.name for path, _ in matches)
        raise EngineError(f"{folder} holds {names} and no {INDEX}; expected one whole set of shards.")
    return [path for path, _ in matches]


def _only_one(folder: Path) -> list[Path]:
    """A single file of another name, unless there are several to choose from."""
    others = sorted(
        path for path in folder.glob("*.safetensors") if not path.name.startswith(("adapter_", "optimizer"))
    )
    if len(others) > 1:
        raise EngineError(
            f"{folder} holds {', '.join(path.name for path in others)}; expected {SINGLE} or {INDEX} to say which are the weights."
        )
    return others


def _refuse_unless_equal(index: Path, shards: list[Path], single: Path) -> None:
    sharded = stored_tensors(shards)
    alone = _header(single)
    different = sorted(sharded.keys() ^ alone.keys()) or [
        name for name, one in sharded.items() if not _same_bytes(one, alone[name])
    ]
    if different:
        raise EngineError(
            f"{index.parent} holds two sets of weights that disagree, {index.name} with its {len(shards)} shards and "
            f"{single.name} ({different[0]} differs); expected one. Remove the one that is out of date."
        )


def _same_bytes(one: StoredTensor, other: StoredTensor) -> bool:
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    with one.file.open("rb") as a, other.file.open("rb") as b:
        a.seek(one.start)
        b.seek(other.start)
        left = one.end - one.start
        while left > 0:
            size = min(left, _BLOCK)
            if a.read(size) != b.read(size):
                return False
            left -= size
    return True


def _header(file: Path) -> dict[str, StoredTensor]:
    """The tensors of a safetensors file by name. EngineError when it is cut or is something else."""
    try:
        with file.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            total = file.stat().st_size
            if not 2 <= size <= total - 8:
                raise ValueError(f"{total} bytes do not hold a header of {size}")
            content: dict[str, Any] = json.loads(stream.read(size))
        found = {}
        for name, about in content.items():
            if name != "__metadata__":
                start, end = about["data_offsets"]
                found[name] = StoredTensor(
                    file, about["dtype"], tuple(about["shape"]), 8 + size + start, 8 + size + end
                )
        if any(tensor.end > total for tensor in found.values()):
            raise ValueError("its end is missing")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"{file} is no whole safetensors file ({error}); fetch it again.") from None
    return found
