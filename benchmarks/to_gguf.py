"""A model folder (Qwen2, Qwen3 or Llama) as a GGUF file, for comparisons with llama.cpp on equal weights.

    python benchmarks/to_gguf.py toy toy-f32.gguf
    python benchmarks/to_gguf.py FOLDER model-bf16.gguf BF16

The matrices are F32, or F16, BF16, Q8_0 when named.

llama.cpp has no pre-tokenizer that cuts numbers as the embedded reasoner's does. ``qwen2``, which is written here, may cut a
text in other words. Token ids mean the same, and only ids are sent.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from selftaught.tokens import Codec, resolve_model

NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
}


def gguf_name(name: str) -> str:
    """The GGUF name of a Hugging Face tensor."""
    base, _, kind = name.rpartition(".")
    if base.startswith("model.layers."):
        _, _, index, part = base.split(".", 3)
        return f"blk.{index}.{NAMES[part]}.{kind}"
    return f"{NAMES[base]}.{kind}"


def interleaved(array: np.ndarray, heads: int) -> np.ndarray:
    """As llama.cpp's converter orders the rows of q and k of a Llama model."""
    rows, columns = array.shape
    return array.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write_gguf(path: Path, folder: Path, pre: str = "gpt-2", kind: str = "F32", **values: Any) -> Path:
    """``folder`` as a GGUF file with matrices of ``kind``. ``values`` are further text values (``__`` for a dot)."""
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text())
    spec = json.loads((folder / "tokenizer.json").read_text())
    codec = Codec(folder)
    name = config["model_type"]
    writer = gguf.GGUFWriter(path, name)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config.get("rope_theta") or config["rope_parameters"]["rope_theta"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(token_list(spec, config["vocab_size"]))
    added = {token["id"]: token for token in spec["added_tokens"]}
    control = codec.control_ids
    writer.add_token_types(
        [(3 if i in control and added[i]["special"] else 4) if i in added else 1 for i in range(config["vocab_size"])]
    )
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in spec["model"]["merges"]])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(codec.template.source)
    for key, value in values.items():
        writer.add_string(key.replace("__", "."), value)
    for tensor, weights in load_file(folder / "model.safetensors").items():
        array = weights.float().numpy()
        if name == "llama" and tensor.endswith(("q_proj.weight", "k_proj.weight")):
            array = interleaved(array, config["num_attention_heads" if "q_proj" in tensor else "num_key_value_heads"])
        if array.ndim == 2 and kind != "F32":
            number = gguf.GGMLQuantizationType[kind]
            writer.add_tensor(gguf_name(tensor), gguf.quants.quantize(array, number), raw_dtype=number)
        else:
            writer.add_tensor(gguf_name(tensor), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def token_list(spec: dict[str, Any], size: int) -> list[str]:
    """The vocabulary in the order of its ids; rows of the embedding that no token has are filled up."""
    found = {index: token for token, index in spec["model"]["vocab"].items()}
    found |= {token["id"]: token["content"] for token in spec["added_tokens"]}
    return [found.get(index, f"[PAD{index}]") for index in range(size)]


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: python benchmarks/to_gguf.py MODEL FILE.gguf [F16|BF16|Q8_0]")
    print(write_gguf(Path(sys.argv[2]), resolve_model(sys.argv[1]), "qwen2", *sys.argv[3:]))
