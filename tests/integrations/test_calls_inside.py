"""The steps themselves, without a sandbox: what one is asked and what it answers."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from typing import Any

import pytest

from selftaught.integrations import calls_inside

Step = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def step() -> Step:
    """A fresh interpreter's."""
    return runpy.run_path(calls_inside.__file__)["step"]  # type: ignore[no-any-return]


def begin(code: str, awaited: bool = False, **more: Any) -> dict[str, Any]:
    return {"awaited": awaited, "functions": ["f"], "variables": {}, "code": code, **more}


@pytest.mark.parametrize("awaited", [False, True])
def test_a_call_is_handed_out_and_its_result_taken_in(step: Step, awaited: bool) -> None:
    call = "await f(1, key='v')" if awaited else "f(1, key='v')"
    asked = step(begin(f"x = {call}\nx + 1", awaited))
    assert asked == {"calls": [{"number": 1, "name": "f", "args": [1], "kwargs": {"key": "v"}}]}
    assert step({"results": [{"number": 1, "value": 41}]}) == {"value": 42}


@pytest.mark.parametrize("awaited", [False, True])
def test_an_error_of_the_host_has_its_number(step: Step, awaited: bool) -> None:
    step(begin("await f()" if awaited else "f()", awaited))
    answer = step({"results": [{"number": 1, "error": "ValueError: no"}]})
    assert answer["number"] == 1 and answer["error"].endswith("HostError: ValueError: no\n")


def test_names_stay_and_variables_come(step: Step) -> None:
    assert step(begin("x = n", variables={"n": 2})) == {"value": None}
    assert step(begin("x * 2")) == {"value": 4}
    assert step(begin("")) == {"value": None}


def test_a_codec_of_the_host_replaces_json(step: Step) -> None:
    codec = "def encode(value): return repr(value)\ndef decode(value): return eval(value)"
    assert step(begin("{n}", codec=codec, variables={"n": "(1, 2)"})) == {"value": "{(1, 2)}"}
