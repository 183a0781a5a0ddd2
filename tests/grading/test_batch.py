"""The graders on their own: one JSON object a line, order kept, a clear line for what is no request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught.errors import DataError
from selftaught.grading import Grader
from selftaught.grading.batch import grade_pairs, grade_programs


def write(folder: Path, *lines: str) -> Path:
    file = folder / "in.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return file


def program(**fields: object) -> str:
    return json.dumps({"id": "a", "solution": "print(input())", "tests": [{"input": "1", "output": "1"}], **fields})


def test_programs_keep_their_order(tmp_path: Path, grader: Grader) -> None:
    slow = "import time\ntime.sleep(0.3)\nprint(input())"
    file = write(tmp_path, program(id="slow", solution=slow), "", program(id=7), program(id="c", solution="print(2)"))
    results = list(grade_programs(file, grader))
    assert [(one.id, one.passed) for one in results] == [("slow", True), ("7", True), ("c", False)]


def test_values_that_are_no_text_are_their_json(tmp_path: Path, grader: Grader) -> None:
    digits = "9" * 6000
    add = '{"id": "a", "kind": "function", "fn_name": "f", "solution": "def f(a, b):\\n    return [a + b]", "tests": [{"input": %s, "output": %s}]}'
    file = write(
        tmp_path,
        add % ("[1, 2]", "[3]"),
        add % (f"[{digits}, 0]", f"[{digits}]"),
        add % (f"[{digits}, 1]", f"[{digits}]"),
        add % ("[1.5, -1.5]", "[0.0]"),
        '{"id": "b", "solution": "print(3)", "tests": [{"output": 3}]}',
        f'{{"id": "c", "solution": "print(\'9\' * 6000)", "tests": [{{"output": {digits}}}]}}',
        '{"id": "d", "solution": "print(\'\\ud800\' and 1)", "tests": [{"output": 1}]}',
    )
    assert [one.passed for one in grade_programs(file, grader)] == [True, True, False, True, True, True, True]


def test_a_response_is_looked_through_with_the_function_in_mind(tmp_path: Path, grader: Grader) -> None:
    solution = "```python\ndef f(x):\n    return x\n```\nUse:\n```python\nprint(f(1))\n```\n"
    file = write(tmp_path, program(kind="function", fn_name="f", solution=solution), program(kind="function"))
    first, second = grade_programs(file, grader)
    assert first.passed and not second.passed and second.reason == "kind is function without fn_name"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "in.jsonl:2: not JSON"),
        ('{"id": "a"}', "in.jsonl:2: solution is missing"),
        (program(timeout=-1), "in.jsonl:2: timeout"),
        ("[" * 100_000, "in.jsonl:2: not JSON"),
    ],
    ids=range(4),
)
def test_a_bad_line_is_named(line: str, message: str, tmp_path: Path, grader: Grader) -> None:
    with pytest.raises(DataError, match=message):
        list(grade_programs(write(tmp_path, program(), line), grader))


def test_pairs(tmp_path: Path, grader: Grader) -> None:
    file = write(
        tmp_path,
        '{"id": 1, "prediction": "\\\\boxed{\\ud8003}", "gold": "4"}',
        '{"id": 2, "prediction": "3", "gold": 3}',
    )
    assert [(one.id, one.correct) for one in grade_pairs(file, grader)] == [("1", False), ("2", True)]
