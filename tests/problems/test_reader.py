"""The same question twice: one problem when the answers agree, refused with both lines when they do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selftaught.errors import DataError
from selftaught.problems.load import load_file, read_files
from selftaught.problems.reader import ProblemReader

Row = dict[str, Any]


def write(path: Path, *rows: Row) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"answer": "7"}, {"answer": "7"}),
        ({"answer": "7"}, {"answer": 7}),
        ({"answer": "0.5"}, {"answer": "1/2"}),
        ({"answer": "$x + 1$"}, {"answer": "x+1"}),
        ({"answer": "7"}, {"answer": "7", "level": 3}),
        ({"answer": "7"}, {"answer": "7", "id": ""}),
        ({"answer": "B", "choices": ["x", "y"]}, {"answer": "(b)", "choices": ["x", "y"]}),
        ({"tests": [{"input": "1", "output": "2"}]}, {"tests": [{"input": "1", "output": "2"}]}),
        ({"answer": "7", "id": "a"}, {"answer": "7", "id": "a"}),
    ],
)
def test_a_repetition_is_dropped_and_counted(tmp_path: Path, first: Row, second: Row) -> None:
    file = write(tmp_path / "p.jsonl", {"problem": "What is it?", **first}, {"problem": "What  is it?\n", **second})
    reader = ProblemReader()
    assert len(read_files([file], reader)) == 1
    assert reader.counts.repeated == 1
    assert reader.counts.lines("F") == ["F: 1 problems from 2 rows; left out: 1 repeated."]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"answer": "7"}, {"answer": "8"}),
        ({"answer": "A", "choices": ["x", "y"]}, {"answer": "B", "choices": ["x", "y"]}),
        ({"tests": [{"input": "1", "output": "2"}]}, {"tests": [{"input": "1", "output": "3"}]}),
        ({"answer": "1"}, {"tests": [{"input": "1", "output": "3"}]}),
        ({"answer": "7", "id": "a"}, {"answer": "8", "id": "a"}),
    ],
)
def test_a_contradiction_is_refused_with_both_lines(tmp_path: Path, first: Row, second: Row) -> None:
    file = write(
        tmp_path / "p.jsonl", {"problem": "Q", **first}, {"problem": "R", "answer": "1"}, {"problem": "Q", **second}
    )
    with pytest.raises(DataError) as caught:
        load_file(file)
    assert f"{file}:3: " in str(caught.value) and "line 1" in str(caught.value)
    assert "another answer" in str(caught.value)


def test_the_same_words_over_other_options_are_another_question(tmp_path: Path) -> None:
    rows = [{"problem": "Which is even?", "choices": [str(n), str(n + 1)], "answer": "A"} for n in (2, 4, 6)]
    file = write(tmp_path / "p.jsonl", *rows, rows[1])
    problems = load_file(file)
    assert len(problems) == len({problem.id for problem in problems}) == 3
    assert problems == load_file(file)


def test_an_id_belongs_to_one_question(tmp_path: Path) -> None:
    file = write(
        tmp_path / "p.jsonl",
        {"id": "a", "problem": "Q", "answer": "1"},
        {"id": "a", "problem": "R", "answer": "1"},
    )
    with pytest.raises(DataError, match=r":2: id 'a' stands in line 1 already, with another question"):
        load_file(file)


def test_a_question_under_two_ids_is_two_problems(tmp_path: Path) -> None:
    rows = [{"id": name, "problem": "Q", "answer": "1"} for name in "ab"]
    assert len(load_file(write(tmp_path / "p.jsonl", *rows))) == 2


@pytest.mark.parametrize(
    ("row", "advice"),
    [
        ({"question": "q", "final": "1"}, "`question` is there: did you mean --map problem=question?"),
        ({"question": "q", "target": "1"}, "--map problem=question,answer=target?"),
        ({"prompt": "q", "answer": "1"}, "--map problem=prompt?"),
        ({"problem": "q", "gold": "1"}, "--map answer=gold?"),
        ({"Frage": "q"}, "The row has Frage; name the right one with --map problem=COLUMN"),
        ({"problem": "q", "answer": None}, "--drop 'answer is empty'"),
    ],
)
def test_advice_for_columns_under_other_names(tmp_path: Path, row: Row, advice: str) -> None:
    with pytest.raises(DataError) as caught:
        load_file(write(tmp_path / "p.jsonl", row))
    assert advice in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_limit_counts_problems_and_not_rows(tmp_path: Path) -> None:
    rows = [{"problem": f"q{n // 2}", "answer": "1"} for n in range(8)]
    assert [p.problem for p in load_file(write(tmp_path / "p.jsonl", *rows), limit=3)] == ["q0", "q1", "q2"]
