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
from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType

from selftaught.errors import SandboxError
from selftaught.records import ExecStatus

from . import output
from .handle import ChildHandle, ChildLost, Ending, Request
from .inside import wire
from .session import Session
from .settings import ExecResult, FunctionCall, ProgramResult, SandboxSettings, Tier
from .tiers import start_best
from .verdict import Verdict, judge
from .zygote import Zygote

_MAX_ATTEMPTS = 5
_STDERR_KEEP_BYTES = 8192


class QueueFull(Exception):
    """More callers wait than ``max_queue`` allows."""


class Sandbox:
    """Use as ``async with Sandbox(settings) as sandbox``. Belongs to one event loop; any number may live at once."""

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self.settings = settings or SandboxSettings()
        workers = self.settings.workers
        self._num_spares = self.settings.spares or min(max(2, workers), 16)
        self._slots = asyncio.Semaphore(workers)
        self._num_waiting = 0
        self._spares: deque[ChildHandle] = deque()
        self._zygote: Zygote | None = None
        self._tier: Tier | None = None
        self._successor: asyncio.Task[Zygote] | None = None
        self._retired: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Lock()
        self._num_sessions = 0
        self._open = False

    async def __aenter__(self) -> Sandbox:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Start the zygote and the spares. Raises SandboxError when no tier that is allowed is to be had."""
        self._open = True
        await self._ensure_zygote()
        self._fill()

    async def close(self) -> None:
        """Kill everything that still runs; leave no process behind."""
        self._open = False
        if self._successor is not None:
            self._successor.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._successor
            self._successor = None
        while self._spares:
            self._spares.popleft().close()
        for task in list(self._retired):
            task.cancel()
        if self._retired:
            await asyncio.gather(*self._retired, return_exceptions=True)
        if self._zygote is not None:
            await self._zygote.stop()
            self._zygote = None

    @property
    def tier(self) -> Tier:
        """Isolation of the running zygote. Raises SandboxError before ``start``."""
        if self._zygote is None:
            raise SandboxError("the sandbox is not started; use `async with Sandbox(...)` or `await sandbox.start()`.")
        return self._zygote.tier

    @property
    def info(self) -> dict[str, object]:
        """What the zygote said of itself: tier, modules found and missing, Landlock version, uid."""
        return dict(self._zygote.info) if self._zygote is not None else {}

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
            child = await self.take()
            tier = self.tier
            cpu_s = self.cpu_limit_s(request.timeout_s)
            try:
                if cpu_s > self.cpu_limit_s(self.settings.timeout_s):
                    self.allow_cpu(child, cpu_s, session=False)
                ending = await child.execute(request)
            finally:
                child.close()
                self._fill()
        return judge(ending, request.timeout_s, cpu_s), ending, tier

    # ------------------------------------------------------------------------------------------------------ sessions

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A live interpreter whose names persist from cell to cell. Its child dies with the block."""
        if self._num_sessions >= self.settings.max_sessions:
            raise SandboxError(f"{self._num_sessions} sessions are open; sandbox.max_sessions allows no more.")
        self._num_sessions += 1
        session = Session(self)
        try:
            yield session
        finally:
            self._num_sessions -= 1
            session.close()
            self._fill()

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

    async def take(self) -> ChildHandle:
        """A child that is ready for its first cell."""
        reason = ""
        for _ in range(_MAX_ATTEMPTS):
            zygote = await self._ensure_zygote()
            child = self._take_spare() or zygote.spawn()
            try:
                await child.ready
                return child
            except ChildLost as error:
                reason = str(error)
                child.close()
            except BaseException:
                child.close()
                raise
        raise SandboxError(f"no sandboxed child came up in {_MAX_ATTEMPTS} attempts; the last said: {reason}")

    def _take_spare(self) -> ChildHandle | None:
        """The first spare that is ready, else the one that was asked for first."""
        for child in [child for child in self._spares if not child.alive]:
            self._spares.remove(child)
            child.close()
        for child in self._spares:
            if child.ready.done():
                self._spares.remove(child)
                return child
        return self._spares.popleft() if self._spares else None

    def _fill(self) -> None:
        """Ask for as many children as spares are missing."""
        zygote = self._zygote
        if not self._open or zygote is None or not zygote.alive:
            return
        self._retire_if_old(zygote)
        while len(self._spares) < self._num_spares:
            self._spares.append(zygote.spawn())

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

    # ------------------------------------------------------------------------------------------------------- zygotes

    async def _ensure_zygote(self) -> Zygote:
        if self._zygote is not None and self._zygote.alive:
            return self._zygote
        async with self._starting:
            if self._zygote is not None and self._zygote.alive:
                return self._zygote
            if not self._open:
                raise SandboxError(
                    "the sandbox is not started; use `async with Sandbox(...)` or `await sandbox.start()`."
                )
            if self._zygote is not None:
                await self._zygote.stop()
            # A sandbox never changes its tier: what came after a crash would be weaker without anybody asking for it.
            fixed = self.settings if self._tier is None else self.settings.model_copy(update={"tier": self._tier})
            self._zygote, first_child = await start_best(fixed)
            self._tier = self._zygote.tier
            self._spares.append(first_child)
            self._fill()
            return self._zygote

    def _retire_if_old(self, zygote: Zygote) -> None:
        """After ``max_calls_per_zygote`` children start a fresh zygote beside the old one and change over when ready."""
        if zygote.num_spawned < self.settings.max_calls_per_zygote or self._successor is not None:
            return
        self._successor = asyncio.create_task(Zygote.start(self.settings, zygote.tier))
        self._successor.add_done_callback(self._change_over)

    def _change_over(self, task: asyncio.Task[Zygote]) -> None:
        self._successor = None
        if task.cancelled() or not self._open:
            return
        if task.exception() is not None:
            return  # keep the old one; the next call tries again
        old, self._zygote = self._zygote, task.result()
        for child in self._spares:
            child.close()
        self._spares.clear()
        if old is not None:
            retirement = asyncio.create_task(_stop_when_empty(old))
            self._retired.add(retirement)
            retirement.add_done_callback(self._retired.discard)
        self._fill()


async def _stop_when_empty(zygote: Zygote) -> None:
    try:
        while zygote.children and zygote.alive:  # noqa: ASYNC110  (rare, and nothing waits for it)
            await asyncio.sleep(0.1)
    finally:
        await zygote.stop()


def _encode(stdin: str | bytes | None) -> bytes | None:
    return stdin.encode("utf-8", "surrogatepass") if isinstance(stdin, str) else stdin
