"""Writes a GGUF file's model folder, once, into the user's cache.

Quantised weights are dequantised to bfloat16, float16 and float32 ones stay what they are. Llama files hold the rows of
q and k in the order of llama.cpp's rotation; they are put back. The folder appears under its name only when it is
whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selftaught.errors import EngineError, MissingPartError
from selftaught.tokens.gguf.config import ROPE_FACTORS, config_of, tensor_name
from selftaught.tokens.gguf.header import GgufHeader, GgufTensor, read_header
from selftaught.tokens.gguf.vocabulary import end_ids_of, tokenizer_of

if TYPE_CHECKING:
    import numpy as np

_F32, _F16, _BF16 = 0, 1, 30
"""Number types of ggml that are not quantised."""
_BYTES = {"F32": 4, "F16": 2, "BF16": 2}
_NAMES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_FORMAT = 1
"""Raised when the folder is written in another way: old ones are then not used."""


def gguf_folder(path: Path) -> Path:
    """The model folder of a GGUF file.

    EngineError with the reason if the model is not known here or the file is damaged.
    """
    if not path.is_file():
        raise EngineError(f"{path} is not there; expected a .gguf file.")
    folder = _cache() / f"{path.stem}-{_digest(path)}"
    if (folder / "config.json").is_file():
        return folder
    header = read_header(path)
    dtype = _common_type(header)
    spec, tokenizer_config = tokenizer_of(header)
    factors = header.tensors.get(ROPE_FACTORS)
    rope = [float(one) for one in _array(header, factors)] if factors is not None else None
    vocab_size = header.tensors["token_embd.weight"].size[0] if "token_embd.weight" in header.tensors else 0
    config = config_of(header, vocab_size, _NAMES[dtype], rope)
    _write_folder(
        header,
        folder,
        {**_tokenizer_files(header, spec, tokenizer_config), "config.json": config},
        lambda place: _write_weights(header, place / "model.safetensors", dtype),
    )
    return folder


def gguf_tokenizer_folder(path: Path) -> Path:
    """A folder with the tokenizer, the chat template and the end tokens of a GGUF file, without its weights.

    For a model that a server runs. Its network may be one that is not known here. EngineError as for `gguf_folder`.
    """
    if not path.is_file():
        raise EngineError(f"{path} is not there; expected a .gguf file.")
    whole = _cache() / f"{path.stem}-{_digest(path)}"
    if (whole / "config.json").is_file():
        return whole
    folder = whole.with_name(f"{whole.name}-tokenizer")
    if not (folder / "tokenizer.json").is_file():
        header = read_header(path)
        spec, tokenizer_config = tokenizer_of(header)
        _write_folder(header, folder, _tokenizer_files(header, spec, tokenizer_config), lambda place: None)
    return folder


def _tokenizer_files(header: GgufHeader, spec: dict[str, Any], tokenizer_config: dict[str, Any]) -> dict[str, Any]:
    """All that `selftaught.tokens.Codec` reads, by file name."""
    return {
        "tokenizer.json": spec,
        "tokenizer_config.json": tokenizer_config,
        "generation_config.json": {"eos_token_id": end_ids_of(header)},
    }


def _write_folder(header: GgufHeader, folder: Path, files: dict[str, Any], write_more: Callable[[Path], None]) -> None:
    """The folder appears under its name only when it is whole."""
    template = header.values.get("tokenizer.chat_template")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            write_more(temporary)
            for name, value in files.items():
                (temporary / name).write_text(json.dumps(value, ensure_ascii=False), "utf-8")
            if isinstance(template, str):
                (temporary / "chat_template.jinja").write_text(template, "utf-8")
            if not folder.exists():
                os.rename(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise EngineError(
            f"{header.path} could not be written as a folder into {folder.parent} ({error}); set SELFTAUGHT_CACHE to a place with room."
        ) from None


def _cache() -> Path:
    named = os.environ.get("SELFTAUGHT_CACHE")
    base = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "selftaught"
    return base / "gguf"


def _digest(path: Path) -> str:
    """By size, beginning and end: a file of gigabytes is not read for it."""
    size = path.stat().st_size
    hashed = hashlib.sha256(f"{_FORMAT}:{size}:".encode())
    with path.open("rb") as file:
        hashed.update(file.read(1 << 22))
        file.seek(max(0, size - (1 << 22)))
        hashed.update(file.read())
    return hashed.hexdigest()[:12]


def _common_type(header: GgufHeader) -> str:
    """The number type of the folder: what the matrices have; bfloat16 when they are quantised."""
    kinds = {tensor.kind for tensor in header.tensors.values() if len(tensor.size) > 1}
    return "F32" if kinds == {_F32} else "F16" if kinds <= {_F16, _F32} else "BF16"


def _write_weights(header: GgufHeader, path: Path, dtype: str) -> None:
    """One safetensors file, tensor by tensor, so that one tensor is in memory at a time."""
    named: dict[str, GgufTensor] = {}
    for tensor in header.tensors.values():
        name = tensor_name(tensor.name)
        if name is not None:
            named[name] = tensor
        elif tensor.name != ROPE_FACTORS:
            raise EngineError(
                f"{header.path}: tensor {tensor.name} has no place in a {header.architecture} model here."
            )
    about, at = {}, 0
    for name, tensor in named.items():
        length = _BYTES[dtype]
        for axis in tensor.size:
            length *= axis
        about[name] = {"dtype": dtype, "shape": list(tensor.size), "data_offsets": [at, at + length]}
        at += length
    text = json.dumps({"__metadata__": {"format": "pt"}, **about}).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for piece in _pieces(header, named, dtype):
            file.write(piece)


def _pieces(header: GgufHeader, named: dict[str, GgufTensor], dtype: str) -> Iterator[bytes]:
    for name, tensor in named.items():
        array = _array(header, tensor)
        if header.architecture == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
            heads = header.own("attention.head_count")
            array = _rotation_undone(array, header.own("attention.head_count_kv", heads) if "k_proj" in name else heads)
        yield _as_bytes(array, dtype)


def _rotation_undone(array: np.ndarray, num_heads: int) -> np.ndarray:
    """llama.cpp interleaves the two halves of each head; here they follow each other."""
    rows, columns = array.shape
    return array.reshape(num_heads, rows // num_heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _as_bytes(array: np.ndarray, dtype: str) -> bytes:
    import numpy as np

    if dtype == "F32":
        return array.astype("<f4").tobytes()
    if dtype == "F16":
        return array.astype("<f2").tobytes()
    bits = np.ascontiguousarray(array, dtype="<f4").view(np.uint32)
    # Round to the nearest, ties to even, as every other conversion to bfloat16 does.
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()


def _array(header: GgufHeader, tensor: GgufTensor) -> np.ndarray:
    """A tensor as float32."""
    import numpy as np

    try:
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
        from gguf.quants import dequantize
    except ImportError:
        raise MissingPartError("a .gguf model needs the gguf package; pip install 'selftaught[local]'.") from None
    count = int(np.prod(tensor.size))
    try:
        kind = GGMLQuantizationType(tensor.kind)
        per_block, block_bytes = GGML_QUANT_SIZES[kind]
        num_bytes = count // per_block * block_bytes
        raw = np.memmap(header.path, np.uint8, "r", tensor.offset, (num_bytes,))
        found: np.ndarray = dequantize(raw.reshape(*tensor.size[:-1], -1), kind)
        return found.astype(np.float32, copy=False).reshape(tensor.size)
    except (KeyError, NotImplementedError):
        raise EngineError(
            f"{header.path}: {tensor.name} has number type {tensor.kind}, which cannot be read."
        ) from None
    except (ValueError, OSError) as error:
        raise EngineError(f"{header.path} is cut or damaged at {tensor.name} ({error}); fetch it again.") from None
