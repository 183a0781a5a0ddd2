"""Token ids, bytes and text of one model, without loading the model.

A `Codec` reads a model folder's ``tokenizer.json`` with the ``tokenizers`` library alone (no torch, no transformers),
so that a worker starts in tens of milliseconds. It offers two ways to encode: ``encode`` for text that comes from
outside (hints, tool output, a user's question), in which special tokens are plain text and can never become control
tokens, and ``encode_chat`` for the chat template. Decoding joins the bytes of the tokens, so the text of two spans is
the concatenation of their bytes, whatever the tokenizer would normalise.

Inserted text is encoded as the middle of a text, byte for byte. As they are shipped, many tokenizers assume that a text
begins where they are called: SentencePiece ones (Llama 2) put a blank in front of it, others normalise it (Qwen2: NFC).
Only the chat template is encoded that way, because transformers does it and the model was trained on it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selftaught.tokens.chat import ChatTemplate
from selftaught.tokens.files import ModelFiles

if TYPE_CHECKING:
    from tokenizers import Tokenizer

END_TOKENS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "</s>", "<｜end▁of▁sentence｜>")
THINK_OPEN, THINK_CLOSE = "<think>", "</think>"


class TokenSet:
    """A named set of token ids with constant-time lookup: ``table[id]`` is 1 inside the set. Compared by identity."""

    __slots__ = ("ids", "name", "table")

    def __init__(self, name: str, ids: Iterable[int], vocab_size: int) -> None:
        self.name = name
        self.ids = frozenset(ids)
        table = bytearray(vocab_size)
        for token_id in self.ids:
            table[token_id] = 1
        self.table = bytes(table)

    def __contains__(self, token_id: int) -> bool:
        return token_id < len(self.table) and self.table[token_id] == 1

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"TokenSet({self.name!r}, {len(self.ids)} ids)"


class Codec:
    """Encodes and decodes for one model; builds `TokenSet`s from what tokens look like as bytes."""

    def __init__(self, model: Path | ModelFiles) -> None:
        files = model if isinstance(model, ModelFiles) else ModelFiles.read(model)
        self.folder = files.place
        self._spec = files.tokenizer
        self.template = ChatTemplate.of(files)
        added = self._spec.get("added_tokens") or []
        self.added: dict[str, int] = {token["content"]: token["id"] for token in added}
        self.control: dict[str, int] = {token["content"]: token["id"] for token in added if _is_control(token)}
        """Added tokens that mean something to the model; others (pairs of digits, say) are ordinary text."""
        self.token_bytes: list[bytes] = self._token_bytes()
        self.vocab_size = max(int(files.config.get("vocab_size") or 0), len(self.token_bytes))
        self.token_bytes += [b""] * (self.vocab_size - len(self.token_bytes))
        self.end_ids = self._end_ids(files)
        self.think_open_id = self.added.get(THINK_OPEN)
        self.think_close_id = self.added.get(THINK_CLOSE)
        self._sets: dict[str, TokenSet] = {}

    # ------------------------------------------------------------------------------------------------------ encoding

    @cached_property
    def _full(self) -> Tokenizer:
        """The tokenizer as it is shipped: for the chat template."""
        return _tokenizer(self._spec)

    @cached_property
    def _inner(self) -> Tokenizer:
        """For text in the middle of a sequence: it neither puts a blank in front of the text nor normalises it."""
        return _tokenizer(_without_changes(self._spec))

    @cached_property
    def _plain(self) -> Tokenizer:
        """The inner one without control tokens: ``</think>`` in it is seven ordinary characters or so."""
        kept = [token for token in self._spec.get("added_tokens") or [] if not _is_control(token)]
        return _tokenizer({**_without_changes(self._spec), "added_tokens": kept})

    @cached_property
    def control_ids(self) -> frozenset[int]:
        """Ids of the control tokens."""
        return frozenset(self.control.values())

    def encode(self, text: str) -> list[int]:
        """Ids of ``text`` taken alone, special tokens being plain text in it. This is the seam rule's encoder."""
        if not text:
            return []
        ids: list[int] = self._plain.encode(text, add_special_tokens=False).ids
        if self.control_ids.isdisjoint(ids):
            return ids
        if len(text) < 2:
            return [token_id for token_id in ids if token_id not in self.control_ids]
        # Some vocabularies hold a control string as an ordinary entry too, which a merge can reach. No piece that is
        # shorter than the string can: the text is cut in halves until none is left.
        middle = len(text) // 2
        return self.encode(text[:middle]) + self.encode(text[middle:])

    def encode_chat(self, question: str, system: str | None = None) -> list[int]:
        """Ids of the rendered chat template for one question, ready for the assistant's first token."""
        messages = [{"role": "system", "content": system}] if system else []
        return self.encode_messages([*messages, {"role": "user", "content": question}])

    def encode_messages(self, messages: Sequence[dict[str, str]]) -> list[int]:
        """Ids of the rendered chat template for a whole chat (``role``, ``content``), ready for the assistant's token.

        Control strings inside a message stay plain text: no message can close its own turn. EngineError when the
        template refuses the messages.
        """
        hostile = [at for at, message in enumerate(messages) if self._hostile(message["content"])]
        if not hostile:
            return self._encode_template(self.template.render(messages))
        # The template is rendered round stand-ins without control strings. The messages' own ids take their place, so
        # that none of them can close its turn.
        slots = {at: f"SELFTAUGHT\u2063MESSAGE\u2063{at}\u2063" for at in hostile}
        shown = [{**message, "content": slots.get(at, message["content"])} for at, message in enumerate(messages)]
        rest = self.template.render(shown)
        ids: list[int] = []
        for at in hostile:
            before, found, after = rest.partition(slots[at])
            if not found:
                continue  # the template leaves this message out
            ids += self._encode_rest(before) if ids else self._encode_template(before)
            ids += self.encode(messages[at]["content"])
            rest = after
        return [*ids, *(self._encode_rest(rest) if ids else self._encode_template(rest))]

    def _encode_template(self, text: str) -> list[int]:
        """Ids of the template's text from its beginning."""
        ids: list[int] = self._full.encode(text, add_special_tokens=False).ids
        return ids

    def _encode_rest(self, text: str) -> list[int]:
        """Ids of the template's text behind the question: up to its first control token it is the middle of a text."""
        starts = [at for control in self.control if (at := text.find(control)) >= 0]
        cut = min(starts, default=len(text))
        ids: list[int] = self._inner.encode(text[:cut], add_special_tokens=False).ids
        return [*ids, *self._full.encode(text[cut:], add_special_tokens=False).ids]

    def encode_control(self, text: str) -> list[int]:
        """Ids of ``text`` with control strings as control tokens: for text that the model itself said.

        Never for input.
        """
        ids: list[int] = self._inner.encode(text, add_special_tokens=False).ids
        return ids

    def _hostile(self, text: str) -> bool:
        return any(token in text for token in self.control)

    # ------------------------------------------------------------------------------------------------------ decoding

    def to_bytes(self, token_ids: Sequence[int]) -> bytes:
        """The bytes of ``token_ids``; unknown ids have none."""
        table = self.token_bytes
        return b"".join([table[token_id] for token_id in token_ids])

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of ``token_ids``; bytes that are no UTF-8 (a character cut in two) become U+FFFD."""
        return self.to_bytes(token_ids).decode("utf-8", "replace")

    # ---------------------------------------------------------------------------------------------------- token sets

    def token_set(self, name: str, build: Callable[[], Iterable[int]]) -> TokenSet:
        """The set called ``name``, built on first use."""
        found = self._sets.get(name)
        if found is None:
            found = self._sets[name] = TokenSet(name, build(), self.vocab_size)
        return found

    def where(self, name: str, predicate: Callable[[bytes], bool]) -> TokenSet:
        """All tokens whose bytes satisfy ``predicate``."""
        return self.token_set(name, lambda: (i for i, text in enumerate(self.token_bytes) if text and predicate(text)))

    def union(self, *sets: TokenSet) -> TokenSet:
        """The union, named after its parts and kept."""
        name = "|".join(sorted({part for one in sets for part in one.name.split("|")}))
        return self.token_set(name, lambda: (token_id for one in sets for token_id in one.ids))

    # ------------------------------------------------------------------------------------------------------ internals

    def _token_bytes(self) -> list[bytes]:
        vocab = self._spec["model"].get("vocab") or {}
        entries: dict[int, str] = (
            {index: item[0] for index, item in enumerate(vocab)}
            if isinstance(vocab, list)
            else {index: token for token, index in vocab.items()}
        )
        size = 1 + max([*entries, *self.added.values()], default=-1)
        table = [b""] * size
        to_bytes = _piece_decoder(self._spec)
        for index, piece in entries.items():
            table[index] = to_bytes(piece)
        for content, index in self.added.items():
            table[index] = content.encode()
        return table

    def _end_ids(self, files: ModelFiles) -> frozenset[int]:
        ids: set[int] = set()
        for config in (files.config, files.generation_config):
            value = config.get("eos_token_id")
            ids.update(value if isinstance(value, list) else [value] if isinstance(value, int) else [])
        eos = files.tokenizer_config.get("eos_token")
        name = eos.get("content") if isinstance(eos, dict) else eos
        ids.update(self.added[token] for token in (name, *END_TOKENS) if token in self.added)
        return frozenset(token_id for token_id in ids if 0 <= token_id < self.vocab_size)


def _is_control(token: dict[str, Any]) -> bool:
    content = token["content"]
    return bool(token.get("special")) or (content.startswith("<") and content.endswith(">") and len(content) > 2)


def _tokenizer(spec: dict[str, Any]) -> Tokenizer:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(json.dumps(spec))


def _without_changes(spec: dict[str, Any]) -> dict[str, Any]:
    """``spec`` without the steps that change text: what is left spells the bytes it is given."""
    return {
        **spec,
        "normalizer": _exact_normalizer(spec.get("normalizer")),
        "pre_tokenizer": _no_blank_in_front(spec.get("pre_tokenizer")),
        "post_processor": None,
    }


def _exact_normalizer(step: dict[str, Any] | None) -> dict[str, Any] | None:
    """Of a normalizer only what the decoder turns back: SentencePiece's ``▁`` for a blank, and the byte alphabet."""
    if step is None:
        return None
    if step["type"] == "Sequence":
        kept = [one for part in step["normalizers"] if (one := _exact_normalizer(part)) is not None]
        return {**step, "normalizers": kept} if kept else None
    spells_blanks = step["type"] == "Replace" and step.get("content") == "▁" and step.get("pattern") == {"String": " "}
    return step if spells_blanks or step["type"] == "ByteLevel" else None


