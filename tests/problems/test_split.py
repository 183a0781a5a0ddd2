"""``selftaught decontaminate`` on files of other shapes: what it writes is read again without a mapping."""

from __future__ import annotations

import json
from pathlib import Path

from selftaught.problems import ProblemQuery, load_problems
from selftaught.problems.decontaminate import Decontaminator
from selftaught.problems.split import split_file
from selftaught.records import Problem, ProblemKind

BENCH = Decontaminator([("b", [Problem(id="b1", problem="What is 17*23?", kind=ProblemKind.MATH, answer="391")])])


def test_mapped_rows_are_written_in_our_own_format(tmp_path: Path) -> None:
    rows = [
        {"q": "What is 17 × 23?", "a": "391"},
        {"q": "What is 2+2?", "a": "4", "level": 1},
        {"q": "Prove it.", "a": "proof"},
        {"q": "What is 2+2?", "a": "4"},
    ]
    file = tmp_path / "p.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    query = ProblemQuery.of(file, mapping="problem=q,answer=a", drop="answer in proof")
    lines: list[str] = []
    summary = split_file(query, BENCH, tmp_path / "out", lines.append)
    assert (summary.num_in, summary.num_kept, summary.num_removed) == (2, 1, 1)
    assert summary.left_out == {"drop answer in proof": 1, "repeated": 1}
    assert len(lines) == 1
    kept = load_problems(tmp_path / "out" / "kept.jsonl")
    assert [(problem.problem, problem.answer, problem.metadata) for problem in kept] == [
        ("What is 2+2?", "4", {"level": 1})
    ]
    (removed,) = load_problems(tmp_path / "out" / "removed.jsonl")
    assert removed.metadata["matched_id"] == "b1"


def test_rows_of_our_own_keep_their_bytes(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_bytes(
        b'\xef\xbb\xbf{"problem":  "What is 3+3?", "answer": 6}\r\n{"problem": "What is 17*23?", "answer": 391}'
    )
    summary = split_file(file, BENCH, tmp_path / "out")
    assert summary.num_removed == 1
    assert (tmp_path / "out" / "kept.jsonl").read_bytes() == b'{"problem":  "What is 3+3?", "answer": 6}\n'
    (row,) = [json.loads(line) for line in (tmp_path / "out" / "removed.jsonl").read_text().splitlines()]
    assert row["id"] == load_problems(file)[1].id
