"""Fenced blocks: the same in a whole text and in a stream, whatever the pieces."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.records import SpanSource
from selftaught.tokens import fences
from selftaught.tokens.fences import Block, FenceScanner

MODEL, HINT = SpanSource.MODEL, SpanSource.HINT


def scan(*pieces: tuple[str, SpanSource]) -> tuple[list[Block], FenceScanner]:
    scanner = FenceScanner()
    closed = [block for text, source in pieces for block in scanner.feed(text, source)]
    return closed, scanner


def codes(text: str) -> list[tuple[str, str]]:
    return [(block.language, block.code) for block in fences.blocks(text)]


def test_a_block_closes_with_its_newline_or_with_the_end() -> None:
    closed, scanner = scan(("Let me see.\n```python\nprint(1)\n```", MODEL))
    assert closed == [] and scanner.block is not None and scanner.may_be_fence
    twin = scanner.copy()
    (block,) = scanner.feed("\n", MODEL)
    assert block.code == "print(1)\n" and block.is_runnable and scanner.block is None
    ended = twin.finish(MODEL)
    assert ended is not None and ended.code == "print(1)\n" and ended.is_runnable and twin.block is None
    assert twin.finish(MODEL) is None


@pytest.mark.parametrize(
    "fence",
    [
        "```python", "``` python ", "```Python", "````py", "  ```python3", "      ```python", "~~~python", "- ```python",
        "1. ```python", "> ```python", '```python3 title="a.py"', "```{.python .numberLines}", "```{python}", "```python:a.py",
        "```python,linenos", "```py3", "```language-python", "```python\r",
    ],
)  # fmt: skip
def test_python_fences(fence: str) -> None:
    close = "~~~" if "~" in fence else "````"
    (block,), _ = scan((f"{fence}\nx\n{close}\n", MODEL))
    assert block.is_runnable and block.code == "x\n"


@pytest.mark.parametrize(
    "line", ["use ```python", "`python`", "``python", "```print(1)```", "~~python", "-```", "x" * 200]
)
def test_what_is_no_fence(line: str) -> None:
    closed, scanner = scan((f"{line}\nx\n", MODEL))
    assert closed == [] and scanner.block is None
    assert fences.first_fence(line) is None


@pytest.mark.parametrize("language", ["output", "pycon", "python-repl", "text", "", "pythonic", "tool_call"])
def test_other_languages_are_not_run(language: str) -> None:
    closed, _ = scan((f"```{language}\n42\n```\n", MODEL))
    assert [block.is_runnable for block in closed] == [False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("````python\ns = '''\n```\n'''\n````\n", [("python", "s = '''\n```\n'''\n")]),
        ("~~~python\n```\n~~~\n", [("python", "```\n")]),
        ("```python\n~~~\n```\n", [("python", "~~~\n")]),
        ("```python\nx\n`````\n", [("python", "x\n")]),
        ("```python\ndef f():\n    '''\n    ```\n    '''\n```\n", [("python", "def f():\n    '''\n    ```\n    '''\n")]),
        ("1. So:\n\n   ```python\n   if x:\n       y\n   ```\n", [("python", "if x:\n    y\n")]),
        ("- ```python\n  if x:\n      y\n  ```\n", [("python", "if x:\n    y\n")]),
        ("\t```python\n\tif x:\n\t\ty\n\t```\n", [("python", "if x:\n    y\n")]),
        ("   ```python\nif x:\n    y\n   ```\n", [("python", "if x:\n    y\n")]),
        ("  ```python\n  x\n y\n\n  z\n  ```\n", [("python", "x\ny\n\nz\n")]),
        ("> ```python\n> if x:\n>     y\n> ```\n", [("python", "if x:\n    y\n")]),
        ("```python\n- ```\n> ```\n```\n", [("python", "- ```\n> ```\n")]),
        ("```python\nx\n```", [("python", "x\n")]),
        ("```python\nx", [("python", "x\n")]),
        ("```python\n", [("python", "")]),
        ("```output\nnever closed\n```python\nx\n```\n", [("output", "never closed\n"), ("python", "x\n")]),
        ("```\n```\n```\n", [("", ""), ("", "")]),
        ("a\n```py\nx\n```\nb\n```\ny\n```\n", [("py", "x\n"), ("", "y\n")]),
    ],
)  # fmt: skip
def test_blocks_of_a_text(text: str, expected: list[tuple[str, str]]) -> None:
    assert codes(text) == expected


def test_only_the_model_makes_a_block_runnable() -> None:
    template, _ = scan(("Template:\n```python\ndef f():\n    ...\n```\n\n```python\n", HINT))
    assert [block.is_runnable for block in template] == [False]
    closed, _ = scan(("Use it.\n```python\n", HINT), ("print(2)\n```\n", MODEL))
    assert [(block.code, block.is_runnable) for block in closed] == [("print(2)\n", True)]


def test_an_info_string_abandons_an_open_block() -> None:
    closed, _ = scan(("```output\nnever closed\n```python\nprint(3)\n```\n", MODEL))
    assert [(block.language, block.code) for block in closed] == [("python", "print(3)\n")]


def test_a_text_may_begin_inside_a_block() -> None:
    (first, second) = fences.blocks("x = 1\n```\nSo:\n```py\ny\n```", opened="python")
    assert (first.code, first.closed_by) == ("x = 1\n", MODEL) and second.code == "y\n"
    scanner = FenceScanner()
    scanner.feed("```python\nx", MODEL)
    scanner.reset()
    assert scanner.block is None and scanner.feed("```\ny\n```\n", MODEL)[0].code == "y\n"


def test_blocks_are_cut_out_of_a_text() -> None:
    text = "a\n```python\nx\n```\nb\n```output\ny\n"
    assert fences.without_blocks(text, frozenset({"output"})) == "a\n```python\nx\n```\nb\n\n"
    assert fences.without_blocks(text, fences.PYTHON) == "a\n\nb\n```output\ny\n"
    assert fences.without_closed_blocks(text) == "a\nb\n```output\ny\n"
    assert fences.first_fence("a\n  ```py\n") == (2, True) and fences.first_fence("`\n```") == (2, False)


LINES = st.sampled_from(
    ["```", "```python", "````", "~~~", "~~~py", "  ```", "    ```", "- ```python", "> ```", "``", "x = 1", "    y", "", "\t```",
     "> x", "```text a", "` ```", "1. ", "```\r"]
)  # fmt: skip
TEXTS = st.lists(LINES | st.text(alphabet="`~ \n>-1.px", max_size=8), max_size=24).map("\n".join)


@given(TEXTS, st.lists(st.integers(0, 400), max_size=24))
def test_a_stream_gives_the_blocks_of_the_whole(text: str, cuts: list[int]) -> None:
    places = sorted(min(cut, len(text)) for cut in cuts)
    scanner = FenceScanner()
    streamed = []
    for start, end in zip([0, *places], [*places, len(text)], strict=True):
        streamed += scanner.feed(text[start:end], MODEL)
    ended = scanner.finish(MODEL)
    streamed += [ended] if ended is not None else []
    whole = fences.blocks(text)
    assert streamed == [block for block in whole if block.closed_by is not None]
    for block in whole:
        assert 0 <= block.start < block.end <= len(text)


@given(TEXTS)
def test_a_line_that_is_a_fence_was_seen_coming(text: str) -> None:
    scanner = FenceScanner()
    for character in text:
        opened, coming = scanner.block, scanner.may_be_fence
        scanner.feed(character, MODEL)
        if scanner.block is not opened:
            assert coming and character == "\n"


@pytest.mark.parametrize(
    "text",
    [
        "```\n" * 30_000, "```python\n" * 30_000, "`" * 1_000_000, " >" * 500_000 + "```", "```" + " " * 1_000_000 + "`",
        "> " * 40 + "```\n" + "> x\n" * 30_000, "x```" * 100_000, "1. " * 300_000 + "```",
    ],
    ids=range(8),
)  # fmt: skip
def test_time_is_linear(text: str) -> None:
    started = time.process_time()
    fences.blocks(text)
    fences.first_fence(text)
    fences.without_blocks(text, fences.PYTHON)
    assert time.process_time() - started < 2


def test_a_long_line_in_small_pieces() -> None:
    scanner = FenceScanner()
    started = time.process_time()
    for _ in range(50_000):
        scanner.feed("abcdefghij", MODEL)
        assert not scanner.may_be_fence
    assert time.process_time() - started < 2


def test_a_copy_is_independent() -> None:
    _, scanner = scan(("```python\nx = 1\n", MODEL))
    twin = scanner.copy()
    scanner.feed("y = 2\n", MODEL)
    assert twin.feed("```\n", MODEL)[0].code == "x = 1\n"
    assert scanner.feed("```\n", MODEL)[0].code == "x = 1\ny = 2\n"
