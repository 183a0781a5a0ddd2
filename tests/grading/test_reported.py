"""Responses in the style of public failure reports of graders, each with the verdict of a careful reader, by kind.

Both files have the format of ``grade --pairs``, with ``expected`` beside it; the kind is the ``id`` without its number.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from selftaught.grading import Grader

HERE = Path(__file__).parent


def _by_kind(name: str) -> dict[str, list[dict[str, Any]]]:
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        kinds[case["id"].rpartition(" ")[0]].append(case)
    return dict(kinds)


CHOICE = _by_kind("reported_choice.jsonl")
MATHS = _by_kind("reported_maths.jsonl")


def _wrong(cases: list[dict[str, Any]], grader: Grader) -> list[tuple[str, str, str, str | None, str]]:
    wrong = []
    for case in cases:
        verdict = grader.grade_pair(case["kind"], case["prediction"], case["gold"])
        if verdict.correct is not case["expected"]:
            said = "false positive" if verdict.correct else "false negative"
            wrong.append((said, case["prediction"], case["gold"], verdict.extracted, verdict.path))
    return wrong


@pytest.mark.parametrize("kind", CHOICE)
def test_choices(kind: str, grader: Grader) -> None:
    assert _wrong(CHOICE[kind], grader) == []


@pytest.mark.parametrize("kind", MATHS)
def test_maths(kind: str, grader: Grader) -> None:
    assert _wrong(MATHS[kind], grader) == []


def test_four_in_ten_of_the_cases_are_wrong_answers() -> None:
    cases = [case for kinds in (CHOICE, MATHS) for several in kinds.values() for case in several]
    assert sum(not case["expected"] for case in cases) >= 0.4 * len(cases)
