"""Runs a check (HumanEval's ``check(candidate)``) on a program that lives in another sandboxed process.

The program is loaded in one session, the check in another. Whenever the check calls its candidate, the arguments are carried
over as text and the result comes back as text (`selftaught.grading.crossing`). This process hands the texts on and never
reads a value out of them.
"""

from __future__ import annotations

import asyncio
import json
import marshal
import re
import secrets
import time
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from selftaught.grading.prelude import set_up
from selftaught.records import ExecStatus

if TYPE_CHECKING:
    from selftaught.sandbox import ExecResult, Sandbox
    from selftaught.sandbox.session import Session

LIMITS = {ExecStatus.TIMEOUT: "time limit", ExecStatus.MEMORY: "memory limit", ExecStatus.OUTPUT: "output limit"}
"""What a verdict says of a program that was ended for its use of something."""

_HARNESS = "_selftaught_crossing"
_LEAST_S = 0.05


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


async def run_check(
    sandbox: Sandbox, script: str, check_code: str, entry_point: str, *, helpers: str = "", timeout_s: float
) -> CheckEnding:
    """Load the program ``script`` and run ``check_code`` on its ``entry_point``, in ``timeout_s`` seconds of running.

    Time in which both wait for a place in the sandbox is not counted.
    ``helpers`` are definitions that the check may use beside its own.
    """
    started = time.monotonic()
    exchange = _Exchange(timeout_s)
    try:
        async with sandbox.session(script) as program, sandbox.session(check_code) as check:
            start = f"check = __import__('sys').modules[{_HARNESS!r}].Check({check_code!r}, {helpers!r}, {entry_point!r}, {exchange.mark!r})\n"
            start = f"{_install()}{set_up(check_code, helpers)}{start}check.report()"
            loading = asyncio.create_task(exchange.load(program, script))
            try:
                event = await exchange.ask(check, start)
                await loading
            finally:
                loading.cancel()
                await asyncio.gather(loading, return_exceptions=True)
            while "call" in event:
                call = f"__import__('sys').modules[{_HARNESS!r}].answer(globals(), {entry_point!r}, {event['call']!r}, {exchange.mark!r})"
                reply = await exchange.say(program, call)
                event = await exchange.ask(check, f"check.resume({reply!r})")
            reason = "" if event.get("passed") is True else f"wrong answer: {str(event.get('failed'))[:200]}"
    except _Failed as failed:
        reason = str(failed)
    except _Refused as refused:
        return CheckEnding(f"sandbox: {refused}", time.monotonic() - started, refused=True)
    return CheckEnding(reason, time.monotonic() - started)


class _Exchange:
    """The way to both sessions: one store of time, one mark around what is said."""

    def __init__(self, timeout_s: float) -> None:
        self._left_s = timeout_s
        self.mark = secrets.token_hex(16)

    async def load(self, session: Session, script: str) -> None:
        """Run the program's own code."""
        await self._run(session, f"{_install()}{script}")

    async def say(self, session: Session, code: str) -> str:
        """Run a cell and return what it said between the marks."""
        result = await self._run(session, code)
        pieces = result.output.rsplit(self.mark, 2)
        if len(pieces) != 3:
            raise _Failed("error: no result: the program ended before the call returned")
        return pieces[1]

    async def ask(self, check: Session, code: str) -> dict[str, object]:
        """The same of the check, whose messages are ours."""
        event = json.loads(await self.say(check, code))
        assert isinstance(event, dict)
        return event

    async def _run(self, session: Session, code: str) -> ExecResult:
        if self._left_s <= 0:
            raise _Failed(LIMITS[ExecStatus.TIMEOUT])
        result = await session.run(code, timeout_s=max(self._left_s, _LEAST_S))
        self._left_s -= result.wall_s
        if result.status is ExecStatus.REFUSED:
            raise _Refused(result.output.strip()[-200:] or "refused")
        if result.status is not ExecStatus.OK:
            raise _Failed(LIMITS.get(result.status) or f"error: {last_line(result.output) or result.status.value}")
        return result


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
    return (
        f"exec(__import__('marshal').loads({code!r}), vars(__import__('sys').modules.setdefault("
        f"{_HARNESS!r}, type(__import__('sys'))({_HARNESS!r}))))\n"
    )
