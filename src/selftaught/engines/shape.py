"""What ``config.json`` says of a network, and the one legend of tensor shapes for the engine's files.

Names of tensors end in their axes:

B rows that decode · T tokens of one pass · W slots of the window that decodes · S slots of the cache · N columns (positions)
of the cache · P positions of the rotary table · L layers · C hidden size · H query heads · K key/value heads · G = H/K ·
D head size · M inner size of the MLP · V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selftaught.errors import EngineError
from selftaught.tokens.files import read_json_object

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
        if not path.is_file():
            raise EngineError(f"{path} is missing; expected a model folder.")
        return cls.of(read_json_object(path), str(path))

    @classmethod
    def of(cls, config: dict[str, Any], where: str) -> ModelShape:
        """From a configuration; ``where`` it stands is for messages."""
        family = str(config.get("model_type"))
        layer_types = set(config.get("layer_types") or ["full_attention"])
        if family not in FAMILIES or config.get("use_sliding_window") or layer_types != {"full_attention"}:
            raise UnsupportedArchitecture(
                f"{where}: model_type {family!r} is not one of {', '.join(FAMILIES)} with full attention."
            )
        if (
            config.get("mlp_bias")
            or (family == "llama" and config.get("attention_bias"))
            or config.get("hidden_act") != "silu"
        ):
            raise UnsupportedArchitecture(f"{where}: biases or activation not known to the slot engine.")
        try:
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
                inv_freq=tuple(_inverse_frequencies(config, head_dim, where)),
            )
        except KeyError as error:
            raise EngineError(f"{where} has no {error}; expected a {family} configuration.") from None


def _inverse_frequencies(config: dict[str, Any], head_dim: int, where: str) -> list[float]:
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
    raise UnsupportedArchitecture(f"{where}: rope_type {kind!r} is not known to the slot engine.")
