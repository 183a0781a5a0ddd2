"""Problem files: what is understood, what is refused and how it is said."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import pytest

from selftaught.errors import ConfigError, DataError
from selftaught.problems import load_file, load_problems, parse_benchmark, problems_digest, render_question
from selftaught.problems.presets.choice import shuffled_by_hash
from selftaught.records import ProblemKind


def write(path: Path, *rows: Any) -> Path:
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def test_kind_is_told_by_what_a_row_holds(tmp_path: Path) -> None:
    file = write(
        tmp_path / "p.jsonl",
        {"id": "m", "problem": "1+1?", "answer": 2, "level": 3},
        {"id": "c", "problem": "Which?", "choices": ["x", "y"], "answer": "b"},
        {"id": "s", "problem": "Echo.", "tests": [{"input": "1", "output": "1"}]},
        {"id": "f", "problem": "Add.", "fn_name": "add", "tests": [{"input": [1, 2], "output": 3}]},
        {"id": "k", "problem": "Pick.", "kind": "choice", "answer": "(C)"},
    )
    problems = load_file(file)
    assert [problem.kind for problem in problems] == [
        ProblemKind.MATH,
        ProblemKind.CHOICE,
        ProblemKind.CODE,
        ProblemKind.CODE,
        ProblemKind.CHOICE,
    ]
    assert problems[0].answer == "2"
    assert problems[0].metadata == {"level": 3}
    assert problems[1].answer == "B"
    assert problems[3].tests is not None
    assert (problems[3].tests[0].input, problems[3].tests[0].output) == ("1\n2", "3")
    assert problems[4].answer == "C"
    assert [p.id for p in load_file(file, limit=2)] == ["m", "c"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "x", "problem": "q"', "not JSON"),
        ("[1, 2]", "a JSON list"),
        ('"text"', "a JSON str"),
        ('{"id": "x", "answer": "1"}', "`problem` is missing"),
        ('{"id": "x", "problem": "", "answer": "1"}', "problem is ''"),
        ('{"id": "x", "problem": "q"}', "nothing to grade by"),
        ('{"id": "x", "problem": "q", "answer": [1]}', "answer is [1]"),
        ('{"id": "x", "problem": "q", "answer": NaN}', "NaN"),
        ('{"id": "x", "problem": "q", "kind": "maths", "answer": "1"}', "did you mean math"),
        ('{"id": "x", "problem": "q", "choices": ["a", "b"], "answer": "C"}', "a letter from A to B"),
        ('{"id": "x", "problem": "q", "choices": ["a"], "answer": "A"}', "2 to 26"),
        ('{"id": "x", "problem": "q", "tests": []}', "not empty"),
        ('{"id": "x", "problem": "q", "tests": [{"input": "1"}]}', "`input` and `output`"),
        ('{"id": "x", "problem": "q", "kind": "code"}', "without `tests`"),
        ('{"id": {"a": 1}, "problem": "q", "answer": "1"}', "id is"),
        ('{"id": "first", "problem": "q2", "answer": "1"}', "stands in line 1 already"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_malformed_line_is_refused_with_its_number(line: str, said: str, tmp_path: Path) -> None:
    file = write(tmp_path / "p.jsonl", {"id": "first", "problem": "q", "answer": "1"}, "", line)
    with pytest.raises(DataError) as caught:
        load_file(file)
    assert f"{file}:3: " in str(caught.value)
    if not line.startswith("[["):
        assert said in str(caught.value)


def test_bytes_that_are_not_utf8_are_refused_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_bytes(b'{"id": "a", "problem": "q", "answer": "1"}\n{"id": "b", "problem": "\xff", "answer": "1"}\n')
    with pytest.raises(DataError, match=r"p\.jsonl:2: byte"):
        load_file(file)


def test_byte_order_mark_crlf_and_a_missing_last_newline(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_bytes(
        b'\xef\xbb\xbf{"id": "a", "problem": "q", "answer": "1"}\r\n{"id": "b", "problem": "r", "answer": "2"}'
    )
    assert [problem.id for problem in load_file(file)] == ["a", "b"]


def test_ids_come_from_the_question_where_there_are_none(tmp_path: Path) -> None:
    first = load_file(write(tmp_path / "a.jsonl", {"problem": "q", "answer": "1"}))
    second = load_file(
        write(tmp_path / "b.jsonl", {"problem": "other", "answer": "1"}, {"problem": "q", "answer": "1"})
    )
    assert first[0].id == second[1].id != second[0].id
    assert problems_digest(first) != problems_digest(second)


def test_empty_and_missing_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no problem"):
        load_file(write(tmp_path / "empty.jsonl"))
    with pytest.raises(DataError, match="no such file"):
        load_problems(str(tmp_path / "missing.jsonl"))
    with pytest.raises(ConfigError, match="Did you mean math500"):
        load_problems("maths500")


def test_livecodebench_rows_with_packed_tests(tmp_path: Path) -> None:
    private = json.dumps([{"input": "3", "output": "4", "testtype": "stdin"}])
    packed = base64.b64encode(zlib.compress(pickle.dumps(private))).decode()
    row = {"question_id": "q1", "question_content": "Next.", "public_test_cases": json.dumps([{"input": "1", "output": "2"}]),
           "private_test_cases": packed, "metadata": "{}", "contest_date": "2024-09-01T00:00:00"}  # fmt: skip
    problem = load_file(write(tmp_path / "l.jsonl", row))[0]
    assert problem.tests is not None
    assert [(test.input, test.public) for test in problem.tests] == [("1", True), ("3", False)]


def test_packed_tests_cannot_run_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (exec, ("raise SystemExit('ran')",))

    packed = base64.b64encode(zlib.compress(pickle.dumps(Evil()))).decode()
    row = {"question_id": "q1", "question_content": "Next.", "public_test_cases": packed}
    with pytest.raises(DataError, match="refused to load"):
        load_file(write(tmp_path / "l.jsonl", row))


def test_gpqa_options_are_ordered_by_a_hash(tmp_path: Path) -> None:
    file = tmp_path / "gpqa_diamond.csv"
    file.write_text(
        "Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3,Record ID\n"
        + "".join(f"Question {n}?,right,w1,w2,w3,r{n}\n" for n in range(80))
    )
    problems = load_file(file)
    assert {problem.answer for problem in problems} == {"A", "B", "C", "D"}
    assert all(
        problem.choices and problem.choices["ABCD".index(problem.answer or "")] == "right" for problem in problems
    )
    assert load_file(file) == problems
    assert all(problem.metadata["secret"] for problem in problems)
    assert shuffled_by_hash("q", ["a", "b"]) == shuffled_by_hash("q", ["b", "a"])


def test_benchmark_names_take_samples_and_windows() -> None:
    spec = parse_benchmark("livecodebench@2024-08-01..2024-11-30:4")
    assert (spec.source, spec.samples, spec.date_from, spec.date_to) == ("livecodebench", 4, "2024-08-01", "2024-11-30")
    assert parse_benchmark("aime24:16").samples == 16
    assert parse_benchmark("../x/my-set.jsonl:2").name == "my-set"
    for wrong in ("aime24:0", "a@2024-09..2024-08"):
        with pytest.raises(ConfigError):
            parse_benchmark(wrong)


def test_a_window_keeps_the_problems_of_its_days(tmp_path: Path) -> None:
    rows = [
        {
            "question_id": str(n),
            "question_content": f"q{n}",
            "public_test_cases": [{"input": "", "output": ""}],
            "contest_date": f"2024-{n:02d}-15T00:00:00",
        }
        for n in range(6, 12)
    ]
    file = write(tmp_path / "lcb.jsonl", *rows)
    assert [problem.id for problem in load_problems(f"{file}@2024-08..2024-09")] == ["8", "9"]
    with pytest.raises(DataError, match="widen"):
        load_problems(f"{file}@2023-01..2023-02")


def test_files_of_the_data_folder_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "aime24.jsonl", {"id": "only", "problem": "q", "answer": "1"})
    monkeypatch.setenv("SELFTAUGHT_DATA", str(tmp_path))
    assert [problem.id for problem in load_problems("aime24")] == ["only"]


def test_user_messages(tmp_path: Path) -> None:
    file = write(
        tmp_path / "p.jsonl",
        {"id": "m", "problem": "1+1? {x}", "answer": "2"},
        {"id": "c", "problem": "Which?", "choices": ["x", "y"], "answer": "B"},
        {"id": "r", "problem": "As it stands.", "answer": "1", "rendered": True},
        {"id": "s", "problem": "Echo.", "tests": [{"input": "1", "output": "1"}]},
        {
            "id": "f",
            "problem": "Add.",
            "starter_code": "def add(a, b):",
            "fn_name": "add",
            "tests": [{"input": "1\n2", "output": "3"}],
        },
    )
    maths, choice, as_is, stdin, function = (render_question(problem) for problem in load_file(file))
    assert maths.startswith("1+1? {x}\n\n")
    assert "\\boxed{}" in maths
    assert "A) x\nB) y\n" in choice
    assert as_is == "As it stands."
    assert "standard input" in stdin
    assert "```python\ndef add(a, b):\n```" in function


def test_every_sample_file_loads(shared_data: Path) -> None:
    no_answer = {"math_train_l35": "answer is empty"}  # two rows of the set have none
    sizes = {
        path.stem: len(load_problems(path, drop=no_answer.get(path.stem), tell=lambda line: None))
        for path in sorted(shared_data.glob("*.jsonl"))
    }
    assert sizes["math_train_l35"] == 8520
    assert sizes["math500"] == 500
    assert sizes["aime24"] == 30
    assert sizes["humaneval"] == 164
    assert sizes["livecodebench_sample"] == 3
