"""Our own format: a row with ``problem`` and ``answer`` | ``choices`` | ``tests`` becomes a ``Problem``.

Rows of known data sets are turned into such a row first (`presets`), rows of any other by ``--map`` (`mapping`). A row
that is none of these raises ``ValueError`` with what was wrong; the reader adds file and line.
"""

from __future__ import annotations

import difflib
import re
from typing import Any

from selftaught.problems.fields import LETTERS, decoded, fail, number_text, optional_text, text_of
from selftaught.problems.rows import Row
from selftaught.problems.starter import called_function
from selftaught.problems.testcases import read_tests
from selftaught.records import NO_REFERENCE, Problem, ProblemKind, TestCase, question_hash

OWN_KEYS = (
    "id", "problem", "kind", "answer", "choices", "tests", "starter_code", "fn_name", "source", "split", "metadata",
)  # fmt: skip
"""Keys of our format. Any other key of a row goes into ``metadata``."""


def problem_from_row(row: Row) -> Problem:
    """Convert a row of our own format. ValueError says what is missing or wrong."""
    text = text_of(row, "problem")
    choices = _choices(row.get("choices"))
    tests, fn_name = read_tests(row.get("tests"), optional_text(row, "fn_name"))
    if tests and fn_name is None:
        fn_name = called_function(optional_text(row, "starter_code"), tests)
    kind = _kind(row, choices, tests)
    answer = None if _is_unjudged(row) else _answer(row.get("answer"), kind, choices)
    metadata = {key: value for key, value in row.items() if key not in OWN_KEYS}
    given = row.get("metadata")
    if isinstance(given, str):
        given = decoded(given, "metadata")
    if isinstance(given, dict):
        metadata.update(given)
    elif given is not None:
        fail("metadata", given, "an object")
    return Problem(
        id=_id(row.get("id"), text),
        problem=text,
        kind=kind,
        answer=answer,
        choices=choices,
        tests=tests,
        starter_code=optional_text(row, "starter_code"),
        fn_name=fn_name,
        source=optional_text(row, "source"),
        split=optional_text(row, "split"),
        metadata=metadata,
    )


def _is_unjudged(row: Row) -> bool:
    """A question that a server was asked: nobody has said what is right."""
    given = row.get("metadata")
    return isinstance(given, dict) and bool(given.get(NO_REFERENCE)) and row.get("answer") is None


def _kind(row: Row, choices: list[str] | None, tests: list[TestCase] | None) -> ProblemKind:
    given = row.get("kind")
    if given is not None:
        names = [kind.value for kind in ProblemKind]
        if given not in names:
            near = difflib.get_close_matches(str(given), names, n=1)
            fail("kind", given, " | ".join(names) + (f" (did you mean {near[0]}?)" if near else ""))
        kind = ProblemKind(given)
    elif tests is not None:
        kind = ProblemKind.CODE
    elif choices is not None:
        kind = ProblemKind.CHOICE
    elif row.get("answer") is not None:
        kind = ProblemKind.MATH
    else:
        raise ValueError(
            "nothing to grade by; expected `answer` (maths), `choices` with a letter in `answer`, or `tests` (code)"
            + _answer_advice(row)
        )
    if kind is ProblemKind.CODE and tests is None:
        raise ValueError("kind is code without `tests`; expected a list of {input, output}")
    if (
        kind is ProblemKind.CHOICE
        and choices is None
        and not re.fullmatch(r"\(?[A-Za-z]\)?", str(row.get("answer")).strip())
    ):
        raise ValueError("kind is choice without `choices`; expected a list of texts")
    return kind


def _answer_advice(row: Row) -> str:
    names = ("final_answer", "expected_answer", "ground_truth", "gold", "target", "label", "correct_answer")
    found = next((name for name in names if row.get(name) is not None), None)
    if found:
        return f". `{found}` is there: did you mean --map answer={found}?"
    return ". Rows without an answer can be left out with --drop 'answer is empty'" if "answer" in row else ""


def _answer(value: Any, kind: ProblemKind, choices: list[str] | None) -> str | None:
    if kind is ProblemKind.CODE:
        return None if value is None else str(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        fail("answer", value, "a text or a number")
    answer = (value if isinstance(value, str) else number_text(value)).strip()
    if not answer:
        fail("answer", value, "a text that is not empty; --drop 'answer is empty' leaves such rows out")
    if kind is ProblemKind.CHOICE:
        letter = answer.strip("().").upper()
        last = LETTERS[len(choices) - 1] if choices else "Z"
        if len(letter) != 1 or not "A" <= letter <= last:
            fail("answer", value, f"a letter from A to {last}")
        return letter
    return answer


def _choices(value: Any) -> list[str] | None:
    if value is None:
        return None
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = decoded(value, "choices")
    if not isinstance(value, list) or not all(isinstance(item, str | int | float) for item in value):
        fail("choices", value, "a list of texts")
    if not 2 <= len(value) <= len(LETTERS):
        fail("choices", f"{len(value)} entries", f"2 to {len(LETTERS)} texts")
    return [item if isinstance(item, str) else number_text(item) for item in value]


def _id(value: Any, text: str) -> str:
    """The row's own id, or one made from the question, so that a resumed run finds its problems again."""
    if value is None or value == "":
        return f"q-{question_hash(text)}"
    if isinstance(value, bool) or not isinstance(value, str | int):
        fail("id", value, "a text or a whole number")
    return str(value)


__all__ = ["LETTERS", "OWN_KEYS", "problem_from_row"]
