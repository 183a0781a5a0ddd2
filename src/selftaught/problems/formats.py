"""Turn one row of a known file format into a ``Problem``.

Our own rows (``id``, ``problem``, ``answer`` | ``choices`` | ``tests``) and three that users already have: LiveCodeBench's
(``question_content``, packed tests), HumanEval's (``prompt``, ``entry_point``, ``test``) and GPQA's (``Question``, ``Correct
Answer``, …). A row that is none of these raises ``ValueError`` with what was wrong; the loader adds file and line.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import io
import json
import pickle
import re
import zlib
from typing import Any, NoReturn

from selftaught.records import Problem, ProblemKind, TestCase, question_hash

Row = dict[str, Any]
"""One decoded JSON object. It does not leave this package."""

MAX_UNPACKED_BYTES = 1 << 30
"""Refuse packed LiveCodeBench tests that unpack to more than this."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_OWN_KEYS = frozenset(
    {"id", "problem", "kind", "answer", "choices", "tests", "starter_code", "fn_name", "source", "split", "metadata"}
)


def problem_from_row(row: Row) -> Problem:
    """Convert ``row`` by whichever format its keys show. ValueError says what is missing or wrong."""
    if "question_content" in row:
        return _livecodebench(row)
    if "entry_point" in row and "test" in row:
        return _humaneval(row)
    if "Question" in row and "Correct Answer" in row:
        return _gpqa(row)
    return _own(row)


def shuffled_by_hash(question: str, options: list[str]) -> list[str]:
    """Order ``options`` by the hash of question and option: fixed for ever, and not the order of the source."""
    return sorted(options, key=lambda option: hashlib.sha256(f"{question}\x00{option}".encode()).digest())


# -------------------------------------------------------------------------------------------------------- our format


def _own(row: Row) -> Problem:
    text = _text(row, "problem")
    choices = _choices(row.get("choices"))
    tests = _tests(row.get("tests"), row.get("fn_name"))
    kind = _kind(row, choices, tests)
    answer = _answer(row.get("answer"), kind, choices)
    metadata = {key: value for key, value in row.items() if key not in _OWN_KEYS}
    given = row.get("metadata")
    if isinstance(given, dict):
        metadata.update(given)
    elif given is not None:
        _fail("metadata", given, "an object")
    return Problem(
        id=_id(row.get("id"), text),
        problem=text,
        kind=kind,
        answer=answer,
        choices=choices,
        tests=tests,
        starter_code=_optional(row, "starter_code"),
        fn_name=_optional(row, "fn_name"),
        source=_optional(row, "source"),
        split=_optional(row, "split"),
        metadata=metadata,
    )


def _kind(row: Row, choices: list[str] | None, tests: list[TestCase] | None) -> ProblemKind:
    given = row.get("kind")
    if given is not None:
        names = [kind.value for kind in ProblemKind]
        if given not in names:
            near = difflib.get_close_matches(str(given), names, n=1)
            _fail("kind", given, " | ".join(names) + (f" (did you mean {near[0]}?)" if near else ""))
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


def _answer(value: Any, kind: ProblemKind, choices: list[str] | None) -> str | None:
    if kind is ProblemKind.CODE:
        return None if value is None else str(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        _fail("answer", value, "a text or a number")
    answer = str(value).strip()
    if not answer:
        _fail("answer", value, "a text that is not empty")
    if kind is ProblemKind.CHOICE:
        letter = answer.strip("().").upper()
        last = LETTERS[len(choices) - 1] if choices else "Z"
        if len(letter) != 1 or not "A" <= letter <= last:
            _fail("answer", value, f"a letter from A to {last}")
        return letter
    return answer


def _choices(value: Any) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str | int | float) for item in value):
        _fail("choices", value, "a list of texts")
    if not 2 <= len(value) <= len(LETTERS):
        _fail("choices", f"{len(value)} entries", f"2 to {len(LETTERS)} texts")
    return [str(item) for item in value]


def _tests(value: Any, fn_name: Any) -> list[TestCase] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not value:
        _fail("tests", value, "a list of {input, output} that is not empty")
    return [_test(item, number, is_call=bool(fn_name)) for number, item in enumerate(value, start=1)]


def _test(item: Any, number: int, *, is_call: bool) -> TestCase:
    if not isinstance(item, dict) or "input" not in item or "output" not in item:
        _fail(f"tests[{number}]", item, "an object with `input` and `output`")
    return TestCase(
        input=_test_text(item["input"], is_call=is_call, is_input=True),
        output=_test_text(item["output"], is_call=is_call, is_input=False),
        public=bool(item.get("public", False)),
    )


def _test_text(value: Any, *, is_call: bool, is_input: bool) -> str:
    """Test texts as LiveCodeBench has them; values that are JSON already (a list of arguments) are written out."""
    if isinstance(value, str):
        return value
    if is_call and is_input and isinstance(value, list):
        return "\n".join(json.dumps(argument) for argument in value)
    return json.dumps(value)


