"""Pieces that readers of rows share: one field of a row, checked, with an error that says what was expected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

from selftaught.problems.rows import Row

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Names of the options of a choice, in order."""

QUESTION_NAMES = ("problem", "question", "Question", "Problem", "prompt", "query", "instruction", "description", "text")
"""Names under which data sets keep the question, likeliest first: for advice only."""

ANSWER_NAMES = (
    "answer", "final_answer", "expected_answer", "ground_truth", "gold", "Answer", "target", "label", "correct_answer", "solution",
)  # fmt: skip
"""The same for the answer."""


class LeftOut(Exception):
    """A row of a known data set that has no place in a run (a proof, an answer that is not there). It is counted."""


def fail(name: str, value: Any, expected: str) -> NoReturn:
    """ValueError: what, the value (shortened), what was expected."""
    shown = repr(value)
    raise ValueError(f"{name} is {shown if len(shown) <= 60 else shown[:57] + '...'}; expected {expected}")


def text_of(row: Row, key: str) -> str:
    """A text that must be there and not be blank."""
    value = row.get(key)
    if value is None:
        raise ValueError(f"`{key}` is missing; expected a text{_advice(row, key)}")
    if not isinstance(value, str) or not value.strip():
        fail(key, value, "a text that is not empty")
    return value


def optional_text(row: Row, key: str) -> str | None:
    """A text that may be absent."""
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        fail(key, value, "a text")
    return value


def number_text(value: float) -> str:
    """A number as people write it: ``0.5``, ``3``, ``1e-7`` as ``0.0000001``."""
    if isinstance(value, int):
        return str(value)
    text = repr(value)
    if "e" in text and 1e-30 < abs(value) < 1e30:
        text = format(Decimal(text), "f")
    return text


def decoded(value: Any, name: str) -> Any:
    """``value``, or what it holds when it is a JSON text. ValueError names the field."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is a text that is not JSON ({error})") from None


def at_path(row: Any, path: str) -> Any:
    """The value at a dotted path (``reward_model.ground_truth``, ``prompt.0.content``); None when it is not there.

    A key that holds the dots itself goes first, so that no key is out of reach. JSON texts on the way are decoded.
    """
    if isinstance(row, Mapping) and path in row:
        return row[path]
    place = row
    for step in path.split("."):
        if isinstance(place, str) and place.lstrip()[:1] in ("{", "["):
            try:
                place = json.loads(place)
            except ValueError:
                return None
        if isinstance(place, Mapping):
            place = place.get(step)
        elif isinstance(place, list) and step.lstrip("-").isdigit() and -len(place) <= int(step) < len(place):
            place = place[int(step)]
        else:
            return None
    return place


def _advice(row: Row, key: str) -> str:
    """Advice to map columns, when the row has the wanted ones under other names."""
    if key != "problem":
        return ""
    question = next((name for name in QUESTION_NAMES if name != "problem" and isinstance(row.get(name), str)), None)
    if question is None:
        names = ", ".join(map(str, list(row)[:8]))
        return f". The row has {names}; name the right one with --map problem=COLUMN" if row else ""
    pairs = [f"problem={question}"]
    if not {"answer", "tests", "choices"} & row.keys():
        answer = next((name for name in ANSWER_NAMES if name in row and name != question), None)
        pairs += [f"answer={answer}"] if answer else []
    return f". `{question}` is there: did you mean --map {','.join(pairs)}?"
