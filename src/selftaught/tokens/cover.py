"""Which tokens cover a part of a text: what must be encoded anew when text inside a span changes."""

from __future__ import annotations

from typing import Protocol


class TextCodec(Protocol):
    """What a change of text needs of a tokenizer; `selftaught.tokens.Codec` is one."""

    def encode(self, text: str) -> list[int]:
        """Token ids of ``text`` as an inserted piece; special tokens in it are plain text."""
        ...

    def encode_control(self, text: str) -> list[int]:
        """Token ids of ``text`` as the model itself says it; special tokens in it are special."""
        ...

    def decode(self, token_ids: list[int]) -> str:
        """Text of ``token_ids``, special tokens shown."""
        ...


def token_cover(codec: TextCodec, token_ids: list[int], start: int, end: int) -> tuple[int, int, int, int]:
    """The smallest token range that covers characters ``[start, end)`` of the decoded text.

    Returns (first token, one past the last token, first character, one past the last character). Characters are found
    by decoding prefixes, which is exact for byte-level vocabularies at ASCII edges; a token that holds a part of a
    character is taken in whole.
    """
    text = codec.decode(token_ids)

    # A prefix that ends inside a character decodes to U+FFFD there, so it is no prefix of the text.
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
