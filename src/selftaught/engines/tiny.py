"""A tiny model folder with random weights, made in a fraction of a second: for tests, benchmarks and docs.

It has the standard layout (config, safetensors, tokenizer, ChatML template that opens ``<think>``), so everything that
takes a model folder takes it, transformers included. It says nothing sensible.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")
CHAT_TEMPLATE = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}"
)
_TEXT = (
    "Wait, let me compute this with Python. Alternatively, check the answer 1 2 3 10 25 100.\n\n```python\nprint(1 + 2)\n```\n"
    "```output\n3\n```\n\ndef solve(a, b):\n    return a * b\n\nprint(solve(3, 20) == 6)\nfor i in range(10):\n    total += i\n"
    "So the answer is \\boxed{42}. The sum of the digits is seven. Hmm, that is not right."
)


def write_tokenizer(folder: Path, texts: Iterable[str] = (), vocab_size: int = 400) -> int:
    """Train a byte-level BPE tokenizer on ``texts`` (or a built-in page) into ``folder``; return its size."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(list(texts) or [_TEXT] * 4, trainer)
    tokenizer.add_tokens(
        [AddedToken(token, special=token.startswith("<|"), normalized=False) for token in SPECIAL_TOKENS]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return int(tokenizer.get_vocab_size())


def make_tiny_model(
    folder: Path,
    *,
    family: str = "qwen2",
    seed: int = 0,
    hidden: int = 64,
    num_layers: int = 2,
    num_heads: int = 4,
    num_kv_heads: int = 2,
    inner: int = 128,
    max_context: int = 1024,
    spread: float = 0.2,
    **extra: Any,
) -> Path:
    """Write a random model of ``family`` (qwen2, qwen3, llama). ``spread`` is the standard deviation of its weights."""
    import torch
    from safetensors.torch import save_file

    vocab = write_tokenizer(folder)
    dim = hidden // num_heads
    generator = torch.Generator().manual_seed(seed)

    def random(*size: int) -> torch.Tensor:
        return torch.randn(*size, generator=generator) * spread

    tensors = {"model.embed_tokens.weight": random(vocab, hidden) * 5, "model.norm.weight": 1 + random(hidden)}
    for index in range(num_layers):
        at = f"model.layers.{index}."
        for part, width in (("q", num_heads), ("k", num_kv_heads), ("v", num_kv_heads)):
            tensors[f"{at}self_attn.{part}_proj.weight"] = random(width * dim, hidden)
            if family == "qwen2":
                tensors[f"{at}self_attn.{part}_proj.bias"] = random(width * dim)
            if family == "qwen3" and part != "v":
                tensors[f"{at}self_attn.{part}_norm.weight"] = 1 + random(dim)
        tensors[f"{at}self_attn.o_proj.weight"] = random(hidden, num_heads * dim)
        tensors[f"{at}mlp.gate_proj.weight"] = random(inner, hidden)
        tensors[f"{at}mlp.up_proj.weight"] = random(inner, hidden)
        tensors[f"{at}mlp.down_proj.weight"] = random(hidden, inner)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{at}{norm}.weight"] = 1 + random(hidden)
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
    names = {"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM", "llama": "LlamaForCausalLM"}
    config = {
        "architectures": [names[family]],
        "model_type": family,
        "hidden_size": hidden,
        "num_hidden_layers": num_layers,
        "num_attention_heads": num_heads,
        "num_key_value_heads": num_kv_heads,
        "head_dim": dim,
        "intermediate_size": inner,
        "vocab_size": vocab,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "max_position_embeddings": max_context,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "eos_token_id": vocab - 3,
        "torch_dtype": "float32",
        **extra,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [vocab - 3, vocab - 5]}))
    return folder
