"""Reads the weights of a Qwen2, Qwen3 or Llama model into fused tensors for the slot engine.

The three families differ in little: Qwen2 has biases on q, k, v; Qwen3 normalises q and k per head; Llama 3 rescales
the rotary frequencies. A tensor that is missing, too many or of another shape is an error, never ignored.
Shapes: see `selftaught.engines.shape`.
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selftaught.engines.dtype import keeps_half
from selftaught.engines.shape import ModelShape
from selftaught.errors import EngineError
from selftaught.tokens.weight_files import StoredTensor, stored_tensors, weight_files

if TYPE_CHECKING:
    import torch

    from selftaught.engines.matrices import Make, Matrix, Store

_BUFFERS = re.compile(r".*\.(rotary_emb\.inv_freq|attn\.bias|attn\.masked_bias)")
"""Tables that old versions of transformers saved with the weights; they are computed."""


@dataclass(slots=True)
class LayerWeights:
    """One layer. ``qkv`` gives [T, (H+2K)·D], ``gate_up`` [T, 2M], ``out`` and ``down`` [T, C]."""

    norm1_C: torch.Tensor
    qkv: Matrix
    q_norm_D: torch.Tensor | None
    k_norm_D: torch.Tensor | None
    out: Matrix
    norm2_C: torch.Tensor
    gate_up: Matrix
    down: Matrix


@dataclass(slots=True)
class Weights:
    """A whole model, fused. ``head`` gives [T, V]."""

    embed_VC: torch.Tensor
    """May be of the stored number type: rows are looked up, then converted."""
    layers: list[LayerWeights]
    norm_C: torch.Tensor
    head: Matrix


def load_weights(folder: Path, shape: ModelShape, dtype: torch.dtype, device: str, share: str | None = None) -> Weights:
    """Read the weights of ``folder`` (`weight_files` says which files). EngineError names the tensor that does not fit.

    ``share``: a memory file that other processes with the same model open, too (`selftaught.engines.matrices`).
    """
    from selftaught.engines.matrices import LARGE_BYTES, PrivateStore, SharedStore
    from selftaught.heap import give_back_freed_memory

    files = weight_files(folder)
    tensors = _Tensors(files, shape, str(folder), dtype, device)
    num_bytes = sum(file.stat().st_size for file in files)
    is_large = device == "cpu" and num_bytes > LARGE_BYTES
    store: Store
    if share and is_large:
        store = SharedStore(share, 4 * num_bytes, dtype)
    else:
        store = PrivateStore(is_large, halved=is_large and keeps_half(folder, str(dtype).removeprefix("torch.")))
    try:
        return _fuse(tensors, store)
    finally:
        store.close()
        if is_large:
            give_back_freed_memory()


class _Tensors:
    """Named tensors of a model's files. Each is read when it is wanted, and crossed off, so that what is left over shows."""

    def __init__(self, files: list[Path], shape: ModelShape, where: str, dtype: torch.dtype, device: str) -> None:
        self.shape, self.where, self.dtype, self.device = shape, where, dtype, device
        self._stored = stored_tensors(files)
        self._left = set(self._stored)

    def __contains__(self, name: str) -> bool:
        return name in self._stored

    def size(self, name: str) -> tuple[int, ...]:
        """The axes of a tensor. EngineError if it is missing."""
        if name not in self._stored:
            raise EngineError(f"{self.where}: tensor {name} is missing; expected a {self.shape.family} model.")
        return self._stored[name].shape

    def take(self, name: str, *size: int, as_stored: bool = False) -> Make:
        """How to make the tensor ``name``, which must be there and have the given size. EngineError otherwise."""
        there = self.size(name)
        if there != size:
            raise EngineError(f"{self.where}: tensor {name} is {list(there)}; config.json asks for {list(size)}.")
        self._left.discard(name)

        def make() -> torch.Tensor:
            return _mapped(self._stored[name]).to(device=self.device, dtype=None if as_stored else self.dtype)

        return make

    def join(self, *makes: Make) -> Make:
        """How to make one tensor of several, one below the other."""
        import torch

        return lambda: torch.cat([make() for make in makes])

    def ignore(self, name: str) -> None:
        """A tensor that may be there and is not used."""
        self._left.discard(name)

    def check_empty(self) -> None:
        """EngineError if a tensor was not used: the model would run, and compute something else."""
        left = sorted(name for name in self._left if not _BUFFERS.fullmatch(name))
        if left:
            raise EngineError(
                f"{self.where}: tensor {left[0]} and {len(left) - 1} more have no place in the {self.shape.family} model "
                f"that config.json describes."
            )


