"""Runs a check (HumanEval's ``check(candidate)``) on a program that lives in another sandboxed process.

The program is loaded in a session of its own, the check runs in another, which later checks use again. Whenever the check calls its candidate, the arguments are carried
over as text and the result comes back as text (`selftaught.grading.crossing`). This process hands the texts on and never
reads a value out of them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import marshal
import re
import secrets
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from selftaught.grading.prelude import set_up
from selftaught.records import ExecStatus

if TYPE_CHECKING:
    from selftaught.sandbox import ExecResult, Sandbox
    from selftaught.sandbox.session import Session

LIMITS = {ExecStatus.TIMEOUT: "time limit", ExecStatus.MEMORY: "memory limit", ExecStatus.OUTPUT: "output limit"}
"""What a verdict says of a program that was ended for its use of something."""

_HARNESS = "_selftaught_crossing"
_MODULE = f"__import__('sys').modules[{_HARNESS!r}]"
_LEAST_S = 0.5
_MAX_CHECKS = 200  # in one session: then what earlier ones left in its memory goes


@dataclass(frozen=True)
class CheckEnding:
    """``reason`` is empty when the check passed. ``refused``: the sandbox failed, no verdict on the program."""

    reason: str
    wall_s: float
    refused: bool = False


class _Failed(Exception):
    """The program, or the check on it, failed."""


class _Refused(Exception):
    """The sandbox ran nothing."""


def helpers_before(starter_code: str | None, entry_point: str) -> str:
    """What stands before the entry point in the starter code: imports and helper functions."""
    if not starter_code:
        return ""
    match = re.search(rf"^def\s+{re.escape(entry_point)}\b", starter_code, re.MULTILINE)
    return starter_code[: match.start()].rstrip() if match else ""


@dataclass
class _Checker:
    """A session that runs checks. ``is_free``: its last check has ended, so that nothing of it waits for a reply."""

    session: Session
    stack: AsyncExitStack
    num_checks: int = 0
    is_free: bool = False

    def can_run(self, check_code: str) -> bool:
        """Whether this check may be the next: the harness is still there, and so is what the check imports."""
        return self.is_free and self.session.is_live and self.session.covers(check_code)


class Checkers:
    """Sessions of one sandbox in which checks run, kept from check to check: a fork and an import less for each.

    What a check gets to see of a program are plain values, so no program can leave anything in such a session for the
    check of another one. A session whose check did not end is not used again.
    """

    def __init__(self, sandbox: Sandbox, num_kept: int) -> None:
        self.sandbox = sandbox
        self._num_kept = num_kept
        self._free: list[_Checker] = []

    @asynccontextmanager
    async def lend(self, check_code: str) -> AsyncIterator[_Checker]:
        """A session for one check. ``num_checks`` is 0 for a new one, into which the harness has to be put."""
        checker = next((one for one in self._free if one.can_run(check_code)), None)
        if checker is not None:
            self._free.remove(checker)
        else:
            stack = AsyncExitStack()
            checker = _Checker(await stack.enter_async_context(self.sandbox.session(check_code)), stack)
        checker.is_free = False
        try:
            yield checker
        finally:
            checker.num_checks += 1
            self._free.append(checker)
            while self._free and (len(self._free) > self._num_kept or not _is_worth_keeping(self._free[-1])):
                await self._free.pop(0 if _is_worth_keeping(self._free[-1]) else -1).stack.aclose()

    async def close(self) -> None:
        """End all sessions that are kept."""
        while self._free:
            await self._free.pop().stack.aclose()


def _is_worth_keeping(checker: _Checker) -> bool:
    return checker.is_free and checker.num_checks < _MAX_CHECKS


async def run_check(
    checkers: Checkers, script: str, check_code: str, entry_point: str, *, helpers: str = "", timeout_s: float
) -> CheckEnding:
    """Load the program ``script`` and run ``check_code`` on its ``entry_point``, in ``timeout_s`` seconds of running.

    Time in which both wait for a place in the sandbox is not counted.
    ``helpers`` are definitions that the check may use beside its own.
    """
    started = time.monotonic()
    exchange = _Exchange(timeout_s)
    try:
        event = await _go_through(exchange, checkers, script, check_code, entry_point, helpers, ahead=True)
        if "astray" in event:  # the check made other calls than expected: from the beginning, call by call
            event = await _go_through(exchange, checkers, script, check_code, entry_point, helpers, ahead=False)
        reason = "" if event.get("passed") is True else f"wrong answer: {str(event.get('failed'))[:200]}"
    except _Failed as failed:
        reason = str(failed)
    except _Refused as refused:
        return CheckEnding(f"sandbox: {refused}", time.monotonic() - started, refused=True)
    return CheckEnding(reason, time.monotonic() - started)


async def _go_through(
    exchange: _Exchange, checkers: Checkers, script: str, check_code: str, name: str, helpers: str, *, ahead: bool
) -> dict[str, Any]:
    """One program, one check, from the beginning to the event that ends it."""
    async with checkers.sandbox.session(script) as program, checkers.lend(check_code) as checker:
        install = "" if checker.num_checks else _install()
        start = f"check = {_MODULE}.Check({check_code!r}, {helpers!r}, {name!r}, {exchange.mark!r}, {ahead})\n"
        loading = asyncio.create_task(exchange.load(program, script))
        try:
            event = await exchange.ask(checker.session, f"{install}{set_up(check_code, helpers)}{start}check.report()")
            await loading
        finally:
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)
        while "call" in event:
            requests = event.get("ahead") or [event["call"]]
            replies, failure = await exchange.replies(program, name, requests)
            if not replies:
                raise failure or _Failed(
                    "error: no result: the program ended, or said too much, before the call returned"
                )
            event = await exchange.ask(checker.session, f"check.resume({requests!r}, {replies!r})")
            if failure is not None and "call" in event:
                raise failure
        checker.is_free = "astray" not in event
    return event


class _Exchange:
    """The way to both sessions: one store of time, one mark around what is said."""

    def __init__(self, timeout_s: float) -> None:
        self._left_s = timeout_s
        self.mark = secrets.token_hex(16)

    async def load(self, session: Session, script: str) -> None:
        """Run the program's own code."""
        _, failure = await self._run(session, f"{_install()}{script}")
        if failure is not None:
            raise failure

    async def replies(self, program: Session, name: str, requests: list[str]) -> tuple[list[str], _Failed | None]:
        """What the program's function ``name`` replies to ``requests``, one after another, and what ended it before the last.

        The replies are the program's own word, as they would be one at a time.
        """
        calls = f"for request in {requests!r}: {_MODULE}.answer(names, {name!r}, request, {self.mark!r})"
        result, failure = await self._run(program, f"(lambda names: exec({calls!r}, {{'names': names}}))(globals())")
        said = re.findall(rf"{self.mark}(\{{.*?\}}){self.mark}\n", result.output)  # a traceback may show the mark, too
        if failure is not None:
            self._left_s = max(self._left_s, _LEAST_S)  # for the check to look at what came before
        return [] if result.truncated else said[: len(requests)], failure

    async def ask(self, check: Session, code: str) -> dict[str, Any]:
        """Run a cell of the check and return the event that it said between the marks. Its messages are ours."""
        result, failure = await self._run(check, code)
        if failure is not None:
            raise failure
        event = json.loads(result.output.rsplit(self.mark, 2)[1])
        assert isinstance(event, dict)
        return event

    async def _run(self, session: Session, code: str) -> tuple[ExecResult, _Failed | None]:
        if self._left_s <= 0:
            raise _Failed(LIMITS[ExecStatus.TIMEOUT])
        result = await session.run(code, timeout_s=max(self._left_s, _LEAST_S))
        self._left_s -= result.wall_s
        if result.restarted:
            raise _Refused("an interpreter was lost in the middle of a check")
        if result.status is ExecStatus.REFUSED:
            raise _Refused(result.output.strip()[-200:] or "refused")
        if result.status is not ExecStatus.OK:
            text = result.output.rpartition(self.mark)[2]
            return result, _Failed(LIMITS.get(result.status) or f"error: {last_line(text) or result.status.value}")
        return result, None


def last_line(text: str) -> str:
    """The last line that is not blank, shortened."""
    lines = text[-4000:].strip().splitlines()
    return lines[-1].strip()[:200] if lines else ""


@lru_cache(maxsize=1)
def _install() -> str:
    """A line of code that puts `selftaught.grading.crossing` into an interpreter under a name of its own.

    The interpreter there is this one, so it can take compiled code.
    """
    source = resources.files("selftaught.grading").joinpath("crossing.py").read_text("utf-8")
    code = marshal.dumps(compile(source, "<crossing>", "exec", 0, dont_inherit=True))
    packed = base64.b64encode(zlib.compress(code, 9)).decode()  # short, so that it is quickly sent and parsed
    return (
        f"exec(__import__('marshal').loads(__import__('zlib').decompress(__import__('base64').b64decode({packed!r}))), "
        f"vars(__import__('sys').modules.setdefault({_HARNESS!r}, type(__import__('sys'))({_HARNESS!r}))))\n"
    )
