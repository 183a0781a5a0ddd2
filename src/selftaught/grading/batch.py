"""``grade --pairs`` and ``grade --programs``: the graders on their own, JSON Lines in, JSON Lines out, order kept."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from selftaught.complaints import complaint
from selftaught.errors import DataError
from selftaught.grading.comparison import MAX_INT_CHARS
from selftaught.grading.grader import Grader
from selftaught.grading.program_source import bare_program
from selftaught.records import TestCase
from selftaught.store import BYTE_ORDER_MARK

RequestT = TypeVar("RequestT", bound=BaseModel)
ResultT = TypeVar("ResultT", bound=BaseModel)

WINDOW = 32


class PairRequest(BaseModel):
    """One pair: a response text, or a bare answer, against a reference."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    id: str
    kind: Literal["math", "choice"] = "math"
    prediction: str
    gold: str


class PairResult(BaseModel):
    """Verdict on a pair: what was extracted and which rule decided."""

    id: str
    correct: bool
    extracted: str | None
    path: str


class ProgramTest(BaseModel):
    """One test, as LiveCodeBench has it. A value that is no text is taken as its JSON."""

    model_config = ConfigDict(extra="ignore")

    input: Any = ""
    output: Any


class ProgramRequest(BaseModel):
    """One program and its tests. ``timeout`` is seconds a test."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    id: str
    kind: Literal["stdin", "function"] = "stdin"
    fn_name: str | None = None
    solution: str
    tests: list[ProgramTest]
    timeout: float | None = Field(default=None, gt=0)


class ProgramTestOutcome(BaseModel):
    """One test of a program: ``status`` is passed, failed or not run."""

    passed: bool
    reason: str
    wall_s: float


class ProgramResultLine(BaseModel):
    """Verdict on a program."""

    id: str
    passed: bool
    reason: str
    tests: list[ProgramTestOutcome]


def grade_pairs(path: Path, grader: Grader) -> Iterator[PairResult]:
    """Judge every pair of a file. DataError names a malformed line."""

    def judge(request: PairRequest) -> PairResult:
        verdict = grader.grade_pair(request.kind, request.prediction, request.gold)
        return PairResult(id=request.id, correct=verdict.correct, extracted=verdict.extracted, path=verdict.path)

    return _in_order(_requests(path, PairRequest), judge, grader.workers)


def grade_programs(path: Path, grader: Grader) -> Iterator[ProgramResultLine]:
    """Judge every program of a file. DataError names a malformed line."""

    def judge(request: ProgramRequest) -> ProgramResultLine:
        is_call = request.kind == "function"
        if is_call and not request.fn_name:
            return ProgramResultLine(id=request.id, passed=False, reason="kind is function without fn_name", tests=[])
        tests = [
            TestCase(input=_text(test.input, is_call, True), output=_text(test.output, is_call, False))
            for test in request.tests
        ]
        fn_name = request.fn_name if is_call else None
        source = bare_program(request.solution, fn_name)
        verdict = grader.programs.grade(source, tests, fn_name=fn_name, timeout_s=request.timeout)
        outcomes = [
            ProgramTestOutcome(passed=test.passed, reason=test.reason, wall_s=round(test.wall_s, 4))
            for test in verdict.tests
        ]
        return ProgramResultLine(id=request.id, passed=verdict.passed, reason=verdict.reason, tests=outcomes)

    return _in_order(_requests(path, ProgramRequest), judge, grader.workers)


def _text(value: Any, is_call: bool, is_input: bool) -> str:
    if isinstance(value, str) and not _LONG_INTEGER.fullmatch(value):
        return value
    if is_call and is_input and isinstance(value, list):
        return "\n".join(map(_json, value))
    return _json(value)


def _json(value: Any) -> str:
    return _LONG_INTEGER_IN_JSON.sub(r"\1", json.dumps(value))


_LONG_INTEGER = re.compile("\x00(-?[0-9]+)")
"""How an integer that is too long for a conversion stands among the values of a request: a mark, then its digits."""
_LONG_INTEGER_IN_JSON = re.compile(r'"\\u0000(-?[0-9]+)"')


def _parse(line: bytes, model: type[RequestT]) -> RequestT:
    """One request. ValueError (ValidationError is one) says what is wrong with it."""
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        if error.errors()[0]["type"] != "json_invalid":
            raise
    # pydantic's parser refuses integers of any length and lone surrogates, which JSON may hold.
    try:
        values = json.loads(
            line, parse_int=lambda digits: int(digits) if len(digits) <= MAX_INT_CHARS else f"\0{digits}"
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return model.model_validate(_encodable(values))


def _encodable(value: Any) -> Any:
    """``value`` with a question mark for every lone surrogate."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_encodable(one) for one in value]
    if isinstance(value, dict):
        return {_encodable(key): _encodable(one) for key, one in value.items()}
    return value


def _requests(path: Path, model: type[RequestT]) -> Iterator[RequestT]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); expected JSON Lines.") from None
    with file:
        for number, line in enumerate(file, start=1):
            if number == 1:
                line = line.removeprefix(BYTE_ORDER_MARK)
            if not line.strip():
                continue
            try:
                yield _parse(line, model)
            except ValidationError as error:
                raise DataError(f"{path}:{number}: {complaint(error, model.model_fields)}") from None
            except ValueError as error:
                raise DataError(f"{path}:{number}: not JSON ({error}).") from None


def _in_order(requests: Iterable[RequestT], judge: Callable[[RequestT], ResultT], workers: int) -> Iterator[ResultT]:
    """Results in the order of the requests; a slow one does not stop the others from being worked on."""
    pending: deque[Future[ResultT]] = deque()
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="grade") as pool:
        for request in requests:
            pending.append(pool.submit(judge, request))
            while pending and (len(pending) >= WINDOW or pending[0].done()):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