def _no_blank_in_front(step: dict[str, Any] | None) -> dict[str, Any] | None:
    """A pre-tokenizer that does not put a blank before the text."""
    if step is None:
        return None
    if step["type"] == "Sequence":
        return {**step, "pretokenizers": [_no_blank_in_front(part) for part in step["pretokenizers"]]}
    if step["type"] == "Metaspace":
        rest = {key: value for key, value in step.items() if key != "add_prefix_space"}
        return {**rest, "prepend_scheme": "never"}
    return {**step, "add_prefix_space": False} if step["type"] == "ByteLevel" else step


def _piece_decoder(spec: dict[str, Any]) -> Callable[[str], bytes]:
    """How vocabulary entries spell bytes: GPT-2's alphabet, or SentencePiece's ``▁`` and ``<0x0A>``."""
    text = json.dumps([spec.get("decoder"), spec.get("pre_tokenizer")])
    if '"ByteLevel"' in text:
        alphabet = _byte_alphabet()
        return lambda piece: b"".join(alphabet.get(char, char.encode()) for char in piece)

    def sentencepiece(piece: str) -> bytes:
        match = re.fullmatch(r"<0x([0-9A-Fa-f]{2})>", piece)
        return bytes([int(match[1], 16)]) if match else piece.replace("▁", " ").encode()

    return sentencepiece


def _byte_alphabet() -> dict[str, bytes]:
    """GPT-2's printable stand-in for each byte, turned round."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    alphabet = {chr(byte): bytes([byte]) for byte in printable}
    shift = 0
    for byte in range(256):
        if byte not in printable:
            alphabet[chr(256 + shift)] = bytes([byte])
            shift += 1
    return alphabet
