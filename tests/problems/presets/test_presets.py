"""Rows in the shape of each known data set, made up: what is read, what is left out and how it is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selftaught.errors import DataError
from selftaught.problems.load import load_file, read_files
from selftaught.problems.presets import recognise
from selftaught.problems.presets.base import last_boxed
from selftaught.problems.reader import ProblemReader
from selftaught.records import Problem, ProblemKind

Row = dict[str, Any]

NUMINA: Row = {
    "problem": "What is $3+4$?",
    "solution": "It is 7.",
    "answer": "7",
    "problem_type": "Algebra",
    "question_type": "math-word-problem",
    "problem_is_valid": "Yes",
    "solution_is_valid": "Yes",
    "source": "olympiads",
    "synthetic": False,
}
OPEN_R1: Row = {**NUMINA, "uuid": "u-1", "generations": ["long"], "correctness_math_verify": [True]}
BIG_MATH: Row = {"problem": "P", "answer": "3", "source": "orca", "domain": ["x"], "llama8b_solve_rate": 0.5}
OMR: Row = {"problem": "P", "expected_answer": "5", "problem_type": "has_answer_extracted", "pass_rate_72b_tir": "0.6"}
DEEPMATH: Row = {"question": "Q", "final_answer": "0", "difficulty": 5.0, "topic": "Algebra", "r1_solution_1": "…"}
MATH: Row = {"problem": "P", "solution": "So $\\boxed{\\frac{1}{2}}$.", "level": "Level 3", "type": "Algebra"}
AIME: Row = {"ID": "1983-1", "Year": 1983, "Problem Number": 1, "Question": "Q", "Answer": "60", "Part": None}
GSM8K: Row = {"question": "Q", "answer": "2 + 3 = <<2+3=5>>5\n#### 1,005"}
DAPO_PROCESSED: Row = {
    "prompt": "What is 2+2?",
    "solution": "4",
    "data_source": "math_dapo",
    "reward_model": {"ground_truth": "4"},
}
DAPO: Row = {
    "data_source": "math_dapo",
    "prompt": [
        {
            "role": "user",
            "content": "Solve the following math problem step by step. The last line of your response should be of the form "
            "Answer: $Answer (without quotes) where $Answer is the answer to the problem.\n\nWhat is 2+2?\n\n"
            'Remember to put your answer on its own line after "Answer:".',
        }
    ],
    "ability": "MATH",
    "reward_model": {"ground_truth": "4", "style": "rule-lighteval/MATH_v2"},
    "extra_info": {"index": "uuid-1"},
}
EURUS_MATH: Row = {
    "data_source": "numina_olympiads",
    "prompt": [
        {"role": "system", "content": "When tackling complex reasoning tasks …"},
        {"role": "user", "content": "What is 5+5?\n\nPresent the answer in LaTex format: \\boxed{Your answer}"},
    ],
    "ability": "math",
    "reward_model": {"ground_truth": "10", "style": "rule"},
    "extra_info": {"index": 0, "split": "train"},
}
EURUS_CODE: Row = {
    "data_source": "taco",
    "prompt": [
        {"role": "system", "content": "When tackling …"},
        {
            "role": "user",
            "content": "Double it.\n\nWrite Python code to solve the problem. Present the code in \n```python\nYour code\n```\nat the end.",
        },
    ],
    "ability": "code",
    "reward_model": {
        "ground_truth": json.dumps({"inputs": ["1\n", "2\n"], "outputs": ["2\n", "4\n"]}),
        "style": "rule",
    },
    "extra_info": {"index": 7},
}
CODE_CONTESTS: Row = {
    "name": "1_A. Sum",
    "description": "Add two numbers.",
    "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
    "private_tests": {"input": ["4 5\n"], "output": ["9\n"]},
    "generated_tests": {"input": ["0 0\n"], "output": ["0\n"]},
    "time_limit": {"seconds": 1, "nanos": 500_000_000},
    "input_file": "",
    "output_file": "",
    "solutions": {"language": [3], "solution": ["…"]},
}
TACO: Row = {
    "question": "Echo.",
    "input_output": json.dumps({"inputs": ["1\n"], "outputs": ["1\n"]}),
    "starter_code": "",
    "difficulty": "EASY",
    "time_limit": "2.0 seconds",
}
APPS_CALL: Row = {
    "problem_id": 3,
    "question": "Add.",
    "input_output": json.dumps({"fn_name": "add", "inputs": [[1, 2], [3, 4]], "outputs": [[3], [7]]}),
    "starter_code": "def add(a, b):",
}
CODEFORCES: Row = {
    "id": "1/A",
    "title": "Theatre",
    "description": "Count the stones.",
    "input_format": "Three integers.",
    "output_format": "One integer.",
    "examples": [{"input": "6 6 4\n", "output": "4\n"}],
    "note": None,
    "official_tests": [{"input": "6 6 4\n", "output": "4\n"}, {"input": "1 1 1\n", "output": "1\n"}],
    "official_tests_complete": True,
    "input_mode": "stdio",
    "generated_checker": None,
    "interaction_format": None,
    "executable": True,
    "time_limit": 1.0,
    "memory_limit": 256.0,
}
DEEPCODER: Row = {
    "problem": "Solve the following coding problem using the programming language python:\n\nDouble it.",
    "tests": json.dumps([{"fn_name": None, "input": "1\n", "output": "2\n", "type": "stdin_stdout"}]),
    "solutions": ["…"],
}
DEEPCODER_LCB: Row = {
    "problem": "Double it.",
    "starter_code": "class Solution:\n    def double(self, n):",
    "tests": json.dumps([{"input": "1", "output": "2", "testtype": "functional", "metadata": {"func_name": "double"}}]),
    "metadata": json.dumps({"func_name": "double"}),
}
MBPP: Row = {
    "task_id": 11,
    "text": "Write a function to pair.",
    "code": "…",
    "test_list": ["assert pair(1, 'a') == (1, 'a')", "assert pair(2, [None]) == (2, [None])"],
    "test_setup_code": "",
}
MMLU_PRO: Row = {
    "question_id": 70,
    "question": "Which?",
    "options": ["x", "y", "z"],
    "answer": "C",
    "answer_index": 2,
    "category": "law",
}
SUPER_GPQA: Row = {"uuid": "s1", "question": "Which?", "options": ["x", "y"], "answer": "y", "answer_letter": "B"}
MMLU: Row = {"question": "Which?", "subject": "astronomy", "choices": ["x", "y"], "answer": 1}


def read(tmp_path: Path, *rows: Row) -> tuple[list[Problem], ProblemReader]:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    reader = ProblemReader()
    return [item.problem for item in read_files([file], reader)], reader


@pytest.mark.parametrize(
    ("name", "row", "question", "answer", "identity"),
    [
        ("NuminaMath-1.5", NUMINA, "What is $3+4$?", "7", None),
        ("OpenR1-Math", OPEN_R1, "What is $3+4$?", "7", "u-1"),
        ("Big-Math", BIG_MATH, "P", "3", None),
        ("OpenMathReasoning", OMR, "P", "5", None),
        ("DeepMath-103K", DEEPMATH, "Q", "0", None),
        ("MATH", MATH, "P", "\\frac{1}{2}", None),
        ("AIME_1983_2024", AIME, "Q", "60", "1983-1"),
        ("GSM8K", GSM8K, "Q", "1005", None),
        ("DAPO-Math-17k-Processed", DAPO_PROCESSED, "What is 2+2?", "4", None),
        ("verl (DAPO-Math-17k, Eurus-2-RL)", DAPO, "What is 2+2?", "4", None),
        ("verl (DAPO-Math-17k, Eurus-2-RL)", EURUS_MATH, "What is 5+5?", "10", None),
    ],
)
def test_maths_sets(tmp_path: Path, name: str, row: Row, question: str, answer: str, identity: str | None) -> None:
    preset = recognise(row)
    assert preset is not None and preset.name == name
    (problem,), reader = read(tmp_path, row)
    assert (problem.kind, problem.problem, problem.answer) == (ProblemKind.MATH, question, answer)
    assert problem.id == identity or (identity is None and problem.id.startswith("q-"))
    assert "generations" not in problem.metadata and "solution" not in problem.metadata
    assert reader.counts.lines("F") == [f"F: read as {name}: 1 problems from 1 rows."]


@pytest.mark.parametrize(
    ("name", "row", "fn_name", "tests"),
    [
        ("code_contests", CODE_CONTESTS, None, [("1 2\n", "3\n"), ("4 5\n", "9\n"), ("0 0\n", "0\n")]),
        ("TACO, APPS", TACO, None, [("1\n", "1\n")]),
        ("TACO, APPS", APPS_CALL, "add", [("1\n2", "3"), ("3\n4", "7")]),
        ("open-r1/codeforces", CODEFORCES, None, [("6 6 4\n", "4\n"), ("1 1 1\n", "1\n")]),
        ("DeepCoder", DEEPCODER, None, [("1\n", "2\n")]),
        ("DeepCoder", DEEPCODER_LCB, "double", [("1", "2")]),
        ("verl (DAPO-Math-17k, Eurus-2-RL)", EURUS_CODE, None, [("1\n", "2\n"), ("2\n", "4\n")]),
        ("MBPP", MBPP, "pair", [('1\n"a"', '[1, "a"]'), ("2\n[null]", "[2, [null]]")]),
    ],
)
def test_code_sets(tmp_path: Path, name: str, row: Row, fn_name: str | None, tests: list[tuple[str, str]]) -> None:
    preset = recognise(row)
    assert preset is not None and preset.name == name
    (problem,), _ = read(tmp_path, row)
    assert problem.kind is ProblemKind.CODE and problem.tests is not None
    assert [(test.input, test.output) for test in problem.tests] == tests
    assert problem.fn_name == fn_name
    assert "Your code" not in problem.problem and "programming language python" not in problem.problem


def test_statements_of_codeforces_are_joined_and_limits_kept(tmp_path: Path) -> None:
    (problem,), _ = read(tmp_path, CODEFORCES)
    for part in ("Count the stones.", "Input\n\nThree integers.", "Output\n\nOne integer.", "6 6 4"):
        assert part in problem.problem
    assert problem.metadata["time_limit_s"] == 1.0
    assert [test.public for test in problem.tests or []] == [True, False]


@pytest.mark.parametrize(
    ("name", "row", "answer", "identity"),
    [
        ("MMLU-Pro, SuperGPQA", MMLU_PRO, "C", "mmlu_pro/70"),
        ("MMLU-Pro, SuperGPQA", SUPER_GPQA, "B", "s1"),
        ("MMLU", MMLU, "B", None),
    ],
)
def test_choice_sets(tmp_path: Path, name: str, row: Row, answer: str, identity: str | None) -> None:
    preset = recognise(row)
    assert preset is not None and preset.name == name
    (problem,), _ = read(tmp_path, row)
    assert (problem.kind, problem.answer) == (ProblemKind.CHOICE, answer)
    assert problem.id == identity or identity is None


@pytest.mark.parametrize(
    ("row", "change", "reason"),
    [
        (NUMINA, {"answer": "proof"}, "proof"),
        (NUMINA, {"question_type": "proof"}, "proof"),
        (NUMINA, {"question_type": "MCQ", "answer": "B"}, "choice question"),
        (NUMINA, {"answer": "notfound"}, "no answer"),
        (NUMINA, {"answer": None}, "no answer"),
        (NUMINA, {"answer": ""}, "no answer"),
        (NUMINA, {"problem_is_valid": "Incomplete"}, "problem_is_valid is not Yes"),
        (NUMINA, {"solution_is_valid": "No"}, "solution_is_valid is not Yes"),
        (OPEN_R1, {"question_type": "MCQ"}, "choice question"),
        (OMR, {"problem_type": "converted_proof"}, "proof"),
        (OMR, {"problem_type": "no_answer_extracted"}, "no answer"),
        (MATH, {"solution": "No box here."}, "no boxed answer"),
        (DAPO_PROCESSED, {"solution": "First we note.\nThen we see."}, "no short answer"),
        (DAPO, {"reward_model": {"ground_truth": json.dumps({"target": 3, "numbers": [1]})}}, "a ground truth that needs a checker of its own"),
        (DAPO, {"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, "a conversation of several turns"),
        (EURUS_CODE, {"reward_model": {"ground_truth": "print(1)"}}, "code without tests in a known shape"),
        (CODE_CONTESTS, {"input_file": "in.txt"}, "reads from or writes to files"),
        (CODE_CONTESTS, {"description": "See <image>."}, "an image in the statement"),
        (CODE_CONTESTS, {"public_tests": None, "private_tests": {"input": [], "output": []}, "generated_tests": None}, "no tests"),
        (TACO, {"input_output": ""}, "no tests"),
        (TACO, {"input_output": "{broken"}, "tests that cannot be read"),
        (CODEFORCES, {"generated_checker": "import sys"}, "several right outputs, which need its checker"),
        (CODEFORCES, {"interaction_format": "Ask."}, "interactive"),
        (CODEFORCES, {"input_mode": "file"}, "reads from or writes to files"),
        (CODEFORCES, {"official_tests": []}, "no official tests"),
        (DEEPCODER, {"tests": "[]"}, "no tests"),
        (MBPP, {"test_list": ["assert pair(1) == {1, 2}"]}, "asserts that are not a call and a JSON value"),
    ],
)  # fmt: skip
def test_rows_without_a_place_in_a_run_are_counted(tmp_path: Path, row: Row, change: Row, reason: str) -> None:
    good = NUMINA | {"problem": "A good one."}
    problems, reader = read(tmp_path, good, row | change)
    assert len(problems) == 1
    assert reader.counts.left_out == {reason: 1}
    (line,) = reader.counts.lines("F")
    assert f"left out: 1 {reason}" in line


def test_a_row_of_our_own_is_never_taken_for_another(tmp_path: Path) -> None:
    for row in (
        {"id": "a", "problem": "P", "answer": "1", "solution": "\\boxed{2}", "level": 3},
        {"id": "b", "problem": "P", "answer": "1", "source": "x", "domain": "y"},
        {"id": "c", "problem": "P", "tests": [{"input": "", "output": ""}]},
        {"problem": "P", "kind": "math", "answer": "1", "question_type": "proof"},
        {"problem_idx": 1, "problem": "P", "answer": 277},
        {"problem": "P", "answer": "1", "question_type": "algebra"},
    ):
        assert recognise(row) is None
    assert load_file_of(tmp_path, {"problem_idx": 1, "problem": "P", "answer": 277})[0].answer == "277"


def load_file_of(tmp_path: Path, *rows: Row) -> list[Problem]:
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_file(file)


def test_repeated_rows_of_a_public_set_and_contradicting_ones(tmp_path: Path) -> None:
    other = EURUS_MATH | {"reward_model": {"ground_truth": "11"}}
    problems, reader = read(tmp_path, DAPO, DAPO, DAPO, EURUS_MATH, other)
    assert [problem.problem for problem in problems] == ["What is 2+2?"]
    assert (reader.counts.repeated, reader.counts.contradicting) == (2, 2)
    assert "2 repeated" in reader.counts.lines("F")[0]


def test_a_set_of_nothing_but_proofs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"left out of 1 rows: 1 proof"):
        read(tmp_path, NUMINA | {"answer": "proof"})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a \\boxed{1} b \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"),
        ("\\boxed 5", "5"),
        ("\\fbox{x^{2}}", "x^{2}"),
        ("\\boxed{open", None),
        ("none", None),
        ("\\boxed{}", None),
    ],
)
def test_the_last_box(text: str, found: str | None) -> None:
    assert last_boxed(text) == found


ALL_ROWS = (NUMINA, OPEN_R1, BIG_MATH, OMR, DEEPMATH, MATH, AIME, GSM8K, DAPO_PROCESSED, DAPO, EURUS_MATH, EURUS_CODE, CODE_CONTESTS, TACO, APPS_CALL,
            CODEFORCES, DEEPCODER, DEEPCODER_LCB, MBPP, MMLU_PRO, SUPER_GPQA, MMLU)  # fmt: skip
STRANGE: tuple[Any, ...] = (
    None,
    "",
    " ",
    0,
    -1.5,
    True,
    [],
    {},
    [None],
    {"a": 1},
    "{",
    "[]",
    '{"inputs": 3, "outputs": []}',
    [{"input": 1}],
    "x" * 300,
)


@pytest.mark.parametrize("row", ALL_ROWS, ids=lambda row: recognise(row).name if recognise(row) else "own")  # type: ignore[union-attr]
def test_no_value_is_a_traceback(tmp_path: Path, row: Row) -> None:
    """Any value in any column: a problem, a row that is counted, or one line with the place."""
    for column in row:
        for value in STRANGE:
            said = ""
            try:
                read(tmp_path, row | {column: value})
            except DataError as error:
                said = str(error)
            assert "\n" not in said, (column, value)
