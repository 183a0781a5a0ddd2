"""The sandbox's asynchronous client: a pool of pre-forked, already sandboxed children behind a bounded queue.

A one-shot call takes a spare child, which has every wall up and waits for its first line; a session keeps its child.
``run`` never raises for what the code does: a wrong, endless or hostile program is a result.

Covered: no network, no other program, no file but the Python installation (read-only) and a scratch directory that is
gone after the call, no secret of the caller's, bounded time, memory, output, files, threads and descriptors, nothing
left from one call to the next. Not covered: bugs of the Linux kernel, side channels through the processor, a cell that
lies about its own success. The memory of all children together is bounded where a cgroup can be had (``cgroup``); size
the pool otherwise: ``memory_bytes`` × ``workers``. ``docs/sandbox.md`` has the whole list.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType

from selftaught.errors import SandboxError

from . import cgroup, output
from .batch import needed
from .blocking import BlockingSandbox
from .handle import Ending, Request
from .pool import Pool
from .program import Program, program_request, program_result, refused_program
from .session import Session, encode_stdin
from .settings import ExecResult, FunctionCall, ProgramResult, SandboxSettings, Tier
from .slots import QueueFull, Slots
from .verdict import Verdict, cell_result, cpu_limit_s, judge, refusal

_COMMON = ("numpy", "sympy", "mpmath")  # what most code of reasoners needs


class Sandbox:
    """``async with Sandbox(settings) as sandbox`` and ``await sandbox.run(code)``; or, from code that is not asynchronous,
    ``with Sandbox(settings) as sandbox`` and ``sandbox.run(code)``.

    Belongs to one event loop, in the second form to one of its own; any number may live at once.
    """

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self.settings = settings or SandboxSettings()
        self._slots = Slots(self.settings.workers, self.settings.max_queue)
        self._num_sessions = 0
        self._blocking: BlockingSandbox | None = None
        self._pool = Pool(self.settings)
        self._group: cgroup.ControlGroup | None = None
        self._light: list[Pool] = []
        self._light_start: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Sandbox:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __enter__(self) -> BlockingSandbox:
        """Start in a thread with an event loop of its own, so that it works with a loop running (a notebook) and without."""
        self._blocking = BlockingSandbox(self)
        return self._blocking.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._blocking is not None:
            self._blocking.__exit__(kind, error, trace)
            self._blocking = None

    async def start(self) -> None:
        """Start the zygote and the spares. Raises SandboxError when no tier that is allowed is to be had."""
        if self.settings.cgroup and self._group is None:
            self._group = self._pool.group = cgroup.make(*self.settings.group_limits())
        await self._pool.start()
        if not self.settings.light or self._light:
            return
        for modules in _lighter(self.settings.preload):
            light = Pool(self.settings.model_copy(update={"preload": modules}), self._pool.tier, self._group)
            self._light.append(light)
            self._light_start.append(asyncio.create_task(light.start()))
            self._light_start[-1].add_done_callback(_retrieve_error)

    async def close(self) -> None:
        """Kill everything that still runs; leave no process behind."""
        for task in self._light_start:
            task.cancel()
        await asyncio.gather(*self._light_start, return_exceptions=True)
        await asyncio.gather(*(light.close() for light in self._light))
        self._light, self._light_start = [], []
        await self._pool.close()
        if self._group is not None:
            group, self._group = self._group, None
            await asyncio.to_thread(group.close)

    @property
    def tier(self) -> Tier:
        """Isolation of the running zygote. Raises SandboxError before ``start``."""
        if self._pool.zygote is None or self._pool.tier is None:
            raise SandboxError("the sandbox is not started; use `async with Sandbox(...)` or `await sandbox.start()`.")
        return self._pool.tier

    @property
    def memory_wall(self) -> str:
        """What bounds the memory of all children together, in words; each child's own limit stands in any case."""
        if self._group is None or not self._group.stands:
            return f"{self.settings.memory_bytes >> 20} MiB for each process, no cgroup for all together"
        return self._group.words

    @property
    def has_cgroup(self) -> bool:
        """Whether a control group of the kernel's stands round all children together."""
        return self._group is not None and self._group.stands

    @property
    def info(self) -> dict[str, object]:
        """What the zygote said of itself: tier, modules found and missing, Landlock version, uid."""
        return dict(self._pool.zygote.info) if self._pool.zygote is not None else {}

    # ----------------------------------------------------------------------------------------------------- one-shot

    async def run(
        self,
        code: str,
        timeout_s: float | None = None,
        stdin: str | bytes | None = None,
        on_output: Callable[[str], None] | None = None,
    ) -> ExecResult:
        """Run ``code`` as a notebook cell of its own and return its output, the last expression echoed.

        ``on_output`` is shown what it prints as it comes.
        """
        timeout = self.settings.timeout_s if timeout_s is None else timeout_s
        collected = output.buffer_for(self.settings, on_output)
        request = Request(
            code, timeout, self.settings.max_output_bytes, collected.add,
            echo=self.settings.echo, stdin=encode_stdin(stdin),
            max_images=self.settings.max_images, max_image_bytes=self.settings.max_image_bytes,
        )  # fmt: skip
        try:
            verdict, ending, tier = await self._one_shot(request)
        except QueueFull as error:
            return refusal(str(error), self.tier)
        return cell_result(verdict, collected, ending, tier, self.settings)

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
        out, err = bytearray(), output.OutputBuffer(output.STDERR_KEEP_BYTES)
        request = program_request(self.settings, source, timeout, out, err, call, encode_stdin(stdin))
        try:
            verdict, ending, tier = await self._one_shot(request)
        except QueueFull as error:
            return refused_program(str(error), self.tier)
        return program_result(self.settings, verdict, ending, out, err, tier)

    async def _one_shot(self, request: Request) -> tuple[Verdict, Ending, Tier]:
        async with self._slots.take():
            pool = self._pool_for(request.source)
            child = await pool.take()
            cpu_s = cpu_limit_s(self.settings, request.timeout_s)
            try:
                if cpu_s > cpu_limit_s(self.settings, self.settings.timeout_s):
                    child.allow_cpu(cpu_s, session=False)
                ending = await child.execute(request)
            finally:
                child.close()
                pool.fill()
        return judge(ending, request.timeout_s, cpu_s), ending, child.tier

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
        pool = self._pool if source is None else self._pool_for(source)
        with self._counted():
            session = Session(self.settings, self._slots, pool)
            try:
                yield session
            finally:
                session.close()
                pool.fill()

    @contextlib.asynccontextmanager
    async def program(self, source: str) -> AsyncIterator[Program]:
        """A live program whose functions can be called one after another, each call under a limit of its own.

        What a call returns crosses to here as JSON beside stdout, so a check of it can run where the program has no
        reach. The program's state persists from call to call; its child dies with the block.
        """
        pool = self._pool_for(source)
        with self._counted():
            program = Program(self.settings, self._slots, pool, source)
            try:
                yield program
            finally:
                program.close()
                pool.fill()

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        if self._num_sessions >= self.settings.max_sessions:
            raise SandboxError(f"{self._num_sessions} sessions are open; sandbox.max_sessions allows no more.")
        self._num_sessions += 1
        try:
            yield
        finally:
            self._num_sessions -= 1


def _lighter(modules: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Smaller sets of modules that are worth a zygote of their own, smallest first."""
    common = tuple(module for module in modules if module in _COMMON)
    sets = [(), common] if common else [()]
    return [each for each in sets if each != modules]


def _retrieve_error(task: asyncio.Task[None]) -> None:
    """Keep asyncio from reporting an error that nobody awaits: a light pool that did not come up is no loss: the other one serves all calls."""
    if not task.cancelled():
        task.exception()
