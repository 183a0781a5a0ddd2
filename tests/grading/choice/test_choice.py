"""Which letter was stated."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.grading.choice import extract_letter

from .cases import CHOICE_CASES


@pytest.mark.parametrize("kind", CHOICE_CASES)
def test_letters(kind: str) -> None:
    wrong = [(text, letter, got) for text, letter in CHOICE_CASES[kind] if (got := extract_letter(text)) != letter]
    assert wrong == []


LETTER = st.sampled_from("ABCDEFGH")
STATEMENT = st.sampled_from(
    ["The answer is {}.", "Answer: {}", "**Answer: {}**", "\\boxed{{{}}}", "The correct option is ({}).", "{} is the correct answer.",
     "Die Antwort ist {}.", "La réponse est {}.", "La respuesta correcta es {}.", "A resposta é {}.", "答案是{}。", "故选{}。", "正解は{}です。",
     "정답은 {}입니다.", "Ответ: {}."]
)  # fmt: skip
REMARK = st.sampled_from(
    ["Option {} is too big.", "Choice {} violates causality.", "{} is wrong.", "({}) would need more energy.", "Not {}.", "{} fails since x > 0.",
     "Option {} holds for gases only.", "因为{}不满足条件。", "Option {} ist falsch.", "Unlike {}, it has the right sign."]
)  # fmt: skip


@given(STATEMENT, LETTER, st.lists(st.tuples(REMARK, LETTER), max_size=3))
def test_remarks_on_other_letters_change_nothing(statement: str, letter: str, remarks: list[tuple[str, str]]) -> None:
    text = "\n".join([statement.format(letter), *(remark.format(other) for remark, other in remarks)])
    assert extract_letter(text) == letter


@given(
    LETTER,
    LETTER,
    st.sampled_from(
        ["The answer is {} or {}.", "Answer: {}, {}", "\\boxed{{{} or {}}}", "Either {} or {}.", "答案是{}或{}。"]
    ),
)
def test_two_letters_are_no_choice(first: str, second: str, hedge: str) -> None:
    if first != second:
        assert extract_letter(hedge.format(first, second)) is None


@given(
    LETTER,
    st.sampled_from(
        [
            "The answer is not {}.",
            "{} is wrong.",
            "I reject {}.",
            "La respuesta no es {}.",
            "答案不是{}。",
            "\\boxed{{\\text{{not {}}}}}",
        ]
    ),
)
def test_a_rejected_letter_is_not_chosen(letter: str, rejection: str) -> None:
    assert extract_letter(rejection.format(letter)) is None


@given(st.text(max_size=300))
def test_any_text_has_a_verdict(text: str) -> None:
    letter = extract_letter(text, num_choices=4)
    assert letter is None or letter in "ABCD"


def test_letters_beyond_the_options_do_not_count() -> None:
    assert extract_letter("Vitamin D, so the answer is B", num_choices=4) == "B"
    assert extract_letter("I take vitamin E", num_choices=4) is None
    assert extract_letter("The answer is E.", num_choices=4) is None


def test_an_options_words_are_its_letter() -> None:
    choices = ["Prostaglandins", "Inositol", "Cyclic AMP", "Calmodulin"]
    assert extract_letter(r"\boxed{Calmodulin}", choices=choices) == "D"
    assert extract_letter(r"\boxed{\text{cyclic AMP}}", choices=choices) == "C"
    assert extract_letter("The answer is inositol.", choices=choices) == "B"
    assert extract_letter("The answer is not inositol.", choices=choices) is None
    assert extract_letter("The mass is \\boxed{12}.", choices=["12", "12.0 kg", "13", "14"]) == "A"


@pytest.mark.parametrize(
    "text", ["the answer is " * 30_000, "A, " * 100_000, "**C** " * 30_000, "答案是" * 50_000, "$" * 100_000, "answer: A or B, " * 8_000]
)  # fmt: skip
def test_the_cost_does_not_grow_with_the_length(text: str) -> None:
    started = time.process_time()
    extract_letter(text)
    assert time.process_time() - started < 3
