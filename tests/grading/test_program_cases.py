"""Programs with one right verdict: ends and crashes, forgeries, ways to read and write, outputs, blocks inside a response.

``program_cases.jsonl`` has the format of ``grade --programs`` with ``expected`` (pass, fail) and ``why``. ``tests_gen`` is an
expression that makes tests too long to write down. The given cases are judged along with them where they are at hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selftaught.grading import Grader
from selftaught.grading.batch import grade_programs

HERE = Path(__file__).parent
FILES = (HERE / "program_cases.jsonl", HERE.parents[2] / "shared" / "cases" / "programs.jsonl")


def cases() -> Iterator[dict[str, Any]]:
    for path in FILES:
        for line in path.read_text("utf-8").splitlines() if path.exists() else ():
            case = json.loads(line)
            if "tests_gen" in case:
                case["tests"] = eval(case["tests_gen"])
            if not case.get("policy"):
                yield case


@pytest.mark.slow
def test_every_program_gets_its_verdict(tmp_path: Path, grader: Grader) -> None:
    every = {case["id"]: case for case in cases()}
    assert len(every) >= 200
    path = tmp_path / "programs.jsonl"
    path.write_text("".join(json.dumps(case) + "\n" for case in every.values()), "utf-8")
    results = {result.id: result for result in grade_programs(path, grader)}
    wrong = {
        name: f"{result.passed}: {result.reason} ({every[name]['why']})"
        for name, result in results.items()
        if result.passed != (every[name]["expected"] == "pass")
    }
    assert wrong == {}
    assert results.keys() == every.keys()
