"""Small SentencePiece-like tokenizers in the four spellings that model folders use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TEXT = (
    "[INST] What is 12 + 30? [/INST] Wait, let me compute this with Python. The answer is 42.\n```python\nprint(6 * 7)\n```\n"
    "So the sum of the digits is seven. Hmm, that is not right: check it again, with the sample."
)
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% else %}{% generation %}{{ ' ' + message['content'] + eos_token }}{% endgeneration %}{% endif %}{% endfor %}"
)
REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
STYLES: dict[str, dict[str, Any]] = {
    "llama-2": {
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, REPLACE]},
        "pre_tokenizer": None,
    },
    "always": {
        "normalizer": None,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False},
    },
    "first": {
        "normalizer": None,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True},
    },
    "gemma": {"normalizer": REPLACE, "pre_tokenizer": None},
}


def write_sentencepiece(folder: Path, style: str) -> Path:
    """A tokenizer of ``style`` with byte fallback and Llama 2's template, trained on one page of text."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator([TEXT] * 4, trainers.BpeTrainer(vocab_size=200, show_progress=False))
    model = json.loads(trained.to_str())["model"]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *model["vocab"]]
    model |= {"vocab": {piece: i for i, piece in enumerate(pieces)}, "byte_fallback": True, "fuse_unk": True}
    added = [
        {"id": i, "content": piece, "special": True, "normalized": False, "single_word": False, "lstrip": False, "rstrip": False}
        for i, piece in enumerate(pieces[:3])
    ]  # fmt: skip
    blank = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    spec = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [blank, {"type": "ByteFallback"}, {"type": "Fuse"}, strip]},
        "model": {**model, "unk_token": "<unk>"}, **STYLES[style],
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(spec))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "chat_template": TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "config.json").write_text(json.dumps({"vocab_size": len(pieces), "eos_token_id": 2}))
    return folder
