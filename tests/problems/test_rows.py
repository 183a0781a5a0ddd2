"""Rows of every kind of file: the same problems come out of each, and what is broken is named with its place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from selftaught.errors import DataError
from selftaught.problems import load_file
from selftaught.problems.rows import read_rows

ROWS: list[dict[str, Any]] = [
    {"id": "m", "problem": '1+1, "quoted"?', "answer": "2"},
    {"id": "n", "problem": "Zwei\nZeilen, 数", "answer": "0.5"},
]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


def csv_text() -> str:
    import csv
    import io

    out = io.StringIO()
    writer = csv.DictWriter(out, ["id", "problem", "answer"])
    writer.writeheader()
    writer.writerows(ROWS)
    return out.getvalue()


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("p.jsonl", LINES.encode()),
        ("p.ndjson", b"\xef\xbb\xbf" + LINES.encode()),
        ("p.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)),
        ("p.json", json.dumps(ROWS).encode()),
        ("p.json", b"\xef\xbb\xbf" + json.dumps(ROWS, indent=1).encode()),
        ("p.json", LINES.encode()),
        ("p.json", json.dumps({"version": 1, "data": ROWS}).encode()),
        ("p.json.gz", gzip.compress(json.dumps(ROWS).encode(), mtime=0)),
        ("p.csv", csv_text().encode()),
        ("p.csv", b"\xef\xbb\xbf" + csv_text().encode()),
        ("p.csv.gz", gzip.compress(csv_text().encode(), mtime=0)),
        ("p", LINES.encode()),
    ],
)
def test_every_kind_of_file(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    problems = load_file(tmp_path / name)
    assert [(p.id, p.problem, p.answer) for p in problems] == [(r["id"], r["problem"], r["answer"]) for r in ROWS]


def test_parquet_with_nested_values_dates_and_missing_ones(tmp_path: Path) -> None:
    import datetime
    from decimal import Decimal

    rows = [
        {
            "id": "a",
            "problem": "P",
            "answer": Decimal("2.50"),
            "when": datetime.date(2024, 8, 1),
            "score": float("nan"),
            "tags": ["x", "y"],
            "nest": {"deep": [{"a": 1}]},
        }
    ]
    (problem,) = load_file(write_parquet(tmp_path / "p.parquet", rows))
    assert problem.answer == "2.50"
    assert problem.metadata == {"when": "2024-08-01", "score": None, "tags": ["x", "y"], "nest": {"deep": [{"a": 1}]}}


def test_a_parquet_file_cut_short_is_refused(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "p.parquet", ROWS)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"p\.parquet is not a Parquet file that can be read"):
        load_file(file)
    file.write_bytes(b"")
    with pytest.raises(DataError, match="Parquet"):
        load_file(file)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("p.jsonl", b'{"id": "a", "problem": "q", "answer": 1e400}\n', "p.jsonl:1: the number 1e400 is too large"),
        ("p.jsonl", b'{"problem": "q", "answer": "1", "x": {"y": [-1e999]}}\n', "too large to hold"),
        ("p.jsonl", b'{"problem": "q", "answer": Infinity}\n', "Infinity is not JSON"),
        ("p.jsonl", b'{"problem": "q", "answer": ' + b"9" * 5000 + b"}\n", "4300 digits"),
        (
            "p.jsonl",
            b'{"id": "a", "problem": "half \\ud83d", "answer": "1"}\n',
            "p.jsonl:1: problem: half of a character",
        ),
        ("p.jsonl", b'{"problem": "q", "tests": [{"input": "\\udc00", "output": ""}]}\n', "tests.0.input: half"),
        ("p.jsonl", b'{"problem": "q", "answer": "1"}\n{"problem": "q2", "answ', "p.jsonl:2: not JSON"),
        ("p.jsonl", b'\n\n{"problem": "q", "answer": "1"} x\n', "p.jsonl:3: not JSON"),
        ("p.json", b'[{"problem": "q"}, 3]', "p.json, row 1: nothing to grade by"),
        ("p.json", b'[{"problem": "q", "answer": "1"}, 3]', "p.json, row 2: a JSON int"),
        ("p.json", b'[{"problem": "q", "answer": "1"', "p.json: not JSON"),
        ("p.json", b'"text"', "expected a list of objects"),
        ("p.csv", b"id,problem,answer\na,q,1\nb,one, two,3\n", "p.csv:3: 4 fields, but the header has 3"),
        ("p.csv", b"id,problem,answer\na,q\n", "p.csv:2: nothing to grade by"),
        ("p.csv", b"id,problem,id\na,q,1\n", "column 'id' stands twice"),
        ("p.csv", b'id,problem,answer\na,"open,1\n', "p.csv:"),
        ("p.csv", b"id,problem,answer\na,\xff\xfe,1\n", "not UTF-8"),
        ("p.jsonl.gz", b"no gzip at all", "cannot be unpacked"),
        ("p.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)[:-12], "cannot be unpacked"),
        ("p.jsonl", b"", "holds no problem"),
        ("p.jsonl", b"\xef\xbb\xbf", "holds no problem"),
        ("p.csv", b"", "holds no problem"),
    ],
)
def test_what_is_broken_is_said_in_one_line(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        load_file(tmp_path / name)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    str(caught.value).encode()


def test_whole_pairs_of_surrogates_are_characters(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_bytes(b'{"problem": "\\ud83d\\ude00?", "answer": "1"}\n')
    assert load_file(file)[0].problem == "😀?"


def test_numbers_are_written_as_people_write_them(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    values = ["3", "0.5", "1e-7", "2.50", "12345678901234567890", "-4"]
    file.write_text("".join(f'{{"problem": "q{n}", "answer": {value}}}\n' for n, value in enumerate(values)))
    answers = [problem.answer for problem in load_file(file)]
    assert answers == ["3", "0.5", "0.0000001", "2.5", "12345678901234567890", "-4"]


def test_a_csv_cell_may_hold_json_and_be_long(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    tests = json.dumps([{"input": "x" * 200_000, "output": "1"}])
    quoted = tests.replace('"', '""')
    file.write_text(f'problem,tests,choices,answer\nEcho.,"{quoted}",,\nWhich?,,"[""x"", ""y""]",B\n')
    code, choice = load_file(file)
    assert code.tests is not None and len(code.tests[0].input) == 200_000
    assert choice.choices == ["x", "y"]


def test_lines_are_kept_as_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"b": 1,  "a": 2}\r\n')
    (row,) = read_rows(file)
    assert (row.line, row.place) == (b'{"b": 1,  "a": 2}', f"{file}:1")
