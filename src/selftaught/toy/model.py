"""The embedded reasoner's network for pretraining: Qwen2 in plain PyTorch, saved under Hugging Face's names.

Shapes: B rows, T positions, D hidden, H query heads, K key/value heads, E head width, V vocabulary. Inference and
fine-tuning load the saved folder through the usual classes; this module exists because a fused, mask-free forward
trains about twice as fast on a CPU as the library's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.errors import DataError


@dataclass(frozen=True)
class ModelConfig:
    """Sizes. The defaults give about two million parameters."""

    vocab_size: int = 1536
    hidden_size: int = 192
    num_layers: int = 4
    num_heads: int = 6
    num_kv_heads: int = 2
    mlp_size: int = 512
    rope_theta: float = 10_000.0
    max_positions: int = 4096
    norm_eps: float = 1e-6

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.hidden_size // self.num_heads


QUERIES_AT_ONCE = 128
"""Queries of a block of attention on a CPU: the scores of one block stay in its cache."""


def causal_attention(q_bhte: Tensor, k_bkte: Tensor, v_bkte: Tensor) -> Tensor:
    """Grouped-query causal attention ``[B, H, T, E]``.

    On a CPU it works by blocks of queries, in plain matrix products of float32: the fused kernel is slower there, and
    in bfloat16 the gradients of queries and keys are noisier. A block of queries needs only the keys up to its own end,
    so nearly half of the products are skipped.
    """
    if q_bhte.device.type != "cpu":
        return F.scaled_dot_product_attention(q_bhte, k_bkte, v_bkte, is_causal=True, enable_gqa=True)
    b, h, t, e = q_bhte.shape
    kv = k_bkte.shape[1]
    group = h // kv
    parts = []
    with torch.autocast("cpu", enabled=False):
        q = (q_bhte.float() * e**-0.5).reshape(b, kv, group, t, e)
        keys, values = k_bkte.float().reshape(b * kv, t, e).transpose(1, 2), v_bkte.float().reshape(b * kv, t, e)
        ahead = torch.ones(QUERIES_AT_ONCE, QUERIES_AT_ONCE, dtype=torch.bool).triu(1)
        for start in range(0, t, QUERIES_AT_ONCE):
            stop = min(t, start + QUERIES_AT_ONCE)
            rows = stop - start
            block = q[:, :, :, start:stop].reshape(b * kv, group * rows, e)
            scores = torch.bmm(block, keys[:, :, :stop]).view(b * kv, group, rows, stop)
            # Keys before the block are visible to all of its queries. Only the square on the diagonal needs the mask.
            scores[..., start:].masked_fill_(ahead[:rows, :rows], float("-inf"))
            weights = scores.softmax(-1).view(b * kv, group * rows, stop)
            parts.append(torch.bmm(weights, values[:, :stop]).view(b, kv, group, rows, e))
    return torch.cat(parts, dim=3).reshape(b, h, t, e).to(v_bkte.dtype)


class Block(nn.Module):
    """Attention and gated MLP, each behind an RMS norm, with fused projections."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        d, e = config.hidden_size, config.head_dim
        self.attn_norm = nn.Parameter(torch.ones(d))
        self.qkv = nn.Linear(d, (config.num_heads + 2 * config.num_kv_heads) * e)
        self.out = nn.Linear(config.num_heads * e, d, bias=False)
        self.mlp_norm = nn.Parameter(torch.ones(d))
        self.gate_up = nn.Linear(d, 2 * config.mlp_size, bias=False)
        self.down = nn.Linear(config.mlp_size, d, bias=False)

    def forward(self, x_btd: Tensor, cos_te: Tensor, sin_te: Tensor) -> Tensor:
        """One layer over ``x_btd``; causal."""
        c = self.config
        b, t, d = x_btd.shape
        normed = F.rms_norm(x_btd, (d,), self.attn_norm, c.norm_eps)
        qkv = self.qkv(normed).view(b, t, c.num_heads + 2 * c.num_kv_heads, c.head_dim).transpose(1, 2)
        # Queries and keys are rotated together (RoPE, the halves of a head paired as in Qwen2); values are not.
        qk = qkv[:, : c.num_heads + c.num_kv_heads]
        half = c.head_dim // 2
        turned = torch.cat((-qk[..., half:], qk[..., :half]), dim=-1)
        qk = qk * cos_te + turned * sin_te
        attended = causal_attention(qk[:, : c.num_heads], qk[:, c.num_heads :], qkv[:, c.num_heads + c.num_kv_heads :])
        x_btd = x_btd + self.out(attended.transpose(1, 2).reshape(b, t, -1))
        gate, up = self.gate_up(F.rms_norm(x_btd, (d,), self.mlp_norm, c.norm_eps)).chunk(2, dim=-1)
        return x_btd + self.down(F.silu(gate) * up)


