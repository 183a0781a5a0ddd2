"""What a GGUF header says of the network, as ``config.json`` says it, and the names of its tensors."""

from __future__ import annotations

import math
from typing import Any

from selftaught.errors import EngineError
from selftaught.tokens.gguf.header import GgufHeader

ARCHITECTURES = {"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM", "llama": "LlamaForCausalLM"}

_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_WHOLE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
ROPE_FACTORS = "rope_freqs.weight"
"""Llama 3's rescaling of the rotary frequencies, one factor each; it becomes a setting of ``config.json``."""


def tensor_name(name: str) -> str | None:
    """The Hugging Face name of a GGUF tensor; None for one that has no place in these networks."""
    base, _, kind = name.rpartition(".")
    if base in _WHOLE:
        return f"{_WHOLE[base]}.{kind}"
    parts = base.split(".")
    if len(parts) == 3 and parts[0] == "blk" and parts[1].isdigit() and parts[2] in _LAYER:
        return f"model.layers.{parts[1]}.{_LAYER[parts[2]]}.{kind}"
    return None


def config_of(header: GgufHeader, vocab_size: int, dtype: str, rope_factors: list[float] | None) -> dict[str, Any]:
    """``config.json``. EngineError with the reason where the architecture is unknown."""
    name, own = header.architecture, header.own
    if name not in ARCHITECTURES:
        raise EngineError(
            f"{header.path}: architecture {name!r} is not known here; expected {', '.join(ARCHITECTURES)}. "
            "Use the model's folder in the Hugging Face layout, or serve the file and give the server's address."
        )
    if own("expert_count"):
        raise EngineError(f"{header.path}: a mixture of {own('expert_count')} experts is not known here.")
    needed = ("block_count", "embedding_length", "feed_forward_length", "attention.head_count", "context_length")
    for key in needed:
        if not isinstance(own(key), int):
            raise EngineError(f"{header.path}: {name}.{key} is {own(key)!r}; expected a number.")
    heads = own("attention.head_count")
    config: dict[str, Any] = {
        "architectures": [ARCHITECTURES[name]],
        "model_type": name,
        "hidden_size": own("embedding_length"),
        "num_hidden_layers": own("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": own("attention.head_count_kv", heads),
        "head_dim": own("attention.key_length", own("embedding_length") // heads),
        "intermediate_size": own("feed_forward_length"),
        "vocab_size": vocab_size,
        "hidden_act": "silu",
        "rms_norm_eps": own("attention.layer_norm_rms_epsilon", 1e-6),
        "max_position_embeddings": own("context_length"),
        "rope_theta": own("rope.freq_base", 10_000.0),
        "tie_word_embeddings": "output.weight" not in header.tensors,
        "use_sliding_window": False,
        "dtype": dtype,
    }
    scaling = _rope_scaling(header, rope_factors)
    if scaling:
        config["rope_scaling"] = scaling
    for ours, theirs in (("bos", "bos"), ("eos", "eos"), ("pad", "padding")):
        config[f"{ours}_token_id"] = header.values.get(f"tokenizer.ggml.{theirs}_token_id")
    return config


def _rope_scaling(header: GgufHeader, factors: list[float] | None) -> dict[str, Any] | None:
    kind = header.own("rope.scaling.type", "none")
    if factors is not None:
        return _llama3_scaling(header, factors)
    if kind in ("none", None):
        return None
    if kind == "linear":
        return {"rope_type": "linear", "factor": header.own("rope.scaling.factor")}
    raise EngineError(f"{header.path}: rope scaling {kind!r} is not known here; expected none, linear or Llama 3's.")


def _llama3_scaling(header: GgufHeader, factors: list[float]) -> dict[str, Any]:
    """Llama 3's setting, found again from its effect: the largest factor is the setting's own."""
    setting = {
        "rope_type": "llama3",
        "factor": max(factors),
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    theta = float(header.own("rope.freq_base", 10_000.0))
    for index, found in enumerate(factors):
        turns = 8192 * theta ** (-index / len(factors)) / (2 * math.pi)
        smooth = min(1.0, max(0.0, (turns - 1.0) / 3.0))
        expected = 1 / ((1 - smooth) / setting["factor"] + smooth)
        if not math.isclose(found, expected, rel_tol=1e-3):
            raise EngineError(f"{header.path}: {ROPE_FACTORS} is not Llama 3's rescaling; it is not known here.")
    return setting
