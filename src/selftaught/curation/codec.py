"""Text ↔ token ids for modifications: curation never loads a model, only the tokenizer that stands beside it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from selftaught.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Codec(Protocol):
    """What a modification needs of a tokenizer."""

    def encode(self, text: str) -> list[int]:
        """Token ids of ``text`` as an inserted piece: no special tokens are added."""
        ...

    def decode(self, token_ids: list[int]) -> str:
        """Text of ``token_ids``, special tokens shown."""
        ...


class TokenizerCodec:
    """A ``tokenizer.json`` read by the ``tokenizers`` library."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def encode(self, text: str) -> list[int]:
        """Token ids without anything added."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, token_ids: list[int]) -> str:
        """Text with special tokens shown."""
        return self._tokenizer.decode(token_ids, skip_special_tokens=False)


@lru_cache(maxsize=4)
def load_codec(model_folder: Path) -> TokenizerCodec:
    """The codec of a model folder; DataError when it holds no ``tokenizer.json``."""
    from tokenizers import Tokenizer

    path = model_folder / "tokenizer.json"
    if not path.exists():
        raise DataError(f"{path} is missing; expected a model folder with a fast tokenizer.")
    return TokenizerCodec(Tokenizer.from_file(str(path)))


def token_cover(codec: Codec, token_ids: list[int], start: int, end: int) -> tuple[int, int, int, int]:
    """The smallest token range that covers characters ``[start, end)`` of the decoded text.

    Returns (first token, one past the last token, first character, one past the last character). Characters are found by
    decoding prefixes, which is exact for byte-level vocabularies at ASCII edges; a token that holds a part of a character
    is taken in whole.
    """

    text = codec.decode(token_ids)

    def clean(n: int) -> int | None:
        """Length of the first ``n`` tokens' text when it ends between two characters, else None."""
        prefix = codec.decode(token_ids[:n])
        return len(prefix) if text.startswith(prefix) else None

    low, high = 0, len(token_ids)
    while low < high:  # last n whose prefix ends at or before start
        middle = (low + high + 1) // 2
        length = clean(middle)
        if (length if length is not None else len(codec.decode(token_ids[:middle])) - 1) <= start:
            low = middle
        else:
            high = middle - 1
    first = low
    while first > 0 and clean(first) is None:
        first -= 1
    last = first
    low, high = first, len(token_ids)
    while low < high:  # first n whose prefix ends at or after end
        middle = (low + high) // 2
        if len(codec.decode(token_ids[:middle])) >= end:
            high = middle
        else:
            low = middle + 1
    last = low
    while last < len(token_ids) and clean(last) is None:
        last += 1
    first_char = clean(first) or 0
    last_char = clean(last)
    return first, last, first_char, len(text) if last_char is None else last_char
