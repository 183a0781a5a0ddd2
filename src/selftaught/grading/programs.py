"""Judge programs by tests: one sandboxed process a test, with the real standard input and output.

A program for standard input is run as a script: it must end well (exit status 0, no exception, no signal) and its output must
match. A function is called and its result comes back beside standard output, so that leaving early (``os._exit(0)``) cannot
pass for an answer; a check is run in another process than the program (`selftaught.grading.checks`). Standard error is not
judged.

Covered: time, memory and output limits of each test, programs that read standard input in any way, results that only claim to
be equal, names that the program does not define itself. Not covered: a program that recognises the tests.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from selftaught.grading.checks import LIMITS, Checkers, helpers_before, last_line, run_check
from selftaught.grading.comparison import decode, decode_expected, first_difference, may_equal, same_output, same_value
from selftaught.grading.prelude import PRELUDE, set_up
from selftaught.grading.published import lcb_call_script, lcb_stdin_script
from selftaught.records import ExecStatus, TestCase

if TYPE_CHECKING:
    from selftaught.sandbox import ProgramResult, Sandbox

TEST_TIMEOUT_S = 6.0
MAX_OUTPUT_BYTES = 16 << 20
MEMORY_BYTES = 2 << 30

_CHECK_NAME = "_selftaught_check"


@dataclass(frozen=True)
class ProgramTestResult:
    """One test. ``reason`` is empty when it passed: ``wrong answer``, ``time limit``, ``error``, … with details."""

    passed: bool
    reason: str = ""
    wall_s: float = 0.0


@dataclass(frozen=True)
class ProgramVerdict:
    """All tests passed, or the first reason why not."""

    passed: bool
    reason: str
    tests: list[ProgramTestResult] = field(default_factory=list)
    infrastructure_failed: bool = False
    """The sandbox refused or failed: no verdict on the program."""


def wrap_program(source: str, *, is_call: bool = False) -> str:
    """The script that is run: the prelude under it, then the program compiled apart, so that its ``__future__`` imports stay
    first.

    A program whose function is called is imported rather than run: what stands under ``if __name__ == "__main__"`` is left out,
    and a ``sys.exit()`` at its end does no harm.
    """
    source = source.removeprefix("\ufeff")
    script = set_up(source)
    run = f"exec(compile({source!r}, '<program>', 'exec', 0, True), globals())\n"
    if not is_call:
        return script + run
    script += "__import__('sys').modules['solution'] = __import__('sys').modules[__name__]\n__name__ = 'solution'\n"
    return f"{script}try:\n    {run}except SystemExit as _stop:\n    if _stop.code not in (None, 0):\n        raise\n"


def with_helpers(source: str, starter_code: str | None, entry_point: str) -> str:
    """Put what stands before the entry point in the starter code (imports, helper functions) before the program."""
    helpers = helpers_before(starter_code, entry_point)
    return f"{helpers}\n\n{source}" if helpers.strip() and "from __future__" not in source else source


class ProgramGrader:
    """Runs tests in one sandbox, started when first needed. ``grade`` may be called from any number of threads."""

    def __init__(self, workers: int = 2, timeout_s: float = TEST_TIMEOUT_S, lcb_exact: bool = False) -> None:
        self.workers = workers
        self.lcb_exact = lcb_exact
        """As LiveCodeBench's own runner would judge; for comparison with its published figures only."""
        self.timeout_s = timeout_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._sandbox: Sandbox | None = None
        self._checkers: Checkers | None = None
        self._start_lock = threading.Lock()

    def grade(
        self,
        source: str,
        tests: Sequence[TestCase],
        *,
        fn_name: str | None = None,
        check_code: str | None = None,
        helpers: str = "",
        timeout_s: float | None = None,
    ) -> ProgramVerdict:
        """Run ``source`` against ``tests``; later tests are left out once one has failed.

        With ``check_code`` a test is one run of its function ``check`` on ``fn_name``; ``helpers`` are definitions that the
        check may use.
        """
        self._start()
        assert self._loop is not None
        job = _Job(source, fn_name, check_code, helpers, timeout_s or self.timeout_s)
        return asyncio.run_coroutine_threadsafe(self._grade(job, tests), self._loop).result()

    async def _grade(self, job: _Job, tests: Sequence[TestCase]) -> ProgramVerdict:
        results: list[ProgramTestResult] = []
        for start in range(0, len(tests), self.workers):
            batch = tests[start : start + self.workers]
            outcomes = await asyncio.gather(*(self._run_test(job, test) for test in batch))
            results.extend(result for result, _ in outcomes)
            refused = next((result for result, failed in outcomes if failed), None)
            if refused is not None:
                return ProgramVerdict(False, refused.reason, results, infrastructure_failed=True)
            if not all(result.passed for result in results):
                break
        results.extend(ProgramTestResult(False, "not run") for _ in tests[len(results) :])
        failed = next((number for number, result in enumerate(results, start=1) if not result.passed), None)
        if failed is not None:
            return ProgramVerdict(False, f"test {failed}: {results[failed - 1].reason}", results)
        return ProgramVerdict(bool(tests), "" if tests else "no tests", results)

    async def _run_test(self, job: _Job, test: TestCase) -> tuple[ProgramTestResult, bool]:
        """One test, and whether the sandbox failed rather than the program."""
        from selftaught.sandbox import FunctionCall

        assert self._sandbox is not None
        if job.check_code is not None and job.fn_name:
            assert self._checkers is not None
            ending = await run_check(
                self._checkers, job.script, job.check_code, job.fn_name, helpers=job.helpers, timeout_s=job.timeout_s
            )
            return ProgramTestResult(not ending.reason, ending.reason, ending.wall_s), ending.refused
        if self.lcb_exact:
            return await self._run_as_lcb(job.source, test, job.fn_name, job.timeout_s)
        call, stdin = None, test.input
        if job.fn_name:
            lines = [line for line in test.input.split("\n") if line.strip()]
            call, stdin = FunctionCall(name=job.fn_name, arguments=lines), ""
        result = await self._sandbox.run_program(job.script, stdin=stdin, call=call, timeout_s=job.timeout_s)
        if result.status is ExecStatus.REFUSED:
            return ProgramTestResult(
                False, f"sandbox: {result.stderr_tail.strip()[-200:] or 'refused'}", result.wall_s
            ), True
        reason = _judge_call(result, test) if call is not None else _judge_output(result, test)
        return ProgramTestResult(not reason, reason, result.wall_s), False

    async def _run_as_lcb(
        self, source: str, test: TestCase, fn_name: str | None, timeout_s: float
    ) -> tuple[ProgramTestResult, bool]:
        """One test in the manner of LiveCodeBench's runner."""
        from selftaught.sandbox import FunctionCall

        assert self._sandbox is not None
        script, call = PRELUDE, None
        if fn_name:
            lines = [line for line in test.input.split("\n") if line.strip()]
            script += lcb_call_script(source, fn_name, lines, test.output, _CHECK_NAME)
            call, test = FunctionCall(name=_CHECK_NAME, arguments=[]), TestCase(input="", output="true")
        else:
            script += lcb_stdin_script(source, test.input)
        result = await self._sandbox.run_program(script, stdin="", call=call, timeout_s=timeout_s)
        if result.status is ExecStatus.REFUSED:
            return ProgramTestResult(False, f"sandbox: {result.stderr_tail.strip()[-200:]}", result.wall_s), True
        reason = _judge_call(result, test) if call is not None else _judge_output(result, test)
        return ProgramTestResult(not reason, reason, result.wall_s), False

    # ------------------------------------------------------------------------------------------------- loop and sandbox

    def _start(self) -> None:
        with self._start_lock:
            if self._sandbox is not None:
                return
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="program-grader", daemon=True)
            self._thread.start()
            try:
                self._sandbox = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
            except BaseException:
                self._stop_loop()
                raise

    async def _open(self) -> Sandbox:
        from selftaught.sandbox import Sandbox, SandboxSettings

        settings = SandboxSettings(
            workers=self.workers,
            timeout_s=self.timeout_s,
            memory_bytes=MEMORY_BYTES,
            output_bytes=MAX_OUTPUT_BYTES,
            max_output_bytes=MAX_OUTPUT_BYTES,
            max_line_chars=MAX_OUTPUT_BYTES,
            preload=("numpy",),
            int_max_str_digits=0,
            neutralise=False,
            echo=False,
        )
        sandbox = Sandbox(settings)
        await sandbox.__aenter__()
        self._checkers = Checkers(sandbox, num_kept=self.workers)
        return sandbox

    def close(self) -> None:
        """Stop the sandbox and its loop."""
        with self._start_lock:
            if self._sandbox is not None and self._loop is not None:
                asyncio.run_coroutine_threadsafe(self._shut(self._sandbox), self._loop).result()
                self._sandbox = self._checkers = None
            self._stop_loop()

    async def _shut(self, sandbox: Sandbox) -> None:
        if self._checkers is not None:
            await self._checkers.close()
        await sandbox.__aexit__(None, None, None)

    def _stop_loop(self) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
        self._loop = self._thread = None

    def __enter__(self) -> ProgramGrader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class _Job:
    """A program and how it is to be tested."""

    source: str
    fn_name: str | None
    check_code: str | None
    helpers: str
    timeout_s: float
    script: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "script", wrap_program(self.source, is_call=bool(self.fn_name)))


def _judge_output(result: ProgramResult, test: TestCase) -> str:
    """Why a script failed; empty when it ended well and its output is right. The status comes first, as at every judge."""
    if result.status is not ExecStatus.OK:
        return LIMITS.get(result.status) or f"error: {last_line(result.stderr_tail) or result.status.value}"
    if same_output(result.stdout, test.output):
        return ""
    return f"wrong answer: {first_difference(result.stdout, test.output)}"


def _judge_call(result: ProgramResult, test: TestCase) -> str:
    """Why a call failed; empty when it returned the right value."""
    if result.status in LIMITS:
        return LIMITS[result.status]
    text = result.returned_json
    if text is None:
        return f"error: {last_line(result.stderr_tail) or 'no result: the program ended before the call returned'}"
    try:
        if may_equal(text, test.output) and same_value(decode(text), decode_expected(test.output)):
            return ""
    except (ValueError, RecursionError):
        return "error: the result is not JSON"
    return f"wrong answer: returned {text[:60]} instead of {test.output[:60]}"
