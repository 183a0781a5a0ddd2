"""Texts as words: one spelling for one formula, operators kept, ends of sentences known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.problems.words import canonical


@pytest.mark.parametrize(
    "spellings",
    [
        ("\\frac{a}{b}", "\\dfrac{a}{b}", "(a)/(b)", "a/b", "\\frac ab", "$\\tfrac{a}{b}$"),
        ("\\frac{\\sqrt{3}}{2}", "\\sqrt{3}/2", "√3/2", "sqrt(3)/2"),
        ("\\frac{1}{\\frac{2}{3}}", "1/(2/3)", "\\frac1{\\frac23}"),
        ("17*23", "17 \\times 23", "17×23", "17·23", "17 \\cdot 23", "17 times 23"),
        ("2x", "2 x", "2*x", "2\\cdot x"),
        ("x^2", "x²", "x^{2}", "x**2", "{x}^2"),
        ("x \\le 3", "x ≤ 3", "x <= 3", "x \\leq 3", "x \\leqslant 3"),
        ("\\alpha + \\pi", "α + π", "alpha + pi"),
        ("1,000", "1000", "1{,}000", "1\\,000"),
        ("30^\\circ", "30^{\\circ}"),
        ("３＋４", "3+4"),
        ("a − b", "a - b", "a – b"),
        ("step-by-step", "step by step"),
        ("What is 5?", "Compute 5.", "Find the value of 5", "what's 5"),
    ],
)
def test_one_formula_has_one_spelling(spellings: tuple[str, ...]) -> None:
    assert len({canonical(text).tokens for text in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3+4", "3-4"),
        ("17*23", "17 23"),
        ("17*23", "17.23"),
        ("5!", "5"),
        ("1000", "1 000"),
        ("x<y", "x>y"),
        ("2.5", "25"),
    ],
)
def test_other_formulas_stay_apart(one: str, other: str) -> None:
    assert canonical(one).tokens != canonical(other).tokens


def test_sentences_end_where_readers_see_it() -> None:
    text = canonical("Wow! Solve 3.5x = 7: now. Is 5! big? 对。好")
    words = [" ".join(text.tokens[a:b]) for a, b in zip(sorted(text.breaks), sorted(text.breaks)[1:], strict=False)]
    assert words == ["wow", "solve 3.5 x = 7", "now", "is 5 ! big", "对", "好"]


@given(st.text(max_size=200))
def test_no_text_is_an_error(text: str) -> None:
    cut = canonical(text)
    assert all(0 <= place <= len(cut.tokens) for place in cut.breaks)


def test_deep_nesting_is_no_error() -> None:
    canonical("\\frac{" * 3000 + "1" + "}{2}" * 3000)
    canonical("\\frac" * 5000)
