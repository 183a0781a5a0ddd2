from __future__ import annotations

import random

import pytest

from selftaught.records import SpanSource
from selftaught.rollouts.fences import Block, FenceScanner

MODEL, HINT = SpanSource.MODEL, SpanSource.HINT


def scan(*pieces: tuple[str, SpanSource]) -> tuple[list[Block], FenceScanner]:
    scanner = FenceScanner()
    closed = [block for text, source in pieces for block in scanner.feed(text, source)]
    return closed, scanner


def test_a_block_closes_with_its_newline() -> None:
    closed, scanner = scan(("Let me see.\n```python\nprint(1)\n```", MODEL))
    assert closed == [] and scanner.block is not None and scanner.may_be_fence
    (block,) = scanner.feed("\n", MODEL)
    assert block.code == "print(1)\n" and block.is_runnable and scanner.block is None


@pytest.mark.parametrize("fence", ["```python", "``` python ", "```Python", "````py", "  ```python3"])
def test_python_fences(fence: str) -> None:
    (block,), _ = scan((f"{fence}\nx\n```\n", MODEL))
    assert block.is_runnable


@pytest.mark.parametrize("line", ["use ```python", "```python code here!", "`python`", "``python", "    ```python"])
def test_what_is_no_fence(line: str) -> None:
    closed, scanner = scan((f"{line}\nx\n", MODEL))
    assert closed == [] and scanner.block is None


def test_only_the_model_makes_a_block_runnable() -> None:
    template, _ = scan(("Template:\n```python\ndef f():\n    ...\n```\n\n```python\n", HINT))
    assert [block.is_runnable for block in template] == [False]
    closed, _ = scan(("Use it.\n```python\n", HINT), ("print(2)\n```\n", MODEL))
    assert [(block.code, block.is_runnable) for block in closed] == [("print(2)\n", True)]


def test_other_languages_are_not_run() -> None:
    closed, _ = scan(("```output\n42\n```\n```\nplain\n```\n```text\nx\n```\n", MODEL))
    assert [block.is_runnable for block in closed] == [False, False, False]


def test_an_info_string_abandons_an_open_block() -> None:
    closed, _ = scan(("```output\nnever closed\n```python\nprint(3)\n```\n", MODEL))
    assert [(block.language, block.code) for block in closed] == [("python", "print(3)\n")]


def test_any_cut_gives_the_same_blocks() -> None:
    text = "a `b` c\n```python\nx = '```'\nprint(x)\n\n``\n```\nmore\n```output\n1\n```\n ```python\ny\n ``` \n``` \n"
    whole, _ = scan((text, MODEL))
    for seed in range(200):
        rng = random.Random(seed)
        cuts = sorted(rng.randrange(len(text) + 1) for _ in range(rng.randrange(12)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert scan(*((piece, MODEL) for piece in pieces))[0] == whole


def test_a_copy_is_independent() -> None:
    _, scanner = scan(("```python\nx = 1\n", MODEL))
    twin = scanner.copy()
    scanner.feed("y = 2\n", MODEL)
    assert twin.feed("```\n", MODEL)[0].code == "x = 1\n"
    assert scanner.feed("```\n", MODEL)[0].code == "x = 1\ny = 2\n"
