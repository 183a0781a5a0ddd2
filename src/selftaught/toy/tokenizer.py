"""The tokenizer of the embedded reasoner: byte-level BPE with numbers in pairs of digits, and a QwQ-style chat
template.

Digits are cut from the left into groups of two, so that ``2023`` is ``20`` and ``23``. Every such group is one token
that occurs many thousand times in the text: rare number tokens are what a tiny model cannot copy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from selftaught.toy.phrases import TAGS

VOCAB_SIZE = 1536
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")
TAG_TOKENS = tuple(f"{opening}{tag}>" for tag in TAGS for opening in ("<", "</"))
MAX_POSITIONS = 4096

_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""Qwen2's pre-tokenization with digits in pairs instead of one by one."""

CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}"
)


def train_tokenizer(texts: Iterable[str], vocab_size: int = VOCAB_SIZE) -> Any:
    """Train on ``texts``; returns a `tokenizers.Tokenizer`."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[*SPECIAL_TOKENS, *TAG_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(pair, normalized=False) for pair in digit_pairs(tokenizer)])
    return tokenizer


def digit_pairs(tokenizer: Any) -> list[str]:
    """The two-digit numbers of the vocabulary.

    As added tokens with the ids that they have anyway they change nothing here; but transformers 5 builds its own
    Qwen2 pre-tokenizer for ``model_type: qwen2``, which cuts numbers into single digits unless added tokens come first.
    """
    return [f"{number:02d}" for number in range(100) if tokenizer.token_to_id(f"{number:02d}") is not None]


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Write ``tokenizer.json``, ``tokenizer_config.json`` and the chat template into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": MAX_POSITIONS,
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "unk_token": None,
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
