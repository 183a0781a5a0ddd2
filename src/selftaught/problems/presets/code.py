"""Sets of code problems: LiveCodeBench, HumanEval, MBPP, code_contests, TACO and APPS, open-r1/codeforces, DeepCoder.

A problem that several outputs solve needs a checker, which we cannot run: such a row is left out and counted, not
misgraded.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from selftaught.problems.fields import LeftOut, decoded, text_of
from selftaught.problems.presets.base import Preset, name_of, picked
from selftaught.problems.rows import Row
from selftaught.problems.testcases import unpack_tests

MAX_TESTS = 100
"""Most tests that a code_contests problem keeps: public and private ones first, then generated ones."""

DEEPCODER_WRAPPER = re.compile(r"\ASolve the following coding problem using the programming language python:\s*")


def _livecodebench(row: Row) -> Row:
    tests = [
        {"input": str(item["input"]), "output": str(item["output"]), "public": public}
        for key, public in (("public_test_cases", True), ("private_test_cases", False))
        for item in unpack_tests(row.get(key), key)
    ]
    if not tests:
        raise ValueError("no tests in `public_test_cases` and `private_test_cases`")
    details = decoded(row.get("metadata") or {}, "metadata")
    kept = ("question_title", "platform", "contest_id", "contest_date", "difficulty")
    return {
        "id": row.get("question_id"),
        "problem": text_of(row, "question_content"),
        "kind": "code",
        "tests": tests,
        "starter_code": row.get("starter_code") or None,
        "fn_name": details.get("func_name") if isinstance(details, dict) else None,
        "source": row.get("source") or "LiveCodeBench",
        "metadata": {key: row[key] for key in kept if row.get(key) is not None},
    }


def _humaneval(row: Row) -> Row:
    """HumanEval's ``check(candidate)`` is one test; the grader calls it beside the solution."""
    prompt = text_of(row, "prompt")
    return {
        "id": row.get("id") or row.get("task_id"),
        "problem": prompt,
        "kind": "code",
        "tests": [{"input": "", "output": "true"}],
        "starter_code": prompt,
        "fn_name": str(row["entry_point"]),
        "source": row.get("source") or "HumanEval",
        "metadata": {"check_code": str(row["test"])},
    }


def mbpp_row(row: Row) -> Row:
    """An MBPP row: its asserts become tests with JSON values; the first one is shown, as in the paper's prompt."""
    asserts = [str(line).strip() for line in row["test_list"] or []]
    tests = [_assertion(line) for line in asserts]
    names = {name for name, _, _ in tests}
    if len(names) != 1:
        raise LeftOut("asserts that call no single function")
    text = text_of(row, "text" if row.get("text") else "prompt")
    return {
        "id": f"mbpp/{row['task_id']}",
        "problem": f"{text}\n\nExample: {asserts[0].removeprefix('assert').strip()}",
        "kind": "code",
        "tests": [
            {"input": given, "output": wanted, "public": number == 0} for number, (_, given, wanted) in enumerate(tests)
        ],
        "fn_name": names.pop(),
        "source": "MBPP",
    }


def _assertion(line: str) -> tuple[str, str, str]:
    """``assert f(1, [2]) == 3`` → (``f``, ``1\\n[2]``, ``3``); ``LeftOut`` when a value is none of JSON's."""
    try:
        statement = ast.parse(line).body[0]
        assert isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Compare)
        call, (operator,), (wanted,) = statement.test.left, statement.test.ops, statement.test.comparators
        assert isinstance(operator, ast.Eq) and isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        assert not call.keywords
        arguments = [_json_value(ast.literal_eval(argument)) for argument in call.args]
        return call.func.id, "\n".join(arguments), _json_value(ast.literal_eval(wanted))
    except (AssertionError, SyntaxError, ValueError, TypeError, IndexError, RecursionError):
        raise LeftOut("asserts that are not a call and a JSON value") from None


def _json_value(value: object) -> str:
    """A value as JSON holds it: tuples become lists. Sets, complex numbers and keys that are no text have no form."""
    if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
        raise ValueError("keys that are no text")
    return json.dumps(value, allow_nan=False)


def _code_contests(row: Row) -> Row:
    if row.get("input_file") or row.get("output_file"):
        raise LeftOut("reads from or writes to files")
    tests = [
        {"input": given, "output": wanted, "public": key == "public_tests"}
        for key in ("public_tests", "private_tests", "generated_tests")
        for given, wanted in _pairs(row.get(key), key)
    ]
    if not tests:
        raise LeftOut("no tests")
    limit = row.get("time_limit")
    seconds = None
    if isinstance(limit, dict):
        seconds = (limit.get("seconds") or 0) + (limit.get("nanos") or 0) / 1e9
    return {
        "id": name_of(row.get("name")),
        "problem": _statement(row, "description"),
        "kind": "code",
        "tests": tests[:MAX_TESTS],
        "source": "CodeContests",
        "metadata": {
            **picked(row, "difficulty", "cf_rating", "cf_tags"),
            **({"time_limit_s": seconds} if seconds else {}),
        },
    }


