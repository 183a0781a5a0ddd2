"""Decontamination finds every overlap that the bar names, against an independent count, and little else."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from selftaught.problems import load_problems
from selftaught.problems.decontaminate import Decontaminator, Method, common_subsequence, decontaminate
from selftaught.records import Problem, ProblemKind


def make(name: str, text: str) -> Problem:
    return Problem(id=name, problem=text, kind=ProblemKind.MATH, answer="1")


LONG = "Find the number of positive integers n less than one thousand such that n squared plus three n is divisible by seven"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (LONG, "equal"),
        (LONG.upper().replace(" ", "\n") + "!", "equal"),
        ("Warm up. " + LONG + " and explain why.", "runs"),
        (LONG.replace("seven", "eleven"), "runs"),
        (
            "How many apples does Anna have when she buys three and eats two of them before her brother comes home at noon?",
            None,
        ),
    ],
)
def test_what_is_removed(text: str, reason: str | None) -> None:
    result = decontaminate([make("t", text)], [("bench", [make("b", LONG), make("c", "Compute two plus two.")])])
    assert [r.match.reason for r in result.removed] == ([reason] if reason else [])
    if reason:
        assert result.removed[0].match.matched_id == "b" and result.kept == []


def test_exact_only() -> None:
    pair = [make("t", LONG + " now"), make("u", LONG)]
    result = decontaminate(pair, [("bench", [make("b", LONG)])], method=Method.EXACT)
    assert [p.id for p in result.kept] == ["t"]


def test_common_subsequence_against_the_table() -> None:
    rng = random.Random(0)
    for _ in range(200):
        a = [rng.choice("abcd") for _ in range(rng.randrange(30))]
        b = [rng.choice("abcd") for _ in range(rng.randrange(30))]
        table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
        for i, x in enumerate(a):
            for j, y in enumerate(b):
                table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
        assert common_subsequence(a, b) == table[-1][-1]


@pytest.mark.parametrize("pattern", [r"[a-z0-9]+", r"\w+", r"[a-z]+|[0-9]+"])
@pytest.mark.parametrize("name", ["aime_1983_2023", "math_train_1000"])
def test_the_bar_on_real_data(shared_data: Path, name: str, pattern: str) -> None:
    """Every row with half of a MATH-500 problem's runs goes, whichever way words are cut; at most 1 % of the others do."""
    bench, train = load_problems(shared_data / "math500.jsonl"), load_problems(shared_data / f"{name}.jsonl")

    def runs(text: str) -> set[tuple[str, ...]]:
        words = re.findall(pattern, text.casefold())
        return {tuple(words[i : i + 10]) for i in range(len(words) - 9)}

    wanted = {b.id: r for b in bench if (r := runs(b.problem))}
    holders: dict[tuple[str, ...], list[str]] = {}
    for name_of, r in wanted.items():
        for run in r:
            holders.setdefault(run, []).append(name_of)
    must_go = set()
    for t in train:
        hits = Counter(b for run in runs(t.problem) for b in holders.get(run, ()))
        if any(2 * count >= len(wanted[b]) for b, count in hits.items()):
            must_go.add(t.id)
    result = decontaminate(train, [("math500", bench)])
    gone = {r.problem.id for r in result.removed}
    assert must_go <= gone and must_go
    assert len(gone - must_go) <= 0.01 * (len(train) - len(must_go))


def test_the_verb(shared_data: Path, tmp_path: Path, run_cli: object) -> None:
    train, bench = shared_data / "aime_1983_2023.jsonl", shared_data / "math500.jsonl"
    result = run_cli("decontaminate", train, "--against", bench, "--out", tmp_path / "out", "--json")  # type: ignore[operator]
    assert result.exit_code == 0
    summary = json.loads(result.stdout)
    kept = (tmp_path / "out" / "kept.jsonl").read_bytes().splitlines()
    removed = [json.loads(line) for line in (tmp_path / "out" / "removed.jsonl").read_text().splitlines()]
    assert summary["num_in"] == len(kept) + len(removed) == len(train.read_bytes().splitlines())
    assert set(kept) <= set(train.read_bytes().splitlines())
    assert {"aime/1983_AIME_2", "aime/2016_AIME_I_10"} <= {row["id"] for row in removed}
    assert all(row["matched_id"] and 0.5 <= row["overlap"] <= 1 and row["answer"] for row in removed)


def test_sizes() -> None:
    index = Decontaminator([("a", [make("b", LONG)]), ("b", [make("c", "x"), make("d", "y")])])
    assert index.sizes() == {"a": 1, "b": 2} and len(index) == 3