# ------------------------------------------------------------------------------------------------------ LiveCodeBench


def _livecodebench(row: Row) -> Problem:
    text = _text(row, "question_content")
    tests = [
        TestCase(input=str(item["input"]), output=str(item["output"]), public=public)
        for key, public in (("public_test_cases", True), ("private_test_cases", False))
        for item in _unpack_tests(row.get(key), key)
    ]
    if not tests:
        raise ValueError("no tests in `public_test_cases` and `private_test_cases`")
    details = row.get("metadata") or {}
    if isinstance(details, str):
        details = json.loads(details)
    kept = ("question_title", "platform", "contest_id", "contest_date", "difficulty")
    return Problem(
        id=_id(row.get("question_id"), text),
        problem=text,
        kind=ProblemKind.CODE,
        tests=tests,
        starter_code=row.get("starter_code") or None,
        fn_name=details.get("func_name"),
        source=row.get("source") or "LiveCodeBench",
        metadata={key: row[key] for key in kept if row.get(key) is not None},
    )


def _unpack_tests(value: Any, key: str) -> list[Row]:
    """Tests as a list, as JSON text, or as base64 of zlib of a pickled JSON text. Pickled classes are refused."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            value = json.loads(_unpack(value, key))
    if not isinstance(value, list) or not all(
        isinstance(item, dict) and {"input", "output"} <= item.keys() for item in value
    ):
        raise ValueError(f"{key} is not a list of tests; expected objects with `input` and `output`")
    return value


def _unpack(packed: str, key: str) -> str:
    try:
        unzip = zlib.decompressobj()
        data = unzip.decompress(base64.b64decode(packed, validate=True), MAX_UNPACKED_BYTES)
        if unzip.unconsumed_tail:
            raise ValueError(f"more than {MAX_UNPACKED_BYTES} bytes")
        text = _PlainUnpickler(io.BytesIO(data)).load()
    except (ValueError, zlib.error, pickle.UnpicklingError, EOFError) as error:
        raise ValueError(
            f"{key} cannot be unpacked ({error}); expected JSON or base64 of zlib of a pickled text"
        ) from None
    if not isinstance(text, str):
        raise ValueError(f"{key} unpacks to {type(text).__name__}; expected a JSON text")
    return text


class _PlainUnpickler(pickle.Unpickler):
    """Unpickles texts, numbers and lists; any class or function is refused, so nothing can run."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"refused to load {module}.{name}")


# ---------------------------------------------------------------------------------------------------- HumanEval, GPQA


def _humaneval(row: Row) -> Problem:
    """HumanEval's ``check(candidate)`` is one test; the grader calls it beside the solution."""
    prompt = _text(row, "prompt")
    return Problem(
        id=_id(row.get("id") or row.get("task_id"), prompt),
        problem=prompt,
        kind=ProblemKind.CODE,
        tests=[TestCase(input="", output="true")],
        starter_code=prompt,
        fn_name=str(row["entry_point"]),
        source=row.get("source") or "HumanEval",
        metadata={"check_code": str(row["test"])},
    )


def _gpqa(row: Row) -> Problem:
    question = _text(row, "Question").strip()
    right = _text(row, "Correct Answer").strip()
    options = [right] + [_text(row, f"Incorrect Answer {number}").strip() for number in (1, 2, 3)]
    ordered = shuffled_by_hash(question, options)
    metadata = {"subject": row["High-level domain"]} if row.get("High-level domain") else {}
    return Problem(
        id=_id(row.get("Record ID"), question),
        problem=question,
        kind=ProblemKind.CHOICE,
        answer=LETTERS[ordered.index(right)],
        choices=ordered,
        source="GPQA",
        metadata={**metadata, "secret": True},
    )


# ------------------------------------------------------------------------------------------------------------ pieces


def _fail(name: str, value: Any, expected: str) -> NoReturn:
    shown = repr(value)
    raise ValueError(f"{name} is {shown if len(shown) <= 60 else shown[:57] + '...'}; expected {expected}")


def _text(row: Row, key: str) -> str:
    value = row.get(key)
    if value is None:
        raise ValueError(f"`{key}` is missing; expected a text")
    if not isinstance(value, str) or not value.strip():
        _fail(key, value, "a text that is not empty")
    return value


def _optional(row: Row, key: str) -> str | None:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        _fail(key, value, "a text")
    return value


def _id(value: Any, text: str) -> str:
    """The row's own id, or one made from the question, so that a resumed run finds its problems again."""
    if value is None or value == "":
        return f"q-{question_hash(text)}"
    if not isinstance(value, str | int):
        _fail("id", value, "a text or a whole number")
    return str(value)
