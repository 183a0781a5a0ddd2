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


@pytest.mark.parametrize("name", ["aime_1983_2023", "math_train_1000"])
def test_the_bar_on_real_data(shared_data: Path, name: str) -> None:
    """Every row with half of a MATH-500 problem's runs goes, whichever way words are cut; at most 1 % of the others do."""
    bench, train = load_problems(shared_data / "math500.jsonl"), load_problems(shared_data / f"{name}.jsonl")
    gone = {r.problem.id for r in decontaminate(train, [("math500", bench)]).removed}
    for pattern in (r"[a-z0-9]+", r"\w+", r"[a-z]+|[0-9]+"):
        must_go = _with_half_of_the_runs(bench, train, pattern)
        assert must_go <= gone and must_go
        assert len(gone - must_go) <= 0.01 * (len(train) - len(must_go))


def _with_half_of_the_runs(bench: list[Problem], train: list[Problem], pattern: str) -> set[str]:
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
    return must_go


PRODUCT = "What is 17*23?"
AREA = "一个长方形的长是8厘米，宽是5厘米，它的面积是多少平方厘米？"
EQUATION = "If $\\frac{x}{3} + \\frac{x}{5} = 16$, what is the value of $x$? Express your answer as a common fraction."


@pytest.mark.parametrize(
    ("benchmark", "text"),
    [
        (PRODUCT, "Please solve the following problem and put your answer in \\boxed{}: What is 17*23?"),
        (PRODUCT, "What is 17*23? Think step by step. Answer with a single integer between 0 and 999."),
        (PRODUCT, "What is $17 \\times 23$?"),
        (PRODUCT, "Compute 17 × 23."),
        (PRODUCT, "What is 17 times 23?"),
        (PRODUCT, "Question: What is 17*23?\nAnswer:"),
        (PRODUCT, "Answer this question What is 17*23?"),
        (PRODUCT, "Please tell me what is 17*23, and explain."),
        ("What is 17*23? Please reason step by step.", PRODUCT),
        ("How many positive divisors does 196 have?", "How many positive divisors does 196 have? Let's think step by step."),
        ("What is the capital of France?", "What is the capital of France? Answer in one word."),
        ("17乘以23等于多少？", "请一步一步推理，并把最终答案放在\\boxed{}中：17乘以23等于多少？"),
        ("17乘以23等于多少？", "17乘以23等于多少？请一步一步推理。"),
        (AREA, AREA + "请给出最终答案。"),
        (AREA, "已知：一个长方形的长是8厘米,宽是5厘米,它的面积是多少平方厘米?"),
        ("已知函数$f(x)=x^2-2x+3$，求$f(x)$在区间$[0,3]$上的最大值。", "请解答。已知函数f(x)=x²-2x+3,求f(x)在区间[0,3]上的最大值。写出过程"),
        ("東京から大阪まで時速220kmで2時間30分かかります。距離は何kmですか。", "次の問題を解いてください。東京から大阪まで時速220kmで2時間30分かかります。距離は何kmですか。"),
        ("Simplify $\\frac{a}{b} + \\frac{c}{d}$.", "Simplify (a)/(b) + (c)/(d)."),
        ("Find the value of $\\frac{3}{4} + \\frac12$.", "What is 3/4 + 1/2? Show your work."),
        (EQUATION, "If (x)/(3) + (x)/(5) = 16, what is the value of x? Express your answer as a common fraction."),
        ("Solve $x^2 - 5x + 6 = 0$.", "Solve x² − 5x + 6 = 0. Give both roots."),
        ("Let $f(x)=\\frac{x^2+1}{x-1}$. Find $f(3)$.", "Let f(x) = (x^2+1)/(x-1). Find f(3)."),
        ("Compute $\\sqrt{49}+\\sqrt{16}$.", "Compute √49+√16"),
    ],
)  # fmt: skip
def test_short_unspaced_and_respelt_text_is_found(benchmark: str, text: str) -> None:
    (removed,) = decontaminate([make("t", text)], [("bench", [make("b", benchmark)])]).removed
    assert removed.match.matched_id == "b"


@pytest.mark.parametrize(
    ("benchmark", "text"),
    [
        *((PRODUCT, f"What is {other}?") for other in ("17+23", "17*24", "17*23*5", "17*23-4", "117*23", "17*231", "3+17*23")),
        (PRODUCT, "What is 17*23 mod 5?"),
        (PRODUCT, "What is 17*23.5?"),
        ("What is 3+4?", "What is 3-4?"),
        ("Find x.", "In the triangle ABC, AB=3. Find x."),
        ("Which of the following is true?", "Which of the following is true? A) x B) y"),
        ("What is the value of $5!$?", "What is the value of $5$?"),
        ("How many positive divisors does 196 have?", "How many positive divisors does 198 have?"),
        ("17乘以23等于多少？", "17乘以24等于多少？"),
        ("17乘以23等于多少？", "117乘以23等于多少？"),
        ("17乘以23等于多少？", "17乘以23等于多少的一半？"),
        (AREA, "一个长方形的长是9厘米，宽是4厘米，它的周长是多少厘米？"),
        ("Simplify $\\frac{a}{b} + \\frac{c}{d}$.", "Simplify (a)/(b) - (c)/(d)."),
    ],
)  # fmt: skip
def test_another_question_of_the_same_words_is_kept(benchmark: str, text: str) -> None:
    assert not decontaminate([make("t", text)], [("bench", [make("b", benchmark)])]).removed


def test_short_texts_take_no_others_with_them(shared_data: Path) -> None:
    """MATH-500's and ARC's short questions against training sets: what is found inside others is the same question."""
    bench = [(n, load_problems(shared_data / f"{n}.jsonl")) for n in ("math500", "arc_challenge_200", "gsm8k_test_200")]
    train = [
        p
        for n in ("mbpp_train", "aime_1983_2023", "math_train_1000")
        for p in load_problems(shared_data / f"{n}.jsonl")
    ]
    contained = [r for r in decontaminate(train, bench).removed if r.match.reason == "contained"]
    assert len(contained) <= 0.001 * len(train)


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
