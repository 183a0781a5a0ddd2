"""Sets of choice questions: GPQA, MMLU-Pro, SuperGPQA and MMLU."""

from __future__ import annotations

import hashlib

from selftaught.problems.fields import LETTERS, LeftOut, fail, text_of
from selftaught.problems.presets.base import Preset, picked
from selftaught.problems.rows import Row


def shuffled_by_hash(question: str, options: list[str]) -> list[str]:
    """Order ``options`` by the hash of question and option: fixed for ever, and not the order of the source."""
    return sorted(options, key=lambda option: hashlib.sha256(f"{question}\x00{option}".encode()).digest())


def _gpqa(row: Row) -> Row:
    question = text_of(row, "Question").strip()
    right = text_of(row, "Correct Answer").strip()
    options = [right] + [text_of(row, f"Incorrect Answer {number}").strip() for number in (1, 2, 3)]
    ordered = shuffled_by_hash(question, options)
    metadata = {"subject": row["High-level domain"]} if row.get("High-level domain") else {}
    return {
        "id": row.get("Record ID"),
        "problem": question,
        "answer": LETTERS[ordered.index(right)],
        "choices": ordered,
        "source": "GPQA",
        "metadata": {**metadata, "secret": True},
    }


def _options(row: Row) -> Row:
    """MMLU-Pro has the letter in ``answer``, SuperGPQA in ``answer_letter`` with the option's text in ``answer``."""
    options = row["options"]
    if not isinstance(options, list) or len(options) < 2:
        raise LeftOut("fewer than two options")
    letter = row.get("answer_letter") or row.get("answer")
    if letter is None and isinstance(row.get("answer_index"), int):
        letter = LETTERS[row["answer_index"]]
    identity = row.get("uuid")
    if identity is None and row.get("question_id") is not None:
        identity = f"mmlu_pro/{row['question_id']}"
    return {
        "id": identity,
        "problem": row["question"],
        "choices": options,
        "answer": letter,
        "source": "SuperGPQA" if row.get("answer_letter") else "MMLU-Pro",
        "metadata": picked(row, "category", "discipline", "field", "subfield", "difficulty"),
    }


def _mmlu(row: Row) -> Row:
    index = row["answer"]
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(row["choices"]):
        fail("answer", index, "the number of an option, from 0")
    return {
        "problem": row["question"],
        "choices": row["choices"],
        "answer": LETTERS[index],
        "source": "MMLU",
        "metadata": picked(row, "subject"),
    }


def _has_number(row: Row) -> bool:
    return isinstance(row["answer"], int) and isinstance(row["choices"], list)


CHOICE_PRESETS = (
    Preset("GPQA", frozenset({"Question", "Correct Answer"}), _gpqa),
    Preset(
        "MMLU-Pro, SuperGPQA",
        frozenset({"question", "options"}),
        _options,
    ),
    Preset("MMLU", frozenset({"question", "choices", "answer"}), _mmlu, check=_has_number),
)
