"""``grade --pairs`` and ``grade --programs``: the graders on their own, JSON Lines in, JSON Lines out, order kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from selftaught.errors import DataError
from selftaught.grading.extract import bare_program
from selftaught.grading.grader import Grader
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
        verdict = grader.programs.grade(
            bare_program(request.solution),
            tests,
            fn_name=request.fn_name if is_call else None,
            timeout_s=request.timeout,
        )
        outcomes = [
            ProgramTestOutcome(passed=test.passed, reason=test.reason, wall_s=round(test.wall_s, 4))
            for test in verdict.tests
        ]
        return ProgramResultLine(id=request.id, passed=verdict.passed, reason=verdict.reason, tests=outcomes)

    return _in_order(_requests(path, ProgramRequest), judge, grader.workers)


def _text(value: Any, is_call: bool, is_input: bool) -> str:
    import json

    if isinstance(value, str):
        return value
    if is_call and is_input and isinstance(value, list):
        return "\n".join(json.dumps(argument) for argument in value)
    return json.dumps(value)


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
                yield model.model_validate_json(line)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"]) or "line"
                raise DataError(f"{path}:{number}: {where}: {first['msg']}.") from None


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
