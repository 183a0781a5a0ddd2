"""Problems as a recipe names them: with a mapping, rules and several sets at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from selftaught.errors import DataError
from selftaught.problems.sources import ProblemSource, draw_problems, is_here, load_source


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_mapping_and_rules(tmp_path: Path) -> None:
    file = write(tmp_path / "p.jsonl", *({"q": f"Q{n}", "gold": str(n), "level": n} for n in range(4)))
    source = ProblemSource(source=file, map={"problem": "q", "answer": "gold"}, drop=["level < 2"])
    assert [problem.answer for problem in load_source(source)] == ["2", "3"]
    text = ProblemSource(source=file, map="problem=q,answer=gold", drop="level < 2")
    assert load_source(text) == load_source(source)


def test_several_sets_become_groups(tmp_path: Path) -> None:
    names = [write(tmp_path / f"{name}.jsonl", {"problem": name, "answer": "1"}) for name in ("a", "b")]
    problems = load_source(ProblemSource(source=", ".join(names)))
    assert [problem.metadata["group"] for problem in problems] == ["a", "b"]


@pytest.mark.parametrize("wrong", [{"map": "probelm=q"}, {"drop": ["level"]}, {"map": {"answer": ""}}])
def test_what_cannot_be_read_is_refused_with_the_recipe(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"expected"):
        ProblemSource(source="x", **wrong)


def test_keys_that_are_not_given_are_not_written() -> None:
    assert set(ProblemSource(source="x").model_dump(mode="json")) == {"source", "limit", "seed", "counts"}


def test_what_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SELFTAUGHT_DATA", raising=False)
    write(tmp_path / "p.jsonl", {"problem": "a", "answer": "1"})
    assert is_here(ProblemSource(source=f"toy-test,{tmp_path / 'p.jsonl'}:4,{tmp_path}"))
    assert not is_here(ProblemSource(source="owner/name"))
    assert not is_here(ProblemSource(source="math500"))


def test_parts_are_drawn_by_the_hash_of_their_texts(tmp_path: Path) -> None:
    rows = [{"problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(40)]
    file = write(tmp_path / "sums.jsonl", *rows)
    more = write(tmp_path / "more.jsonl", *rows, *({"problem": f"Z{n}", "answer": "0"} for n in range(200)))

    def drawn(source: str, draw: str, skip: int = 0) -> list[str]:
        parts = {"sums": {"source": source, "draw": draw, "skip": skip}}
        problems = load_source(ProblemSource.model_validate({"parts": parts}))
        assert {problem.metadata["group"] for problem in problems} == {"sums"}
        return [problem.problem for problem in problems]

    first, second = drawn(file, "0..15"), drawn(file, "15..30", skip=0)
    assert len(first) == len(second) == 15
    assert not set(first) & set(second)
    assert first != [row["problem"] for row in rows[:15]]
    assert not set(drawn(file, "0..30", skip=10)) & {row["problem"] for row in rows[:10]}
    kept = [text for text in drawn(more, "0..240") if text.startswith("What")]
    assert kept == drawn(file, "0..40")  # what is added to a file changes no order


def test_a_draw_from_parts_that_were_drawn_takes_them_all_alike(tmp_path: Path) -> None:
    sizes = {"small": 120, "large": 6000}
    parts = {
        name: {
            "source": write(
                tmp_path / f"{name}.jsonl", *({"problem": f"{name} {n}", "answer": "0"} for n in range(size))
            ),
            "draw": "0..60",
        }
        for name, size in sizes.items()
    }
    pool = load_source(ProblemSource.model_validate({"parts": parts}))
    drawn = draw_problems(pool, 60)
    assert len(drawn) == 60 and drawn == [problem for problem in pool if problem in drawn]
    assert 18 <= sum(problem.metadata["group"] == "small" for problem in drawn) <= 42  # 30, give or take three sigmas
    assert draw_problems(list(reversed(pool)), 60) == list(reversed(drawn))
    assert all(problem in draw_problems(pool, 61) for problem in drawn), "more holds what less did"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"source": "x", "parts": {"a": {"source": "y"}}},
        {"parts": {"a": {"source": "y"}}, "limit": 3},
        {"parts": {"a": {"source": "y", "draw": "5..5"}}},
        {"parts": {"a": {"source": "y", "draw": "first"}}},
    ],
)
def test_parts_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"expected|belong"):
        ProblemSource.model_validate(wrong)


def test_a_source_that_is_too_short_says_so(tmp_path: Path) -> None:
    file = write(tmp_path / "two.jsonl", {"problem": "a", "answer": "1"}, {"problem": "b", "answer": "1"})
    with pytest.raises(DataError, match=r"1 problems after 1 that are skipped; draw is 0\.\.2"):
        load_source(ProblemSource.model_validate({"parts": {"x": {"source": file, "skip": 1, "draw": "0..2"}}}))
