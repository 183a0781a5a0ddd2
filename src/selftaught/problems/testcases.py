"""Tests of code problems in the shapes that data sets use, as ``TestCase`` records.

Four shapes: a list of ``{input, output}`` (ours, LiveCodeBench, open-r1/codeforces, PrimeIntellect), parallel lists
``{inputs, outputs}`` (APPS, TACO, verl) or ``{input, output}`` (code_contests), and any of them as JSON text.
LiveCodeBench also packs them.
"""

from __future__ import annotations

import base64
import io
import json
import pickle
import zlib
from typing import Any, NoReturn

from selftaught.problems.fields import fail
from selftaught.problems.rows import Row
from selftaught.records import TestCase

MAX_UNPACKED_BYTES = 1 << 30
"""Refuse packed LiveCodeBench tests that unpack to more than this."""


def read_tests(value: Any, fn_name: str | None) -> tuple[list[TestCase] | None, str | None]:
    """Tests in any of the shapes, and the function that they call if they name it. ValueError says what is wrong."""
    if value is None:
        return None, fn_name
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            fail("tests", value, "a list of {input, output}, or one as JSON text")
    if isinstance(value, dict):
        fn_name = fn_name or _name(value.get("fn_name"))
        value = _paired(value, is_call=bool(fn_name))
    if not isinstance(value, list) or not value:
        fail("tests", value, "a list of {input, output} that is not empty")
    fn_name = fn_name or next((name for item in value if (name := _called(item))), None)
    return [_test(item, number, is_call=bool(fn_name)) for number, item in enumerate(value, start=1)], fn_name


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _called(item: Any) -> str | None:
    """The function that a single test names, by itself or in LiveCodeBench's ``metadata.func_name``."""
    if not isinstance(item, dict):
        return None
    details = item.get("metadata")
    return _name(item.get("fn_name")) or _name(details.get("func_name") if isinstance(details, dict) else None)


def _paired(value: Row, *, is_call: bool) -> list[Row]:
    inputs = value.get("inputs", value.get("input"))
    outputs = value.get("outputs", value.get("output"))
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        fail("tests", value, "the lists `inputs` and `outputs`")
    if len(inputs) != len(outputs):
        raise ValueError(f"tests has {len(inputs)} inputs and {len(outputs)} outputs; expected as many")
    if is_call and outputs and all(isinstance(item, list) and len(item) == 1 for item in outputs):
        # APPS and TACO wrap each returned value in a list of one.
        outputs = [item[0] for item in outputs]
    elif not is_call:
        # Some rows hold the lines of a test instead of its text.
        inputs, outputs = ([_lines(item) for item in items] for items in (inputs, outputs))
    return [{"input": given, "output": wanted} for given, wanted in zip(inputs, outputs, strict=True)]


def _lines(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    return value


def _test(item: Any, number: int, *, is_call: bool) -> TestCase:
    if not isinstance(item, dict) or "input" not in item or "output" not in item:
        fail(f"tests[{number}]", item, "an object with `input` and `output`")
    return TestCase(
        input=test_text(item["input"], is_call=is_call, is_input=True),
        output=test_text(item["output"], is_call=is_call, is_input=False),
        public=bool(item.get("public", False)),
    )


def test_text(value: Any, *, is_call: bool, is_input: bool) -> str:
    """A test's text as LiveCodeBench has it: stdin or stdout, or for a function one JSON value a line.

    A value that is no text is written as JSON; the arguments of a call may come as a list.
    """
    if isinstance(value, str):
        return value
    if is_call and is_input and isinstance(value, list):
        return "\n".join(json.dumps(argument) for argument in value)
    return json.dumps(value)


test_text.__test__ = False  # type: ignore[attr-defined]  # not a pytest test


# ------------------------------------------------------------------------------------------------------------ packed


def unpack_tests(value: Any, key: str) -> list[Row]:
    """LiveCodeBench's tests: a list, JSON text, or base64 of zlib of a pickled JSON text.

    Pickled classes are refused.
    """
    if value is None or value == "":
        return []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            value = json.loads(_unpack(value, key))
    if not isinstance(value, list) or not all(
        isinstance(item, dict) and {"input", "output"} <= item.keys() for item in value
    ):
        raise ValueError(f"{key} is not a list of tests; expected objects with `input` and `output`")
    return value


def _unpack(packed: str, key: str) -> str:
    try:
        unzip = zlib.decompressobj()
        data = unzip.decompress(base64.b64decode(packed, validate=True), MAX_UNPACKED_BYTES)
        if unzip.unconsumed_tail:
            raise ValueError(f"more than {MAX_UNPACKED_BYTES} bytes")
        text = _PlainUnpickler(io.BytesIO(data)).load()
    except (ValueError, zlib.error, pickle.UnpicklingError, EOFError, IndexError, AttributeError) as error:
        raise ValueError(
            f"{key} cannot be unpacked ({error}); expected JSON or base64 of zlib of a pickled text"
        ) from None
    if not isinstance(text, str):
        raise ValueError(f"{key} unpacks to {type(text).__name__}; expected a JSON text")
    return text


class _PlainUnpickler(pickle.Unpickler):
    """Unpickles texts, numbers and lists; any class or function is refused, so nothing can run."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"refused to load {module}.{name}")