class TinyQwen2(nn.Module):
    """Token ids ``[B, T]`` to the mean next-token loss."""

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.norm = nn.Parameter(torch.ones(config.hidden_size))
        frequencies = config.rope_theta ** (-torch.arange(0, config.head_dim, 2).float() / config.head_dim)
        angles = torch.outer(torch.arange(config.max_positions).float(), frequencies)
        angles = torch.cat((angles, angles), dim=-1)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        self.reset()

    def reset(self) -> None:
        """Initialise: normal weights, residual outputs scaled down by depth, biases at zero."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() == 2:
                scale = 0.02 if "embed" in name else parameter.shape[1] ** -0.5
                if name.endswith(("out.weight", "down.weight")):
                    scale /= (2 * self.config.num_layers) ** 0.5
                nn.init.normal_(parameter, std=scale)

    def hidden(self, ids_bt: Tensor) -> Tensor:
        """Last hidden states ``[B, T, D]``, normed."""
        x_btd = self.embed(ids_bt)
        length = ids_bt.shape[1]
        cos, sin = self.cos[:length].to(x_btd.dtype), self.sin[:length].to(x_btd.dtype)
        for block in self.blocks:
            x_btd = block(x_btd, cos, sin)
        return F.rms_norm(x_btd, (x_btd.shape[-1],), self.norm, self.config.norm_eps)

    def logits(self, ids_bt: Tensor) -> Tensor:
        """Logits ``[B, T, V]``."""
        return F.linear(self.hidden(ids_bt), self.embed.weight)

    def loss(self, ids_bt: Tensor, labels_bt: Tensor) -> Tensor:
        """Mean cross-entropy of the next token over labels that are not -100."""
        logits = self.logits(ids_bt[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1).float(), labels_bt[:, 1:].flatten(), ignore_index=-100)


def save_pretrained(model: TinyQwen2, folder: Path, eos_ids: list[int], pad_id: int) -> None:
    """Write ``config.json``, ``generation_config.json`` and ``model.safetensors`` as Qwen2 stores them."""
    from safetensors.torch import save_file

    config = model.config
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {"model.embed_tokens.weight": model.embed.weight, "model.norm.weight": model.norm}
    q, k = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
    for index, block in enumerate(model.blocks):
        assert isinstance(block, Block)
        prefix = f"model.layers.{index}."
        for kind in ("weight", "bias"):
            fused = getattr(block.qkv, kind)
            for name, part in zip("qkv", fused.split((q, k, k)), strict=True):
                tensors[f"{prefix}self_attn.{name}_proj.{kind}"] = part
        gate, up = block.gate_up.weight.chunk(2)
        tensors |= {
            f"{prefix}self_attn.o_proj.weight": block.out.weight,
            f"{prefix}mlp.gate_proj.weight": gate,
            f"{prefix}mlp.up_proj.weight": up,
            f"{prefix}mlp.down_proj.weight": block.down.weight,
            f"{prefix}input_layernorm.weight": block.attn_norm,
            f"{prefix}post_attention_layernorm.weight": block.mlp_norm,
        }
    save_file(
        {name: tensor.detach().float().cpu().contiguous().clone() for name, tensor in tensors.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    document = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.mlp_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "hidden_act": "silu",
        "max_position_embeddings": config.max_positions,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "tie_word_embeddings": True,
        "use_sliding_window": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "eos_token_id": eos_ids[0],
        "pad_token_id": pad_id,
        "bos_token_id": None,
        "torch_dtype": "float32",
        "use_cache": True,
    }
    generation = {"eos_token_id": eos_ids, "pad_token_id": pad_id, "do_sample": False}
    (folder / "config.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n", encoding="utf-8")


def load_pretrained(folder: Path) -> tuple[TinyQwen2, Any]:
    """A saved folder as (model, `tokenizers.Tokenizer`), for the gate. Raises DataError when it is no such folder."""
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    try:
        saved = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "model.safetensors")
    except OSError as error:
        raise DataError(
            f"{folder} cannot be read ({error}); expected a Qwen2 folder with config.json and weights."
        ) from None
    config = ModelConfig(
        vocab_size=saved["vocab_size"],
        hidden_size=saved["hidden_size"],
        num_layers=saved["num_hidden_layers"],
        num_heads=saved["num_attention_heads"],
        num_kv_heads=saved["num_key_value_heads"],
        mlp_size=saved["intermediate_size"],
        rope_theta=saved["rope_theta"],
        max_positions=saved["max_position_embeddings"],
        norm_eps=saved["rms_norm_eps"],
    )
    model = TinyQwen2(config)
    state = {"embed.weight": tensors["model.embed_tokens.weight"], "norm": tensors["model.norm.weight"]}
    for index in range(config.num_layers):
        source, target = f"model.layers.{index}.", f"blocks.{index}."
        for kind in ("weight", "bias"):
            state[f"{target}qkv.{kind}"] = torch.cat([tensors[f"{source}self_attn.{n}_proj.{kind}"] for n in "qkv"])
        state |= {
            f"{target}out.weight": tensors[f"{source}self_attn.o_proj.weight"],
            f"{target}gate_up.weight": torch.cat(
                [tensors[f"{source}mlp.gate_proj.weight"], tensors[f"{source}mlp.up_proj.weight"]]
            ),
            f"{target}down.weight": tensors[f"{source}mlp.down_proj.weight"],
            f"{target}attn_norm": tensors[f"{source}input_layernorm.weight"],
            f"{target}mlp_norm": tensors[f"{source}post_attention_layernorm.weight"],
        }
    model.load_state_dict(state)
    return model.eval(), Tokenizer.from_file(str(folder / "tokenizer.json"))


__all__ = ["ModelConfig", "TinyQwen2", "load_pretrained", "save_pretrained"]
