"""Problems as a recipe names them: with a mapping, rules and several sets at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from selftaught.problems.sources import ProblemSource, is_here, load_source


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
