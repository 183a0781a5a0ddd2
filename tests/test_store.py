"""Files between stages: nothing lost or doubled by a kill, one clear line for each kind of bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selftaught.errors import DataError
from selftaught.records import Problem, ProblemKind
from selftaught.store import JsonlWriter, parse_object, read_jsonl, repair_tail, write_atomic, write_json, write_records


def problem(number: int, text: str = "Why?") -> Problem:
    return Problem(id=f"p{number}", problem=text, kind=ProblemKind.MATH, answer=str(number))


def test_round_trip_keeps_order(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "problems.jsonl"
    with JsonlWriter(path) as writer:
        for number in range(5):
            writer.write(problem(number))
    assert [record.id for record in read_jsonl(path, Problem)] == ["p0", "p1", "p2", "p3", "p4"]


def test_writer_appends_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    write_records(path, [problem(0)])
    with JsonlWriter(path) as writer:
        writer.write(problem(1))
    assert len(list(read_jsonl(path, Problem))) == 2


@given(text=st.text(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.jsonl"
    assert write_records(path, [problem(0, text)]) == 1
    assert path.read_bytes().count(b"\n") == 1
    assert next(read_jsonl(path, Problem)).problem == text


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_torn_tail_is_skipped_by_readers_and_cut_by_writers(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "problems.jsonl"
    write_records(path, [problem(0), problem(1)])
    data = path.read_bytes()
    path.write_bytes(data[:-cut])
    assert [record.id for record in read_jsonl(path, Problem)] == ["p0"]
    with JsonlWriter(path) as writer:
        writer.write(problem(2))
    assert [record.id for record in read_jsonl(path, Problem)] == ["p0", "p2"]


def test_repair_tail_of_a_file_without_any_newline(tmp_path: Path) -> None:
    path = tmp_path / "torn"
    path.write_bytes(b"x" * 200_000)
    assert repair_tail(path) == 200_000
    assert path.read_bytes() == b""


def test_repair_tail_finds_a_newline_far_back(tmp_path: Path) -> None:
    path = tmp_path / "torn"
    path.write_bytes(b"{}\n" + b"x" * 150_000)
    assert repair_tail(path) == 150_000
    assert path.read_bytes() == b"{}\n"


def test_repair_tail_leaves_whole_and_absent_files(tmp_path: Path) -> None:
    path = tmp_path / "whole"
    path.write_bytes(b"{}\n")
    assert repair_tail(path) == 0
    assert repair_tail(tmp_path / "absent") == 0


def test_sigkill_loses_at_most_the_record_in_flight(tmp_path: Path) -> None:
    path = tmp_path / "killed.jsonl"
    script = (
        "import sys; from pathlib import Path\n"
        "from selftaught.records import Problem, ProblemKind; from selftaught.store import JsonlWriter\n"
        "writer = JsonlWriter(Path(sys.argv[1]))\n"
        "for n in range(10**9): writer.write(Problem(id=f'p{n}', problem='x' * 5000, kind=ProblemKind.MATH))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(path)]) as process:
        deadline = time.monotonic() + 30
        while not (path.exists() and path.stat().st_size > 500_000):
            assert time.monotonic() < deadline, "the writer wrote nothing"
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    repair_tail(path)
    ids = [record.id for record in read_jsonl(path, Problem)]
    assert ids == [f"p{number}" for number in range(len(ids))]
    assert len(ids) >= 90


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("not json", "2: not JSON ("),
        ('{"id": "p"}', "2: problem is missing"),
        ('{"id": "p", "problem": "q", "kind": "essay"}', "2: kind is 'essay'; expected one of math, choice, code"),
        ("[]", "2: the line is []; expected a mapping"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path: Path, line: str, expected: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(problem(0).to_json() + "\n" + line + "\n")
    with pytest.raises(DataError) as caught:
        list(read_jsonl(path, Problem))
    assert expected in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    from selftaught.records import Grade, Outcome

    grade = Grade(trajectory_id="t", problem_id="p", outcome=Outcome.WRONG, correct=False, path="none")
    path = tmp_path / "grades.jsonl"
    path.write_text(grade.model_copy(update={"schema_version": 99}).to_json() + "\n")
    with pytest.raises(DataError, match="schema_version is 99"):
        list(read_jsonl(path, Grade))


def test_blank_lines_are_skipped_but_counted(tmp_path: Path) -> None:
    path = tmp_path / "blank.jsonl"
    path.write_text("\n" + problem(0).to_json() + "\n\nnot json\n")
    with pytest.raises(DataError, match=":4: "):
        list(read_jsonl(path, Problem))


def test_absent_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        list(read_jsonl(tmp_path / "absent.jsonl", Problem))


def test_write_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "report.json", {"accuracy": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_write_json_keeps_key_order_and_unicode(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_json(path, {"b": "±", "a": 1})
    assert list(json.loads(path.read_text())) == ["b", "a"]
    assert "±" in path.read_text()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def chunks() -> object:
        yield b"half"
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_atomic(path, chunks())  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + problem(0).to_json().encode() + b"\r\n" + problem(1).to_json().encode() + b"\n")
    assert [record.id for record in read_jsonl(path, Problem)] == ["p0", "p1"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{broken", "f:2: not JSON"),
        (b"[1]", "f:2: a JSON list"),
        (b'{"problem": "q"}', "f:2: no 'id'"),
        (b"\xff\xfe", "f:2: not JSON"),
        (b"[" * 100_000, "f:2: not JSON"),
    ],
)
def test_a_line_that_is_no_object_is_named(line: bytes, said: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_object(line, "f:2", "id")
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_half_of_a_character_pair_never_breaks_a_file(tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    with JsonlWriter(path) as writer:
        writer.write(problem(0, "half \ud83d and whole \ud83d\ude00"))
        writer.write(problem(1))
    assert [record.problem for record in read_jsonl(path, Problem)] == ["half \ufffd and whole 😀", "Why?"]
    assert write_records(path, [problem(0, "\udc00")]) == 1
    assert next(read_jsonl(path, Problem)).problem == "\ufffd"
