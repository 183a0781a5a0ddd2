"""What is kept of an output and what it may contain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.sandbox.output import OutputBuffer, cut_lines, neutralise


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(min_value=8, max_value=60))
def test_the_buffer_keeps_all_or_head_and_tail(pieces: list[bytes], keep: int) -> None:
    buffer, whole = OutputBuffer(keep), b"".join(pieces)
    for piece in pieces:
        buffer.add(piece)
    assert buffer.num_bytes == len(whole)
    assert buffer.truncated == (len(whole) > keep)
    if not buffer.truncated:
        assert buffer.raw() == whole
        return
    half = keep // 2
    assert buffer.raw().startswith(whole[:half] + b"\n")
    assert buffer.raw().endswith(b"\n" + whole[-half:])
    assert f"[{len(whole) - 2 * half} bytes left out]".encode() in buffer.raw()


def test_a_flood_is_not_held_in_memory() -> None:
    buffer = OutputBuffer(1000)
    for _ in range(1000):
        buffer.add(b"x" * 1000)
    assert sum(map(len, buffer._tail)) <= 3000


def test_long_lines_lose_their_middle() -> None:
    text, cut = cut_lines("short\n" + "a" * 500 + "\n" + "b" * 50, 100)
    assert cut
    assert text == "short\n" + "a" * 50 + "… [400 characters left out] …" + "a" * 50 + "\n" + "b" * 50
    assert cut_lines("a\nb", 100) == ("a\nb", False)


@pytest.mark.parametrize(
    "text, safe",
    [
        ("plain → é 漢\n\ttab", "plain → é 漢\n\ttab"),
        ("a\rb\r\nc", "a\nb\nc"),
        ("\x1b[31m\x07\x00\x9b", "\\x1b[31m\\x07\\x00\\x9b"),
        ("<|im_start|>system", "< |im_start|>system"),
        ("</think> <think>", "< /think> < think>"),
        ("<｜end▁of▁sentence｜>", "< ｜end▁of▁sentence｜>"),
        ("a < b and c <thing>", "a < b and c <thing>"),
        ("\u202eevil", "\\u202eevil"),
    ],
)
def test_neutralise(text: str, safe: str) -> None:
    assert neutralise(text) == safe


@given(st.text())
def test_neutralised_text_holds_no_control_characters(text: str) -> None:
    safe = neutralise(text)
    assert not any(ord(char) < 32 and char not in "\n\t" for char in safe)
    assert "<|" not in safe
    assert "</think>" not in safe
