"""Reads the weights of a Qwen2, Qwen3 or Llama model into fused tensors for the slot engine.

The three families differ in little: Qwen2 has biases on q, k, v; Qwen3 normalises q and k per head; Llama 3 rescales
the rotary frequencies. A tensor that is missing, too many or of another shape is an error, never ignored.
Shapes: see `selftaught.engines.shape`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selftaught.engines.shape import ModelShape
from selftaught.errors import EngineError
from selftaught.tokens.weight_files import weight_files

if TYPE_CHECKING:
    import torch

_BUFFERS = re.compile(r".*\.(rotary_emb\.inv_freq|attn\.bias|attn\.masked_bias)")
"""Tables that old versions of transformers saved with the weights; they are computed."""


@dataclass(slots=True)
class LayerWeights:
    """One layer. ``qkv`` is [(H+2K)·D, C], ``gate_up`` [2M, C]."""

    norm1_C: torch.Tensor
    qkv: torch.Tensor
    qkv_bias: torch.Tensor | None
    q_norm_D: torch.Tensor | None
    k_norm_D: torch.Tensor | None
    out: torch.Tensor
    norm2_C: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


@dataclass(slots=True)
class Weights:
    """A whole model, fused."""

    embed_VC: torch.Tensor
    layers: list[LayerWeights]
    norm_C: torch.Tensor
    head_VC: torch.Tensor


def load_weights(folder: Path, shape: ModelShape, dtype: torch.dtype, device: str) -> Weights:
    """Read the weights of ``folder`` (`weight_files` says which files). EngineError names the tensor that does not fit."""
    tensors = {name: tensor.to(device=device, dtype=dtype) for name, tensor in _tensors(folder)}
    return fuse(_Taken(tensors, shape, str(folder)))


class _Taken:
    """Tensors by name that are taken out one by one, so that what is left over shows."""

    def __init__(self, tensors: dict[str, torch.Tensor], shape: ModelShape, where: str) -> None:
        self.tensors, self.shape, self.where = tensors, shape, where

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def take(self, name: str, *size: int) -> torch.Tensor:
        """The tensor ``name`` of the given size. EngineError if it is missing or has another one."""
        try:
            tensor = self.tensors.pop(name)
        except KeyError:
            raise EngineError(
                f"{self.where}: tensor {name} is missing; expected a {self.shape.family} model."
            ) from None
        if tuple(tensor.shape) != size:
            raise EngineError(
                f"{self.where}: tensor {name} is {list(tensor.shape)}; config.json asks for {list(size)}."
            )
        return tensor

    def width(self, name: str) -> int:
        """The last axis of the tensor ``name``: a size that only the weights say."""
        if name not in self.tensors:
            self.take(name)
        return int(self.tensors[name].shape[-1])

    def check_empty(self) -> None:
        """EngineError if a tensor was not used: the model would run, and compute something else."""
        left = sorted(name for name in self.tensors if not _BUFFERS.fullmatch(name))
        if left:
            raise EngineError(
                f"{self.where}: tensor {left[0]} and {len(left) - 1} more have no place in the {self.shape.family} model "
                f"that config.json describes."
            )


def fuse(taken: _Taken) -> Weights:
    """The named tensors as the engine multiplies them: q, k, v in one matrix, gate and up in one."""
    import torch

    shape, take = taken.shape, taken.take
    hidden, dim = shape.hidden, shape.head_dim
    layers = []
    for index in range(shape.num_layers):
        at = f"model.layers.{index}."
        parts = [(f"{at}self_attn.{part}_proj.", heads * dim) for part, heads in _heads(shape)]
        has_bias = f"{parts[0][0]}bias" in taken
        has_norms = shape.family == "qwen3"
        inner = taken.width(at + "mlp.down_proj.weight")
        layers.append(
            LayerWeights(
                norm1_C=take(at + "input_layernorm.weight", hidden),
                qkv=torch.cat([take(f"{part}weight", width, hidden) for part, width in parts]),
                qkv_bias=torch.cat([take(f"{part}bias", width) for part, width in parts]) if has_bias else None,
                q_norm_D=take(at + "self_attn.q_norm.weight", dim) if has_norms else None,
                k_norm_D=take(at + "self_attn.k_norm.weight", dim) if has_norms else None,
                out=take(at + "self_attn.o_proj.weight", hidden, shape.num_heads * dim),
                norm2_C=take(at + "post_attention_layernorm.weight", hidden),
                gate_up=torch.cat([take(f"{at}mlp.{part}_proj.weight", inner, hidden) for part in ("gate", "up")]),
                down=take(at + "mlp.down_proj.weight", hidden, inner),
            )
        )
    embed = take("model.embed_tokens.weight", shape.vocab_size, hidden)
    if shape.tied:
        taken.tensors.pop("lm_head.weight", None)  # some folders save the tied matrix twice
        head = embed
    elif "lm_head.weight" in taken:
        head = take("lm_head.weight", shape.vocab_size, hidden)
    else:
        raise EngineError(
            f"{taken.where}: tensor lm_head.weight is missing, and config.json does not say tie_word_embeddings; "
            "expected the output matrix. Fetch the weights again, or mend config.json if the model is tied."
        )
    norm = take("model.norm.weight", hidden)
    taken.check_empty()
    return Weights(embed_VC=embed, layers=layers, norm_C=norm, head_VC=head)


def _heads(shape: ModelShape) -> tuple[tuple[str, int], ...]:
    return (("q", shape.num_heads), ("k", shape.num_kv_heads), ("v", shape.num_kv_heads))


def _tensors(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    for file in weight_files(folder):
        try:
            yield from load_file(file).items()
        except SafetensorError as error:
            raise EngineError(f"{file} is no whole safetensors file ({error}); fetch it again.") from None