def _mapped(stored: StoredTensor) -> torch.Tensor:
    """A tensor in its file's own pages: they are read when they are used, and the system may drop them again."""
    import torch

    types = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16, "F64": torch.float64}
    if stored.dtype not in types:
        raise EngineError(f"{stored.file}: number type {stored.dtype} cannot be used; expected {', '.join(types)}.")
    start = stored.start - stored.start % mmap.ALLOCATIONGRANULARITY
    with stored.file.open("rb") as file:
        # Private and writable, though never written to: torch warns of memory that it may not write.
        pages = mmap.mmap(
            file.fileno(),
            stored.end - start,
            flags=mmap.MAP_PRIVATE,
            prot=mmap.PROT_READ | mmap.PROT_WRITE,
            offset=start,
        )
    count = (stored.end - stored.start) // types[stored.dtype].itemsize
    return torch.frombuffer(pages, dtype=types[stored.dtype], count=count, offset=stored.start - start).view(
        stored.shape
    )


def _fuse(tensors: _Tensors, store: Store) -> Weights:
    """The named tensors as the engine multiplies them: q, k, v in one matrix, gate and up in one."""
    shape, take, join = tensors.shape, tensors.take, tensors.join
    hidden, dim = shape.hidden, shape.head_dim
    layers = []
    for index in range(shape.num_layers):
        at = f"model.layers.{index}."
        parts = [(f"{at}self_attn.{part}_proj.", heads * dim) for part, heads in _heads(shape)]
        has_bias = f"{parts[0][0]}bias" in tensors
        has_norms = shape.family == "qwen3"
        inner = tensors.size(at + "mlp.down_proj.weight")[-1]
        layers.append(
            LayerWeights(
                norm1_C=store.put(take(at + "input_layernorm.weight", hidden)),
                qkv=store.matrix(
                    join(*[take(f"{part}weight", width, hidden) for part, width in parts]),
                    join(*[take(f"{part}bias", width) for part, width in parts]) if has_bias else None,
                ),
                q_norm_D=store.put(take(at + "self_attn.q_norm.weight", dim)) if has_norms else None,
                k_norm_D=store.put(take(at + "self_attn.k_norm.weight", dim)) if has_norms else None,
                out=store.matrix(take(at + "self_attn.o_proj.weight", hidden, shape.num_heads * dim)),
                norm2_C=store.put(take(at + "post_attention_layernorm.weight", hidden)),
                gate_up=store.matrix(
                    join(*[take(f"{at}mlp.{part}_proj.weight", inner, hidden) for part in ("gate", "up")])
                ),
                down=store.matrix(take(at + "mlp.down_proj.weight", hidden, inner)),
            )
        )
    size = (shape.vocab_size, hidden)
    if shape.tied:
        tensors.ignore("lm_head.weight")  # some folders save the tied matrix twice
        head_name = "model.embed_tokens.weight"
    elif "lm_head.weight" in tensors:
        head_name = "lm_head.weight"
    else:
        raise EngineError(
            f"{tensors.where}: tensor lm_head.weight is missing, and config.json does not say tie_word_embeddings; "
            "expected the output matrix. Fetch the weights again, or mend config.json if the model is tied."
        )
    embed = store.put(take("model.embed_tokens.weight", *size, as_stored=True))
    head = store.matrix(take(head_name, *size))
    norm = store.put(take("model.norm.weight", hidden))
    tensors.check_empty()
    return Weights(embed_VC=embed, layers=layers, norm_C=norm, head=head)


def _heads(shape: ModelShape) -> tuple[tuple[str, int], ...]:
    return (("q", shape.num_heads), ("k", shape.num_kv_heads), ("v", shape.num_kv_heads))
