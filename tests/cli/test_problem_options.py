"""``--map`` and ``--drop`` reach every verb that takes problems, and one line says what was recognised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.conftest import RunCli

TAKERS = ("rollout", "eval", "grade", "curate", "decontaminate")


@pytest.mark.parametrize("verb", TAKERS)
def test_every_verb_has_the_options(run_cli: RunCli, verb: str) -> None:
    shown = run_cli(verb, "--help").stdout
    assert "--map" in shown and "--drop" in shown


def test_a_mapped_parquet_file(run_cli: RunCli, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"q": {"text": f"Question {n}?"}, "gold": gold} for n, gold in enumerate(["1", "proof", "2"])]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "p.parquet")
    words = ("decontaminate", tmp_path / "p.parquet", "--against", "toy-test", "--out", tmp_path / "out")
    result = run_cli(*words, "--map", "problem=q.text,answer=gold", "--drop", "answer in proof,", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["left_out"] == {"drop answer in proof,": 1}
    assert "2 problems from 3 rows; left out: 1 by drop 'answer in proof,'." in result.stderr
    kept = [json.loads(line) for line in (tmp_path / "out" / "kept.jsonl").read_text().splitlines()]
    assert [(row["problem"], row["answer"]) for row in kept] == [("Question 0?", "1"), ("Question 2?", "2")]


def test_a_known_set_is_said_in_one_line(run_cli: RunCli, tmp_path: Path) -> None:
    rows = [{"question": f"Q{n}", "final_answer": "1", "difficulty": 3.0, "topic": "t"} for n in range(3)]
    (tmp_path / "p.json").write_text(json.dumps(rows))
    result = run_cli("decontaminate", tmp_path / "p.json", "--against", "toy-test", "--out", tmp_path / "out")
    assert result.exit_code == 0
    (line,) = [line for line in result.stderr.splitlines() if "read as" in line]
    assert line.endswith("p.json: read as DeepMath-103K: 3 problems from 3 rows.")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--map", "probelm=q"), "Did you mean problem?"),
        (("--map", "q"), "expected KEY=COLUMN"),
        (("--drop", "answer"), "cannot be read"),
        ((), "did you mean --map problem=query?"),
    ],
)
def test_what_cannot_be_read_is_one_line(run_cli: RunCli, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "p.jsonl").write_text('{"query": "Q"}\n')
    result = run_cli("decontaminate", tmp_path / "p.jsonl", "--against", "toy-test", "--out", tmp_path / "out", *words)
    assert result.exit_code == 2 and said in result.stderr and "Traceback" not in result.stderr


def test_a_mapping_without_a_file_is_refused(run_cli: RunCli, tmp_path: Path) -> None:
    result = run_cli("grade", tmp_path, "--map", "problem=q")
    assert result.exit_code == 2 and "name it with --problems" in result.stderr