def _pairs(value: Any, key: str) -> list[tuple[str, str]]:
    held = decoded(value, key) or {}
    if not isinstance(held, dict):
        raise ValueError(f"{key} is a {type(held).__name__}; expected the lists `input` and `output`")
    inputs, outputs = held.get("input") or [], held.get("output") or []
    if len(inputs) != len(outputs):
        raise ValueError(f"{key} has {len(inputs)} inputs and {len(outputs)} outputs; expected as many")
    return list(zip(inputs, outputs, strict=True))


def _statement(row: Row, key: str) -> str:
    text = text_of(row, key)
    if "<image>" in text:
        raise LeftOut("an image in the statement")
    return text.strip()


def _taco(row: Row) -> Row:
    try:
        tests = decoded(row["input_output"] or None, "input_output")
    except ValueError:
        raise LeftOut("tests that cannot be read") from None
    if not isinstance(tests, dict) or not tests.get("inputs"):
        raise LeftOut("no tests")
    if len(tests["inputs"]) != len(tests.get("outputs") or []):
        raise LeftOut("tests that cannot be read")
    seconds = re.match(r"\s*(\d+(?:\.\d+)?)", str(row.get("time_limit") or ""))
    return {
        "id": row.get("problem_id"),
        "problem": _statement(row, "question"),
        "kind": "code",
        "tests": tests,
        "starter_code": row.get("starter_code") or None,
        "source": name_of(row.get("source")) or "TACO",
        "metadata": {
            **picked(row, "difficulty", "url"),
            **({"time_limit_s": float(seconds[1])} if seconds else {}),
        },
    }


def _codeforces(row: Row) -> Row:
    if row.get("interaction_format"):
        raise LeftOut("interactive")
    if row.get("generated_checker"):
        raise LeftOut("several right outputs, which need its checker")
    if row.get("input_mode") not in (None, "stdio", "stdin"):
        raise LeftOut("reads from or writes to files")
    if row.get("executable") is False:
        raise LeftOut("marked as not executable")
    official = row.get("official_tests") or []
    if not official:
        raise LeftOut("no official tests")
    examples = row.get("examples") or []
    shown = [{**_in_out(item), "public": True} for item in examples]
    known = [(item["input"], item["output"]) for item in shown]
    hidden = [test for test in map(_in_out, official) if (test["input"], test["output"]) not in known]
    parts = [_statement(row, "description")]
    parts += [f"{title}\n\n{str(row[key]).strip()}" for title, key in _SECTIONS if row.get(key)]
    if shown:
        lines = [f"Input\n{test['input'].rstrip()}\n\nOutput\n{test['output'].rstrip()}" for test in shown]
        parts.append("Examples\n\n" + "\n\n".join(lines))
    if row.get("note"):
        parts.append(f"Note\n\n{str(row['note']).strip()}")
    return {
        "id": row.get("id"),
        "problem": "\n\n".join(parts),
        "kind": "code",
        "tests": shown + hidden,
        "source": "Codeforces",
        "metadata": {
            **picked(row, "title", "rating", "tags", "official_tests_complete"),
            **({"time_limit_s": row["time_limit"]} if row.get("time_limit") else {}),
            **({"memory_limit_mb": row["memory_limit"]} if row.get("memory_limit") else {}),
        },
    }


_SECTIONS = (("Input", "input_format"), ("Output", "output_format"))


def _in_out(item: Any) -> Row:
    if not isinstance(item, dict) or not {"input", "output"} <= item.keys():
        raise ValueError("official_tests holds something else than {input, output}")
    return {"input": str(item["input"]), "output": str(item["output"])}


def _deepcoder(row: Row) -> Row:
    try:
        tests = decoded(row["tests"], "tests")
        details = decoded(row.get("metadata") or {}, "metadata")
    except ValueError:
        raise LeftOut("tests that cannot be read") from None
    if not tests or (isinstance(tests, dict) and not tests.get("inputs")):
        raise LeftOut("no tests")
    return {
        "problem": DEEPCODER_WRAPPER.sub("", _statement(row, "problem")),
        "kind": "code",
        "tests": tests,
        "fn_name": details.get("func_name") if isinstance(details, dict) else None,
        "starter_code": row.get("starter_code") or None,
        "source": name_of(row.get("source")) or "DeepCoder",
    }


def _has_packed_tests(row: Row) -> bool:
    return isinstance(row["tests"], str)


CODE_PRESETS = (
    Preset("LiveCodeBench", frozenset({"question_content"}), _livecodebench),
    Preset("HumanEval", frozenset({"prompt", "entry_point", "test"}), _humaneval),
    Preset(
        "MBPP",
        frozenset({"task_id", "test_list"}),
        mbpp_row,
    ),
    Preset(
        "code_contests",
        frozenset({"description", "public_tests", "private_tests"}),
        _code_contests,
    ),
    Preset(
        "TACO, APPS",
        frozenset({"question", "input_output"}),
        _taco,
    ),
    Preset(
        "open-r1/codeforces",
        frozenset({"description", "input_format", "official_tests"}),
        _codeforces,
    ),
    Preset(
        "DeepCoder",
        frozenset({"problem", "tests"}),
        _deepcoder,
        check=_has_packed_tests,
        without=frozenset({"id"}),
    ),
)
