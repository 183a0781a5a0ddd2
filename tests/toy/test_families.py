"""The families' answers are what their programs print, and code problems can be told apart by their samples."""

from __future__ import annotations

import contextlib
import io
import json
import random
from typing import Any

import pytest

from selftaught.toy.families import GROUPS, Item

FAMILIES = [(group, name) for group, families in GROUPS.items() for name in families]


def _run(program: str, **names: Any) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(program, "<family>", "exec"), {"__name__": "__main__", **names})
    return output.getvalue().strip()


def _draws(group: str, name: str, count: int) -> list[Item]:
    rng = random.Random(f"{group}/{name}")
    return [GROUPS[group][name](rng) for _ in range(count)]


def test_there_are_enough_families() -> None:
    assert len(GROUPS["hard"]) >= 8
    assert len(GROUPS["easy"]) == 4
    assert len(GROUPS["code"]) >= 3
    assert len(GROUPS["choice"]) == 1


@pytest.mark.parametrize(("group", "name"), [pair for pair in FAMILIES if pair[0] != "code"])
def test_programs_print_the_answer(group: str, name: str) -> None:
    for item in _draws(group, name, 12):
        for program in item.programs:
            assert _run(program) == item.answer


@pytest.mark.parametrize("name", list(GROUPS["code"]))
def test_only_the_right_draft_passes_the_tests(name: str) -> None:
    for item in _draws("code", name, 20):
        passed = []
        for draft in item.drafts:
            space: dict[str, Any] = {}
            exec(draft.program, space)
            results = []
            for test in item.tests:
                arguments = [json.loads(line) for line in test.input.split("\n")]
                results.append(space["solve"](*arguments) == json.loads(test.output))
            passed.append(all(results))
            public = [good for good, test in zip(results, item.tests, strict=True) if test.public]
            assert all(public) or not any(public), "public samples must tell the readings apart"
        assert passed == [index == item.right for index in range(2)]
        assert all(sample in item.question for sample in item.samples)


def test_choices_hold_the_value_once() -> None:
    for item in _draws("choice", "pick_option", 50):
        assert len(set(item.choices)) == 4
        assert item.choices["ABCD".index(item.answer or "")] == item.value


@pytest.mark.parametrize(("group", "name"), [pair for pair in FAMILIES if pair[0] != "code"])
def test_working_has_one_place_for_the_guess(group: str, name: str) -> None:
    for item in _draws(group, name, 10):
        assert all(text.count("{guess}") == 1 for text in item.working)
