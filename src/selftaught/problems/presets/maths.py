"""Maths sets: NuminaMath-1.5, OpenR1-Math, Big-Math, OpenMathReasoning, DeepMath, MATH, AIME 1983-2024, GSM8K and
DAPO processed.
"""

from __future__ import annotations

from selftaught.problems.fields import LeftOut
from selftaught.problems.presets.base import Preset, gold, last_boxed, name_of, picked
from selftaught.problems.rows import Row

MAX_ANSWER_CHARS = 200
"""A longer ``solution`` without a box is a text about the answer and not the answer."""


def _numina(row: Row) -> Row:
    question_type = row.get("question_type")
    if question_type == "proof":
        raise LeftOut("proof")
    if question_type is not None and "word-problem" not in str(question_type):
        raise LeftOut("choice question" if question_type == "MCQ" else "no word problem")
    for column in ("problem_is_valid", "solution_is_valid"):
        if column in row and str(row[column]).lower() not in ("yes", "true"):
            raise LeftOut(f"{column} is not Yes")
    return {
        "problem": row["problem"],
        "answer": gold(row["answer"]),
        "source": name_of(row.get("source")),
        "metadata": picked(row, "problem_type", "synthetic"),
    }


_NUMINA_COLUMNS = frozenset({"question_type", "problem_type", "problem_is_valid", "solution_is_valid"})


def _is_numina(row: Row) -> bool:
    """Two of its own columns: one alone may stand in anybody's file."""
    return len(_NUMINA_COLUMNS & row.keys()) >= 2


def _is_openr1(row: Row) -> bool:
    return _is_numina(row) and bool({"uuid", "generations", "correctness_math_verify"} & row.keys())


def _openr1(row: Row) -> Row:
    return {**_numina(row), "id": row.get("uuid")}


def _big_math(row: Row) -> Row:
    return {
        "problem": row["problem"],
        "answer": gold(row["answer"]),
        "source": name_of(row.get("source")),
        "metadata": picked(row, "domain", "llama8b_solve_rate"),
    }


def _open_math_reasoning(row: Row) -> Row:
    problem_type = row.get("problem_type")
    if problem_type not in (None, "has_answer_extracted"):
        raise LeftOut("proof" if "proof" in str(problem_type) else "no answer")
    return {
        "problem": row["problem"],
        "answer": gold(row["expected_answer"]),
        "source": name_of(row.get("problem_source")),
        "metadata": picked(row, "pass_rate_72b_tir"),
    }


def _deepmath(row: Row) -> Row:
    return {
        "problem": row["question"],
        "answer": gold(row["final_answer"]),
        "source": "DeepMath-103K",
        "metadata": picked(row, "difficulty", "topic"),
    }


def _math(row: Row) -> Row:
    answer = last_boxed(str(row["solution"] or ""))
    if answer is None:
        raise LeftOut("no boxed answer")
    return {
        "id": row.get("unique_id"),
        "problem": row["problem"],
        "answer": answer,
        "source": name_of(row.get("source")) or "MATH",
        "metadata": picked(row, "level", "type", "subject"),
    }


def _aime(row: Row) -> Row:
    return {
        "id": row.get("ID"),
        "problem": row["Question"],
        "answer": gold(row["Answer"]),
        "source": "AIME 1983-2024",
        "metadata": picked(row, "Year", "Problem Number", "Part"),
    }


def _gsm8k(row: Row) -> Row:
    answer = str(row["answer"]).rsplit("####", 1)[1].strip().replace(",", "")
    return {"problem": row["question"], "answer": gold(answer), "source": "GSM8K"}


def _is_gsm8k(row: Row) -> bool:
    return "####" in str(row["answer"])


def _dapo_processed(row: Row) -> Row:
    solution = row["solution"]
    if isinstance(solution, str) and (boxed := last_boxed(solution)) is not None:
        solution = boxed
    if isinstance(solution, str) and (len(solution) > MAX_ANSWER_CHARS or "\n" in solution.strip()):
        raise LeftOut("no short answer")
    return {
        "problem": row["prompt"],
        "answer": gold(solution),
        "source": name_of(row.get("data_source")) or "DAPO-Math-17k",
        "metadata": picked(row, "ability"),
    }


def _has_plain_prompt(row: Row) -> bool:
    return isinstance(row["prompt"], str)


_ANSWERS = frozenset({"answer", "final_answer", "expected_answer", "Answer", "tests", "choices"})

MATHS_PRESETS = (
    Preset(
        "OpenR1-Math",
        frozenset({"problem", "answer"}),
        _openr1,
        check=_is_openr1,
    ),
    Preset(
        "NuminaMath-1.5",
        frozenset({"problem", "answer"}),
        _numina,
        check=_is_numina,
    ),
    Preset(
        "Big-Math",
        frozenset({"problem", "answer", "llama8b_solve_rate"}),
        _big_math,
    ),
    Preset(
        "OpenMathReasoning",
        frozenset({"problem", "expected_answer"}),
        _open_math_reasoning,
        without=frozenset({"answer"}),
    ),
    Preset("DeepMath-103K", frozenset({"question", "final_answer"}), _deepmath),
    Preset(
        "MATH",
        frozenset({"problem", "solution"}),
        _math,
        without=_ANSWERS,
    ),
    Preset("AIME_1983_2024", frozenset({"Question", "Answer"}), _aime),
    Preset("GSM8K", frozenset({"question", "answer"}), _gsm8k, check=_is_gsm8k),
    Preset(
        "DAPO-Math-17k-Processed",
        frozenset({"prompt", "solution"}),
        _dapo_processed,
        without=_ANSWERS,
        check=_has_plain_prompt,
    ),
)
