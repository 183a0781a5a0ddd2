"""Messages: long texts are cut."""

from __future__ import annotations

from selftaught.errors import shorten


def test_a_long_text_keeps_its_beginning() -> None:
    assert shorten("abc", 3) == "abc"
    assert shorten("abcd", 3) == "abc…"
