"""The ordered rules: what the documentation says of them, and what each is needed for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from selftaught.grading import Grader
from selftaught.grading.maths import grade_maths
from selftaught.grading.maths.rules import RULES
from selftaught.grading.workers import MathVerdict

from .meaning_cases import DENIED_RESPONSES, MEANING_CASES

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "src" / "selftaught" / "grading" / "maths" / "rules"


def equal(gold: str, answer: str) -> bool:
    """The rules' verdict, math-verify left out."""
    return grade_maths(gold, answer, lambda gold, answer: MathVerdict(False, "not asked")).correct


@pytest.mark.parametrize("kind", MEANING_CASES)
def test_answers_that_say_more_than_a_value(kind: str, grader: Grader) -> None:
    wrong = []
    for answer, gold, expected in MEANING_CASES[kind]:
        verdict = grader.grade_pair("math", f"Hence $\\boxed{{{answer}}}$.", gold)
        if verdict.correct is not expected:
            wrong.append((answer, gold, expected, verdict.path))
    assert wrong == []


def test_a_denied_answer_is_none(grader: Grader) -> None:
    assert [text for text in DENIED_RESPONSES if grader.grade_pair("math", text, "3").correct] == []


def test_every_rule_has_a_file_and_a_place_in_the_documentation() -> None:
    names = [rule.__name__ for rule in RULES]
    assert sorted(names) == sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
    page = (ROOT / "docs" / "grading.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| \d+ \| `(\w+)` \|", page, re.MULTILINE)
    assert documented == names, "docs/grading.md lists the rules in another order"


def test_every_rule_says_what_it_does() -> None:
    assert [rule.__name__ for rule in RULES if not (rule.__doc__ or "").strip()] == []


NUMBER = st.integers(0, 400)


@given(
    st.lists(NUMBER, min_size=2, max_size=8, unique=True),
    st.sampled_from([r"\approx", "=", r"\to", r"\sim", "?", ";", r"\\"]),
)
def test_a_hedge_is_right_for_none_of_its_members(members: list[int], sign: str) -> None:
    hedge = f" {sign} ".join(map(str, members))
    assert [one for one in members if equal(str(one), hedge)] == []


@given(NUMBER, NUMBER, st.sampled_from(["m+n", "p+q", "a+b+c", "100m+n", "x^2+y^2", "S", "AB^2", r"\frac{m}{n}"]))
def test_a_chain_is_its_value(first: int, second: int, name: str) -> None:
    total = first + second
    chain = f"{name} = {first}+{second} = {total}"
    assert equal(str(total), chain)
    assume(first not in (0, total) and second not in (0, total))
    assert not equal(str(first), chain)
    assert not equal(str(total + 1), f"{name} = {first}+{second} = {total + 1}")


@given(
    NUMBER,
    st.sampled_from([r"\ne {}", r"\text{{not }}{}", r"{}\text{{ is wrong}}", r"\cancel{{{}}}", r"\neg {}", "not {}"]),
)
def test_a_negated_number_is_not_the_number(number: int, form: str) -> None:
    assert not equal(str(number), form.format(number))


FORMULA = st.sampled_from(["3{0}", "{0}^2+1", r"\sin {0}", r"\frac{{{0}}}{{2}}", "2^{0}", "{0}"])


@given(
    FORMULA,
    FORMULA,
    st.sampled_from("txsuy"),
    st.sampled_from(["", r" \text{{ for all real }} {0}", r", \ {0}\in\mathbb{{R}}"]),
)
@settings(max_examples=60)
def test_the_name_of_an_argument_does_not_count(one: str, other: str, name: str, qualifier: str) -> None:
    gold = f"f(x)={one.format('x')}"
    assert equal(gold, f"f({name})={one.format(name)}{qualifier.format(name)}")
    assert equal(gold, f"f({name})={other.format(name)}") is (one == other)


@given(
    st.sampled_from(["E[{}]", "f({})", r"\nabla\cdot {}", r"\frac{{\partial {}}}{{\partial x}}"]),
    st.sampled_from("ABXY"),
    st.sampled_from("ABXY"),
)
def test_what_is_not_known_is_equal_to_itself_only(form: str, first: str, second: str) -> None:
    assert equal(form.format(first), form.format(second)) is (first == second)
    assert not equal(form.format(first), "0")
