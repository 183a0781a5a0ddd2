"""Programs that are graded: a script with real standard streams, whose functions are called and whose results cross as JSON.

The program's process is the candidate's own ground: it can find the call's nonce and send any result it likes. That
forges nothing, since it could return that value as well. So nothing that *judges* may run in that process: what is
expected stays on this side, and only serialised values cross.
"""

from __future__ import annotations

import asyncio

from selftaught.records import ExecStatus

from . import output
from .handle import ChildHandle, Ending, Request
from .inside import wire
from .pool import Pool
from .settings import FunctionCall, ProgramResult, SandboxSettings, Tier
from .slots import QueueFull, Slots
from .verdict import Verdict, cpu_limit_s, exit_code, judge


class Program:
    """Made by ``Sandbox.program()``: one child that runs a source once, then answers calls of its functions."""

    def __init__(self, settings: SandboxSettings, slots: Slots, pool: Pool, source: str) -> None:
        self._settings, self._slots, self._pool = settings, slots, pool
        self._source = source
        self._child: ChildHandle | None = None
        self._lock = asyncio.Lock()
        self._num_requests = 0
        self._closed = False

    async def start(self, stdin: bytes | None = None, timeout_s: float | None = None) -> ProgramResult:
        """Run the source, calling nothing. Only the first time; later the result says ``refused``."""
        if self._num_requests:
            return refused_program("[not run: the program was started before]", self._tier)
        return await self._request(self._source, None, stdin, timeout_s)

    async def call(self, call: FunctionCall, timeout_s: float | None = None) -> ProgramResult:
        """Call one function, after running the source if ``start`` has not.

        A program that a limit or a crash ended stays ended: further calls are ``refused``.
        """
        return await self._request("" if self._num_requests else self._source, call, None, timeout_s)

    async def _request(
        self, source: str, call: FunctionCall | None, stdin: bytes | None, timeout_s: float | None
    ) -> ProgramResult:
        settings = self._settings
        timeout = settings.timeout_s if timeout_s is None else timeout_s
        async with self._lock:
            if self._closed or (self._child is not None and not self._child.alive):
                return refused_program("[not run: the program has ended]", self._tier)
            try:
                async with self._slots.take():
                    return await self._run(source, timeout, call, stdin)
            except QueueFull as error:
                return refused_program(str(error), self._tier)

    async def _run(
        self, source: str, timeout_s: float, call: FunctionCall | None, stdin: bytes | None
    ) -> ProgramResult:
        if self._child is None:
            self._child = await self._pool.take()
        child = self._child
        self._num_requests += 1
        cpu_s = cpu_limit_s(self._settings, timeout_s)
        child.allow_cpu(cpu_s, session=True)
        out, err = bytearray(), output.OutputBuffer(output.STDERR_KEEP_BYTES)
        request = program_request(self._settings, source, timeout_s, out, err, call, stdin, last=False)
        try:
            ending = await child.execute(request)
        except asyncio.CancelledError:
            self.close()
            raise
        verdict = judge(ending, timeout_s, cpu_s, self._num_requests)
        if verdict.gone:
            self.close()
        return program_result(self._settings, verdict, ending, out, err, child.tier)

    @property
    def is_live(self) -> bool:
        """Whether a further call would find the functions and their state."""
        return not self._closed and (self._child is None or self._child.alive)

    @property
    def _tier(self) -> Tier:
        return self._child.tier if self._child is not None else self._pool.tier or Tier.REDUCED

    def close(self) -> None:
        """Kill the child. Further calls are refused."""
        self._closed = True
        if self._child is not None:
            self._child.close()


def program_request(
    settings: SandboxSettings,
    source: str,
    timeout_s: float,
    out: bytearray,
    err: output.OutputBuffer,
    call: FunctionCall | None,
    stdin: bytes | None,
    last: bool = True,
) -> Request:
    """The request that runs ``source`` and then makes ``call``; its output goes to ``out`` and ``err``."""
    return Request(
        source, timeout_s, settings.max_output_bytes, out.extend, err.add, mode=wire.MODE_PROGRAM, last=last,
        awaits_exit=last, stdin=stdin, call=call.model_dump_json().encode() if call else b"",
    )  # fmt: skip


def program_result(
    settings: SandboxSettings,
    verdict: Verdict,
    ending: Ending,
    out: bytearray,
    err: output.OutputBuffer,
    tier: Tier,
) -> ProgramResult:
    """What the caller is told of a program."""
    has_returned = ending.done == wire.DONE_OK and verdict.status is ExecStatus.OK
    returned = ending.result if ending.result and has_returned else None
    return ProgramResult(
        status=verdict.status,
        stdout=output.decode(bytes(out[: settings.max_output_bytes])),
        stderr_tail=output.decode(err.raw()) + (verdict.note + "\n" if verdict.note else ""),
        returned_json=None if returned is None else output.decode(returned),
        wall_s=ending.wall_s,
        tier=tier,
        limit=verdict.limit,
        exit_code=exit_code(ending),
    )


def refused_program(reason: str, tier: Tier) -> ProgramResult:
    """A result for a program that was never run."""
    return ProgramResult(status=ExecStatus.REFUSED, stdout="", stderr_tail=reason, wall_s=0.0, tier=tier)
