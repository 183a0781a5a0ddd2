"""A stateful session: one child that answers cell after cell until it is closed or killed by a limit.

State that was lost is never rebuilt behind the caller's back: the first cell after a loss runs in a fresh interpreter
and its output begins by saying so.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from selftaught.errors import SandboxError
from selftaught.records import ExecStatus

from . import output
from .batch import needed
from .handle import ChildHandle, Request
from .pool import Pool
from .settings import ExecResult, SandboxSettings, Tier
from .slots import QueueFull, Slots
from .verdict import Verdict, cell_result, cpu_limit_s, judge, refusal

_NOTICE = "[new interpreter: {reason}; the variables of earlier cells are gone]"
_REFRESH_SHARE = 0.1


class Session:
    """Made by ``Sandbox.session()``. Cells of one session run one after another."""

    def __init__(self, settings: SandboxSettings, slots: Slots, pool: Pool) -> None:
        self._settings, self._slots, self._pool = settings, slots, pool
        self._child: ChildHandle | None = None
        self._lock = asyncio.Lock()
        self._num_cells = self._num_cells_of_child = 0
        self._loss = ""
        self._cpu_risk_s = math.inf
        self._closed = False

    def covers(self, code: str) -> bool:
        """Whether everything that ``code`` names and the sandbox preloads is preloaded here, too."""
        return set(needed(self._settings.preload, [code])) <= set(self._pool.settings.preload)

    @property
    def is_live(self) -> bool:
        """Whether the interpreter of the last cell is still there: the next cell will find its variables."""
        return self._child is not None and self._child.alive

    async def run(
        self,
        code: str,
        timeout_s: float | None = None,
        stdin: str | bytes | None = None,
        on_output: Callable[[str], None] | None = None,
    ) -> ExecResult:
        """Run one cell. Never raises for what the code does. ``on_output`` is shown what it prints as it comes."""
        timeout = self._settings.timeout_s if timeout_s is None else timeout_s
        async with self._lock:
            if self._closed:
                return refusal("[not run: the session is closed]", self._tier)
            try:
                async with self._slots.take():
                    return await self._run(code, timeout, encode_stdin(stdin), on_output)
            except QueueFull as error:
                return refusal(str(error), self._tier)

    @property
    def _tier(self) -> Tier:
        if self._pool.tier is None:
            raise SandboxError("the sandbox is not started; use `async with Sandbox(...)` or `await sandbox.start()`.")
        return self._pool.tier

    async def _run(
        self, code: str, timeout_s: float, stdin: bytes | None, on_output: Callable[[str], None] | None
    ) -> ExecResult:
        settings = self._settings
        if self._child is not None and not self._child.alive:
            self._drop("the last one ended between cells")
        if self._child is None:
            self._child = await self._pool.take()
            self._num_cells_of_child = 0
            self._cpu_risk_s = math.inf
        child, notice = self._child, _NOTICE.format(reason=self._loss) if self._loss else ""
        self._loss = ""
        self._num_cells += 1
        cpu_s = cpu_limit_s(settings, timeout_s)
        if self._cpu_risk_s > _REFRESH_SHARE * cpu_s:
            child.allow_cpu(cpu_s, session=True)
            self._cpu_risk_s = 0.0
        collected = output.buffer_for(settings, on_output)
        request = Request(
            code, timeout_s, settings.max_output_bytes, collected.add,
            number=self._num_cells, last=False, echo=settings.echo, stdin=stdin,
            max_images=settings.max_images, max_image_bytes=settings.max_image_bytes,
        )  # fmt: skip
        try:
            ending = await child.execute(request)
        except asyncio.CancelledError:
            self._drop("the last cell was cancelled")
            raise
        self._cpu_risk_s += ending.wall_s
        self._num_cells_of_child += 1
        verdict = judge(ending, timeout_s, cpu_s, self._num_cells_of_child)
        if verdict.gone:
            self._drop(_reason(verdict))
        return cell_result(verdict, collected, ending, child.tier, settings, notice)

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


def encode_stdin(stdin: str | bytes | None) -> bytes | None:
    """Standard input as bytes; lone surrogates, which model text can hold, pass through."""
    return stdin.encode("utf-8", "surrogatepass") if isinstance(stdin, str) else stdin
