"""Which letter was meant."""

from __future__ import annotations

import pytest

from selftaught.grading.choice import extract_letter


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        (r"\boxed{C}", "C"), (r"\boxed{(C)}", "C"), (r"\boxed{\text{C}}", "C"), (r"\boxed{\textbf{(C)}}", "C"), (r"\boxed{C. The dog}", "C"),
        (r"\boxed{C) 5}", "C"), ("The answer is C.", "C"), ("The answer is (C)", "C"), ("Answer: C", "C"), ("**C**", "C"), ("c", "C"),
        ("The correct option is B because A is wrong.", "B"), ("I think A or B, finally D", "D"), (r"\boxed{A} or B", "A"),
        (r"\boxed{A and B}", None), ("No idea", None), ("A cat sat.", None), (r"\boxed{b}", "B"), (r"\boxed{Option B}", "B"),
        (r"\boxed{\text{B: } 42}", "B"), ("The answer is a number", None), (r"first \boxed{A}, no \boxed{B}", "B"), ("Choice D is right", "D"),
        ("<think>A</think>\nB", "B"), ("the answer is \\textbf{(E)}", "E"), ("Final answer: $\\text{A}$", "A"), ("I choose C", "C"),
        ("Answer: A. Because B is wrong", "A"), ("The answer is A because B, C fail", "A"), ("", None),
    ],
)  # fmt: skip
def test_letters(text: str, letter: str | None) -> None:
    assert extract_letter(text) == letter


def test_letters_beyond_the_options_do_not_count() -> None:
    assert extract_letter("Vitamin D, so the answer is B", num_choices=4) == "B"
    assert extract_letter("I take vitamin E", num_choices=4) is None


def test_a_box_with_an_options_words_is_its_letter() -> None:
    assert (
        extract_letter(r"\boxed{Calmodulin}", choices=["Prostaglandins", "Inositol", "Cyclic AMP", "Calmodulin"]) == "D"
    )
