"""A stateful session: one child that answers cell after cell until it is closed or killed by a limit.

State that was lost is never rebuilt behind the caller's back: the first cell after a loss runs in a fresh interpreter
and its output begins by saying so.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from selftaught.records import ExecStatus

from . import output
from .batch import needed
from .handle import ChildHandle, Request
from .settings import ExecResult
from .verdict import Verdict, judge

if TYPE_CHECKING:
    from .client import Sandbox
    from .pool import Pool

_NOTICE = "[new interpreter: {reason}; the variables of earlier cells are gone]"
_REFRESH_SHARE = 0.1


class Session:
    """Made by ``Sandbox.session()``. Cells of one session run one after another."""

    def __init__(self, sandbox: Sandbox, pool: Pool) -> None:
        self._sandbox, self._pool = sandbox, pool
        self._child: ChildHandle | None = None
        self._lock = asyncio.Lock()
        self._num_cells = 0
        self._loss = ""
        self._cpu_risk_s = math.inf
        self._closed = False

    def covers(self, code: str) -> bool:
        """Whether everything that ``code`` names and the sandbox preloads is preloaded here, too."""
        return set(needed(self._sandbox.settings.preload, [code])) <= set(self._pool.settings.preload)

    async def run(self, code: str, timeout_s: float | None = None, stdin: str | bytes | None = None) -> ExecResult:
        """Run one cell. Never raises for what the code does."""
        from .client import QueueFull

        sandbox = self._sandbox
        timeout = sandbox.settings.timeout_s if timeout_s is None else timeout_s
        async with self._lock:
            if self._closed:
                return sandbox.refusal("[not run: the session is closed]")
            try:
                async with sandbox.slot():
                    return await self._run(code, timeout, stdin.encode() if isinstance(stdin, str) else stdin)
            except QueueFull as error:
                return sandbox.refusal(str(error))

    async def _run(self, code: str, timeout_s: float, stdin: bytes | None) -> ExecResult:
        sandbox = self._sandbox
        settings = sandbox.settings
        if self._child is not None and not self._child.alive:
            self._drop("the last one ended between cells")
        if self._child is None:
            self._child = await self._pool.take()
            self._cpu_risk_s = math.inf
        child, notice = self._child, _NOTICE.format(reason=self._loss) if self._loss else ""
        self._loss = ""
        self._num_cells += 1
        cpu_s = sandbox.cpu_limit_s(timeout_s)
        if self._cpu_risk_s > _REFRESH_SHARE * cpu_s:
            sandbox.allow_cpu(child, cpu_s, session=True)
            self._cpu_risk_s = 0.0
        collected = output.OutputBuffer(settings.output_bytes)
        request = Request(
            code, timeout_s, settings.max_output_bytes, collected.add,
            number=self._num_cells, last=False, echo=settings.echo, stdin=stdin,
        )  # fmt: skip
        tier = child.zygote.tier
        try:
            ending = await child.execute(request)
        except asyncio.CancelledError:
            self._drop("the last cell was cancelled")
            raise
        self._cpu_risk_s += ending.wall_s
        verdict = judge(ending, timeout_s, cpu_s)
        if verdict.gone:
            self._drop(_reason(verdict))
        return sandbox.result(verdict, collected, ending.wall_s, tier, notice)

    def _drop(self, reason: str) -> None:
        self._loss = reason
        if self._child is not None:
            self._child.close()
            self._child = None

    def close(self) -> None:
        """Kill the child. Further cells are refused."""
        self._closed = True
        self._drop("closed")


def _reason(verdict: Verdict) -> str:
    if verdict.limit is not None:
        return f"the last cell hit the {verdict.limit} limit"
    return "the last cell crashed" if verdict.status is ExecStatus.CRASH else "the last cell ended the process"
