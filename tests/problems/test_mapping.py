"""``--map`` and ``--drop``: what they mean, and what is said when they cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selftaught.errors import ConfigError, DataError
from selftaught.problems import ProblemQuery, load_problems
from selftaught.problems.drop import DropRule
from selftaught.problems.mapping import FieldMap

Row = dict[str, Any]


def write(path: Path, *rows: Row) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("mapping", "row", "question", "answer"),
    [
        ("problem=question,answer=final_answer", {"question": "Q", "final_answer": 3}, "Q", "3"),
        (
            "problem=prompt.0.content, answer=reward_model.ground_truth",
            {"prompt": [{"role": "user", "content": "Q"}], "reward_model": {"ground_truth": "4"}},
            "Q",
            "4",
        ),
        (
            "problem=prompt.-1.content,answer=a.b",
            {"prompt": [{"content": "S"}, {"content": "Q"}], "a.b": "5"},
            "Q",
            "5",
        ),
        ("problem=q,answer=extra.gold", {"q": "Q", "extra": json.dumps({"gold": ["6"]})}, "Q", "6"),
        ("problem=question", {"question": "Q", "answer": "7"}, "Q", "7"),
        ("problem=q,answer=s", {"q": "Q", "s": "First\nwe see \\boxed{8}."}, "Q", "8"),
        ({"problem": "q", "answer": "a"}, {"q": "Q", "a": 0.5}, "Q", "0.5"),
    ],
)
def test_columns_are_mapped(tmp_path: Path, mapping: Any, row: Row, question: str, answer: str) -> None:
    (problem,) = load_problems(write(tmp_path / "p.jsonl", row), mapping=mapping)
    assert (problem.problem, problem.answer) == (question, answer)


def test_tests_choices_and_metadata_are_mapped(tmp_path: Path) -> None:
    file = write(
        tmp_path / "p.jsonl",
        {
            "q": "Add.",
            "io": json.dumps({"inputs": [[1, 2]], "outputs": [3], "fn_name": "add"}),
            "stars": 4,
            "long": "x" * 500,
            "uuid": "u",
        },
    )
    (problem,) = load_problems(file, mapping="problem=q,tests=io,id=uuid,metadata.level=stars")
    assert problem.id == "u" and problem.fn_name == "add"
    assert [(test.input, test.output) for test in problem.tests or []] == [("1\n2", "3")]
    assert problem.metadata == {"level": 4}


def test_a_mapping_goes_before_a_preset(tmp_path: Path) -> None:
    row = {"problem": "P", "answer": "proof", "question_type": "proof", "short": "9"}
    (problem,) = load_problems(write(tmp_path / "p.jsonl", row), mapping="answer=short")
    assert problem.answer == "9"


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("problem", "expected KEY=COLUMN pairs"),
        ("probelm=question", "Did you mean problem?"),
        ("question=problem", "The key comes first: problem=question."),
        ("problem=", "no column for 'problem'"),
        ("problem=a,problem=b", "twice"),
    ],
)
def test_a_mapping_that_cannot_be_read(mapping: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        FieldMap.parse(mapping)
    assert said in str(caught.value)


def test_a_path_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "p.jsonl", {"question": "Q", "answer": "1"}, {"other": "Q", "answer": "1"})
    with pytest.raises(DataError, match=r":2: `question` \(mapped to problem\) is missing; the row has other, answer"):
        load_problems(file, mapping="problem=question")
    with pytest.raises(DataError, match="nothing to grade by"):
        load_problems(write(tmp_path / "q.jsonl", {"question": "Q"}), mapping="problem=question,answer=gold")


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("answer in proof,notfound,", ["7", "12"]),
        ("answer in proof,", ["7", "12", "notfound"]),
        ("answer not in 7,12", ["7", "12"]),
        ("answer = proof", ["7", "12", "notfound", None]),
        ("answer != 7", ["7"]),
        ("answer is empty", ["7", "12", "proof", "notfound"]),
        ("answer is not empty", [None]),
        ("info.level >= 3", ["7", "notfound"]),
        ("info.level<2", ["12", "proof", "notfound", None]),
        ("answer contains o", ["7", "12", None]),
        ("ok = false", ["12", "notfound"]),
    ],
)
def test_rules(rule: str, kept: list[str | None]) -> None:
    rows: list[Row] = [
        {"answer": "7", "info": {"level": 1}, "ok": False},
        {"answer": 12, "info": {"level": 3}, "ok": True},
        {"answer": "proof", "info": {"level": 4}, "ok": False},
        {"answer": "notfound", "ok": True, "info": {"level": 2}},
        {"answer": None, "info": {"level": 5}, "ok": False},
    ]
    parsed = DropRule.parse(rule)
    left = [str(row["answer"]) if row["answer"] is not None else None for row in rows if not parsed.matches(row, row)]
    assert left == kept


@pytest.mark.parametrize("rule", ["answer", "answer in", "in proof", "level < many", ""])
def test_a_rule_that_cannot_be_read(rule: str) -> None:
    if rule == "answer in":  # the list of the empty value alone
        assert DropRule.parse(rule).values == ("",)
        return
    with pytest.raises(ConfigError, match="drop"):
        DropRule.parse(rule)


def test_rules_see_mapped_and_raw_names_and_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"q": f"Q{n}", "gold": gold, "level": n} for n, gold in enumerate(["1", "proof", "2", "3"])]
    query = ProblemQuery.of(
        write(tmp_path / "p.jsonl", *rows), mapping="problem=q,answer=gold", drop=["answer in proof", "level > 2"]
    )
    assert [problem.answer for problem in query.load()] == ["1", "2"]
    assert (
        "2 problems from 4 rows; left out: 1 by drop 'answer in proof', 1 by drop 'level > 2'."
        in capsys.readouterr().err
    )


def test_a_rule_is_asked_before_the_row_is_judged(tmp_path: Path) -> None:
    file = write(tmp_path / "p.jsonl", {"problem": "P", "answer": ""}, {"problem": "Q", "answer": "1"})
    assert [problem.problem for problem in load_problems(file, drop="answer is empty")] == ["Q"]
    with pytest.raises(DataError, match="left out of 2 rows: 2 drop problem contains"):
        load_problems(file, drop="problem contains ")
