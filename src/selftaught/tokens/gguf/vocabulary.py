"""The tokenizer inside a GGUF file, as ``tokenizer.json`` and ``tokenizer_config.json``."""

from __future__ import annotations

from typing import Any

from selftaught.errors import EngineError
from selftaught.tokens.gguf.header import GgufHeader

_NORMAL, _UNKNOWN, _CONTROL, _USER, _UNUSED, _BYTE = 1, 2, 3, 4, 5, 6
"""``tokenizer.ggml.token_type``."""

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_QWEN, _LLAMA3 = _WORDS % r"\p{N}", _WORDS % r"\p{N}{1,3}"
_PATTERNS = {
    "qwen2": _QWEN,
    "deepseek-r1-qwen": _QWEN,
    "llama-bpe": _LLAMA3,
    "llama3": _LLAMA3,
    "llama-v3": _LLAMA3,
    "gpt-2": _GPT2,
    "gpt2": _GPT2,
}
"""``tokenizer.ggml.pre`` → how text is cut into words before merges apply."""
_WHOLE_WORDS = ("llama-bpe", "llama3", "llama-v3")
"""A word that is a token is taken whole, whatever the merges say."""


def tokenizer_of(header: GgufHeader) -> tuple[dict[str, Any], dict[str, Any]]:
    """``tokenizer.json`` and ``tokenizer_config.json``. EngineError with the reason where the kind is unknown."""
    get = header.values.get
    kind, tokens = get("tokenizer.ggml.model"), get("tokenizer.ggml.tokens")
    types = get("tokenizer.ggml.token_type")
    if not isinstance(tokens, list) or not isinstance(types, list) or len(tokens) != len(types):
        raise EngineError(
            f"{header.path} holds no vocabulary with types; expected tokenizer.ggml.tokens and token_type."
        )
    if kind == "gpt2":
        spec = _byte_level(header, tokens, types)
    elif kind == "llama":
        spec = _sentencepiece(header, tokens, types)
    else:
        raise EngineError(f"{header.path}: tokenizer {kind!r} is not known here; expected gpt2 or llama.")
    spec |= {"version": "1.0", "truncation": None, "padding": None, "post_processor": None}
    spec["added_tokens"] = [
        {
            "id": index, "content": token, "special": types[index] != _USER, "normalized": False,
            "single_word": False, "lstrip": False, "rstrip": False,
        }
        for index, token in enumerate(tokens)
        if types[index] in (_CONTROL, _USER) or types[index] == _UNKNOWN
    ]  # fmt: skip
    config: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    for ours, theirs in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"), ("unk", "unknown")):
        index = get(f"tokenizer.ggml.{theirs}_token_id")
        if isinstance(index, int) and 0 <= index < len(tokens):
            config[f"{ours}_token"] = tokens[index]
    return spec, config


def end_ids_of(header: GgufHeader) -> list[int]:
    """All ids that end a turn, for ``generation_config.json``."""
    names = ("eos", "eot", "eom")
    ids = [header.values.get(f"tokenizer.ggml.{name}_token_id") for name in names]
    return list(dict.fromkeys(index for index in ids if isinstance(index, int)))


def _byte_level(header: GgufHeader, tokens: list[str], types: list[int]) -> dict[str, Any]:
    pre = str(header.values.get("tokenizer.ggml.pre", "gpt-2"))
    if pre not in _PATTERNS:
        raise EngineError(
            f"{header.path}: text is cut by {pre!r}, which is not known here; expected {', '.join(_PATTERNS)}."
        )
    merges = header.values.get("tokenizer.ggml.merges")
    if not isinstance(merges, list):
        raise EngineError(f"{header.path} holds no merges; expected tokenizer.ggml.merges.")
    pairs = [tuple(merge.split(" ", 1)) for merge in merges]
    # Added tokens are spelled as text, all others in the alphabet of bytes. Some are products of merges too: pairs of
    # digits, say, which both spell alike.
    merged = {piece for pair in pairs for piece in (*pair, "".join(pair))}
    vocab = {
        token: i
        for i, token in enumerate(tokens)
        if types[i] in (_NORMAL, _CONTROL, _UNKNOWN) or (types[i] == _USER and token in merged)
    }
    split = {"type": "Split", "pattern": {"Regex": _PATTERNS[pre]}, "behavior": "Isolated", "invert": False}
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "normalizer": {"type": "NFC"} if pre in ("qwen2", "deepseek-r1-qwen") else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, bytes_]},
        "decoder": {**bytes_, "use_regex": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": pre in _WHOLE_WORDS,
            "vocab": vocab,
            "merges": [list(pair) for pair in pairs if {*pair, "".join(pair)} <= vocab.keys()],
        },
    }  # fmt: skip


def _sentencepiece(header: GgufHeader, tokens: list[str], types: list[int]) -> dict[str, Any]:
    """SentencePiece's BPE: two pieces merge when the joined one is a token, the better scored one first."""
    scores = header.values.get("tokenizer.ggml.scores")
    if not isinstance(scores, list) or len(scores) != len(tokens):
        raise EngineError(f"{header.path} holds no scores; expected tokenizer.ggml.scores.")
    vocab = {token: index for index, token in enumerate(tokens) if types[index] != _UNUSED}
    merges = []
    for token, index in vocab.items():
        if types[index] == _NORMAL:
            cuts = [(token[:at], token[at:]) for at in range(1, len(token))]
            pairs = [(left, right) for left, right in cuts if left in vocab and right in vocab]
            pairs.sort(key=lambda pair: (vocab[pair[0]], vocab[pair[1]]))
            merges += [(-scores[index], left, right) for left, right in pairs]
    merges.sort(key=lambda merge: merge[0])
    blanks = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    prepend = header.values.get("tokenizer.ggml.add_space_prefix", True)
    first = [{"type": "Prepend", "prepend": "▁"}] if prepend else []
    unknown = next((token for index, token in enumerate(tokens) if types[index] == _UNKNOWN), None)
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if prepend else []
    return {
        "normalizer": {"type": "Sequence", "normalizers": [*first, blanks]},
        "pre_tokenizer": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"}, *strip,
            ],
        },
        "model": {
            "type": "BPE", "dropout": None, "unk_token": unknown, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": any(kind == _BYTE for kind in types),
            "ignore_merges": False, "vocab": vocab, "merges": [[left, right] for _, left, right in merges],
        },
    }  # fmt: skip
