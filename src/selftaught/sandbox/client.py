"""The sandbox's asynchronous client: a pool of pre-forked, already sandboxed children behind a bounded queue.

A one-shot call takes a spare child, which has every wall up and waits for its first line; a session keeps its child.
``run`` never raises for what the code does: a wrong, endless or hostile program is a result.

Covered: no network, no other program, no file but the Python installation (read-only) and a scratch directory that is
gone after the call, no secret of the caller's, bounded time, memory, output, files, threads and descriptors, nothing
left from one call to the next. Not covered: bugs of the Linux kernel, side channels through the processor, a cell that
lies about its own success, and the memory of all workers together (size the pool: ``memory_bytes`` × ``workers``).
``docs/sandbox.md`` has the whole list.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import TracebackType

from selftaught.errors import SandboxError
from selftaught.records import ExecStatus

from . import output
from .batch import needed
from .handle import ChildHandle, Ending, Request
from .inside import wire
from .pool import Pool
from .session import Session
from .settings import ExecResult, FunctionCall, ProgramResult, SandboxSettings, Tier
from .verdict import Verdict, judge

_COMMON = ("numpy", "sympy", "mpmath")  # what most code of reasoners needs
_STDERR_KEEP_BYTES = 8192


class QueueFull(Exception):
    """More callers wait than ``max_queue`` allows."""


class Sandbox:
    """Use as ``async with Sandbox(settings) as sandbox``. Belongs to one event loop; any number may live at once."""

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self.settings = settings or SandboxSettings()
        self._slots = asyncio.Semaphore(self.settings.workers)
        self._num_waiting = 0
        self._num_sessions = 0
        self._pool = Pool(self.settings)
        self._light: list[Pool] = []
        self._light_start: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Sandbox:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Start the zygote and the spares. Raises SandboxError when no tier that is allowed is to be had."""
        await self._pool.start()
        if not self.settings.light or self._light:
            return
        for modules in _lighter(self.settings.preload):
            light = Pool(self.settings.model_copy(update={"preload": modules}), self._pool.tier)
            self._light.append(light)
            self._light_start.append(asyncio.create_task(light.start()))
            self._light_start[-1].add_done_callback(_look_at)

    async def close(self) -> None:
        """Kill everything that still runs; leave no process behind."""
        for task in self._light_start:
            task.cancel()
        await asyncio.gather(*self._light_start, return_exceptions=True)
        await asyncio.gather(*(light.close() for light in self._light))
        self._light, self._light_start = [], []
        await self._pool.close()

    @property
    def tier(self) -> Tier:
        """Isolation of the running zygote. Raises SandboxError before ``start``."""
        if self._pool.zygote is None or self._pool.tier is None:
            raise SandboxError("the sandbox is not started; use `async with Sandbox(...)` or `await sandbox.start()`.")
        return self._pool.tier

    @property
    def info(self) -> dict[str, object]:
        """What the zygote said of itself: tier, modules found and missing, Landlock version, uid."""
        return dict(self._pool.zygote.info) if self._pool.zygote is not None else {}

    # ----------------------------------------------------------------------------------------------------- one-shot

    async def run(self, code: str, timeout_s: float | None = None, stdin: str | bytes | None = None) -> ExecResult:
        """Run ``code`` as a notebook cell of its own and return its output, the last expression echoed."""
        timeout = self.settings.timeout_s if timeout_s is None else timeout_s
        collected = output.OutputBuffer(self.settings.output_bytes)
        request = Request(
            code, timeout, self.settings.max_output_bytes, collected.add, echo=self.settings.echo, stdin=_encode(stdin)
        )
        try:
            verdict, ending, tier = await self._one_shot(request)
        except QueueFull as error:
            return self.refusal(str(error))
        return self.result(verdict, collected, ending.wall_s, tier)

    async def run_program(
        self,
        source: str,
        stdin: str | bytes | None = None,
        call: FunctionCall | None = None,
        timeout_s: float | None = None,
    ) -> ProgramResult:
        """Run ``source`` as a script with a real stdin and stdout; then, if asked, call one of its functions.

        The call's result comes back beside stdout, so nothing that the program prints can be mistaken for it, and a
        program that leaves early has returned nothing. Output is not cut, only limited to ``max_output_bytes``.
        """
        timeout = self.settings.timeout_s if timeout_s is None else timeout_s
        out, err = bytearray(), output.OutputBuffer(_STDERR_KEEP_BYTES)
        request = Request(
            source, timeout, self.settings.max_output_bytes, out.extend, err.add,
            mode=wire.MODE_PROGRAM, stdin=_encode(stdin), call=call.model_dump_json().encode() if call else b"",
        )  # fmt: skip
        try:
            verdict, ending, tier = await self._one_shot(request)
        except QueueFull as error:
            return ProgramResult(
                status=ExecStatus.REFUSED, stdout="", stderr_tail=str(error), wall_s=0.0, tier=self.tier
            )
        tail = output.decode(err.raw()) + (verdict.note + "\n" if verdict.note else "")
        return ProgramResult(
            status=verdict.status,
            stdout=output.decode(bytes(out[: self.settings.max_output_bytes])),
            stderr_tail=tail,
            returned_json=ending.result.decode("utf-8", "replace")
            if ending.result and ending.done == wire.DONE_OK
            else None,
            wall_s=ending.wall_s,
            tier=tier,
            limit=verdict.limit,
        )

    async def _one_shot(self, request: Request) -> tuple[Verdict, Ending, Tier]:
        async with self.slot():
            pool = self._pool_for(request.source)
            child = await pool.take()
            tier = child.zygote.tier
            cpu_s = self.cpu_limit_s(request.timeout_s)
            try:
                if cpu_s > self.cpu_limit_s(self.settings.timeout_s):
                    self.allow_cpu(child, cpu_s, session=False)
                ending = await child.execute(request)
            finally:
                child.close()
                pool.fill()
        return judge(ending, request.timeout_s, cpu_s), ending, tier

    def _pool_for(self, source: str) -> Pool:
        """The smallest pool that has every preloaded module that the code names: small zygotes fork faster."""
        wanted = set(needed(self.settings.preload, [source]))
        for light in self._light:
            if wanted <= set(light.settings.preload) and light.zygote is not None and light.zygote.alive:
                return light
        return self._pool

    # ------------------------------------------------------------------------------------------------------ sessions

    @contextlib.asynccontextmanager
    async def session(self, source: str | None = None) -> AsyncIterator[Session]:
        """A live interpreter whose names persist from cell to cell. Its child dies with the block.

        With ``source``, the code that it will begin with, its child has only those modules preloaded that the code
        names, which forks faster. Others are imported when a cell asks for them (`Session.covers` tells).
        """
        if self._num_sessions >= self.settings.max_sessions:
            raise SandboxError(f"{self._num_sessions} sessions are open; sandbox.max_sessions allows no more.")
        self._num_sessions += 1
        pool = self._pool if source is None else self._pool_for(source)
        session = Session(self, pool)
        try:
            yield session
        finally:
            self._num_sessions -= 1
            session.close()
            pool.fill()

    # --------------------------------------------------------------------------- shared with Session, not for callers

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait in order for one of ``workers`` slots. Raises QueueFull instead of waiting in too long a queue."""
        if self._slots.locked() and self._num_waiting >= self.settings.max_queue:
            raise QueueFull(f"[not run: {self._num_waiting} callers wait already, sandbox.max_queue allows no more]")
        self._num_waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._num_waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    def allow_cpu(self, child: ChildHandle, cpu_s: float, session: bool) -> None:
        """Set how much CPU the child's next cell may use."""
        child.zygote.allow_cpu(child, cpu_s, session)

    def cpu_limit_s(self, timeout_s: float) -> float:
        """CPU allowed to a call of this wall time."""
        if self.settings.cpu_s is not None and timeout_s <= self.settings.timeout_s:
            return self.settings.cpu_s
        return max(self.settings.cpu_s or 0.0, timeout_s + 1)

    def result(
        self, verdict: Verdict, collected: output.OutputBuffer, wall_s: float, tier: Tier, notice: str = ""
    ) -> ExecResult:
        """Turn what was collected into a result that is safe to show."""
        text = output.decode(collected.raw())
        if verdict.note:
            text += ("" if not text or text.endswith("\n") else "\n") + verdict.note + "\n"
        if self.settings.neutralise:
            text = output.neutralise(text)
        text, cut = output.cut_lines(text, self.settings.max_line_chars)
        return ExecResult(
            status=verdict.status,
            output=f"{notice}\n{text}" if notice else text,
            wall_s=wall_s,
            truncated=cut or collected.truncated,
            tier=tier,
            limit=verdict.limit,
            restarted=bool(notice),
        )

    def refusal(self, reason: str) -> ExecResult:
        """A result for code that was never run."""
        return ExecResult(status=ExecStatus.REFUSED, output=reason + "\n", wall_s=0.0, tier=self.tier)


def _lighter(modules: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Smaller sets of modules that are worth a zygote of their own, smallest first."""
    common = tuple(module for module in modules if module in _COMMON)
    sets = [(), common] if common else [()]
    return [each for each in sets if each != modules]


def _look_at(task: asyncio.Task[None]) -> None:
    """A light pool that did not come up is no loss: the other one serves all calls."""
    if not task.cancelled():
        task.exception()


def _encode(stdin: str | bytes | None) -> bytes | None:
    return stdin.encode("utf-8", "surrogatepass") if isinstance(stdin, str) else stdin
