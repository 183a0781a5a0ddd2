"""Reads a Qwen2, Qwen3 or Llama model folder into fused tensors for the slot engine.

The three families differ in little: Qwen2 has biases on q, k, v; Qwen3 normalises q and k per head; Llama 3 rescales
the rotary frequencies. Everything else (sliding windows, mixtures, other rotary schemes) is refused with
`UnsupportedArchitecture`, and `load_engine` then falls back to transformers.

Shapes: C hidden, H query heads, K key/value heads, D head size, M inner size, V vocabulary.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selftaught.errors import EngineError

if TYPE_CHECKING:
    import torch

FAMILIES = ("qwen2", "qwen3", "llama")


class UnsupportedArchitecture(EngineError):
    """The local slot engine cannot run this model; transformers may."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What ``config.json`` says, under the names used here."""

    family: str
    num_layers: int
    hidden: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    vocab_size: int
    norm_eps: float
    max_context: int
    tied: bool
    inv_freq: tuple[float, ...]

    @classmethod
    def read(cls, folder: Path) -> ModelShape:
        """From ``folder/config.json``; UnsupportedArchitecture for what is not known here."""
        path = folder / "config.json"
        try:
            config: dict[str, Any] = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise EngineError(f"{path} cannot be read ({error}); expected a model folder.") from None
        family = str(config.get("model_type"))
        layer_types = set(config.get("layer_types") or ["full_attention"])
        if family not in FAMILIES or config.get("use_sliding_window") or layer_types != {"full_attention"}:
            raise UnsupportedArchitecture(
                f"{path}: model_type {family!r} is not one of {', '.join(FAMILIES)} with full attention."
            )
        if (
            config.get("mlp_bias")
            or (family == "llama" and config.get("attention_bias"))
            or config.get("hidden_act") != "silu"
        ):
            raise UnsupportedArchitecture(f"{path}: biases or activation not known to the slot engine.")
        heads = int(config["num_attention_heads"])
        head_dim = int(config.get("head_dim") or config["hidden_size"] // heads)
        return cls(
            family=family,
            num_layers=int(config["num_hidden_layers"]),
            hidden=int(config["hidden_size"]),
            num_heads=heads,
            num_kv_heads=int(config.get("num_key_value_heads") or heads),
            head_dim=head_dim,
            vocab_size=int(config["vocab_size"]),
            norm_eps=float(config.get("rms_norm_eps", 1e-6)),
            max_context=int(config.get("max_position_embeddings", 2048)),
            tied=bool(config.get("tie_word_embeddings", False)),
            inv_freq=tuple(_inverse_frequencies(config, head_dim, path)),
        )


def _inverse_frequencies(config: dict[str, Any], head_dim: int, path: Path) -> list[float]:
    rope = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    theta = float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0)
    kind = rope.get("rope_type") or rope.get("type") or "default"
    base = [theta ** (-2 * i / head_dim) for i in range(head_dim // 2)]
    if kind == "default":
        return base
    if kind == "linear":
        return [frequency / float(rope["factor"]) for frequency in base]
    if kind == "llama3":
        factor, original = float(rope["factor"]), float(rope["original_max_position_embeddings"])
        low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
        scaled = []
        for frequency in base:
            turns = original * frequency / (2 * math.pi)
            smooth = min(1.0, max(0.0, (turns - low) / (high - low)))
            scaled.append((1 - smooth) * frequency / factor + smooth * frequency)
        return scaled
    raise UnsupportedArchitecture(f"{path}: rope_type {kind!r} is not known to the slot engine.")


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
    """Read all safetensors files of ``folder``."""
    import torch

    tensors = {name: tensor.to(device=device, dtype=dtype) for name, tensor in _tensors(folder)}

    def take(name: str) -> torch.Tensor:
        try:
            return tensors.pop(name)
        except KeyError:
            raise EngineError(f"{folder}: tensor {name} is missing; expected a {shape.family} model.") from None

    layers = []
    for index in range(shape.num_layers):
        at = f"model.layers.{index}."
        q, k, v = (f"{at}self_attn.{part}_proj." for part in "qkv")
        bias = torch.cat([take(f"{part}bias") for part in (q, k, v)]) if f"{q}bias" in tensors else None
        has_norms = shape.family == "qwen3"
        layers.append(
            LayerWeights(
                norm1_C=take(at + "input_layernorm.weight"),
                qkv=torch.cat([take(f"{part}weight") for part in (q, k, v)]),
                qkv_bias=bias,
                q_norm_D=take(at + "self_attn.q_norm.weight") if has_norms else None,
                k_norm_D=take(at + "self_attn.k_norm.weight") if has_norms else None,
                out=take(at + "self_attn.o_proj.weight"),
                norm2_C=take(at + "post_attention_layernorm.weight"),
                gate_up=torch.cat([take(at + "mlp.gate_proj.weight"), take(at + "mlp.up_proj.weight")]),
                down=take(at + "mlp.down_proj.weight"),
            )
        )
    embed = take("model.embed_tokens.weight")
    head = embed if shape.tied or "lm_head.weight" not in tensors else take("lm_head.weight")
    return Weights(embed_VC=embed, layers=layers, norm_C=take("model.norm.weight"), head_VC=head)


def _tensors(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    from safetensors.torch import load_file

    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise EngineError(f"{folder} has no *.safetensors file; expected model weights.")
    for file in files:
        yield from load_file(file).items()
