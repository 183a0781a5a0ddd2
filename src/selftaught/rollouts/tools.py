"""Runs the Python blocks ("cells") of trajectories. A cell that cannot depend on anything hidden is run once for all.

The result of deterministic code is reused, keyed by all cells since the interpreter started. A first cell is run alone,
without a session. A session is only opened when a trajectory comes to a second cell whose result is not known. The
first cells are then run again in it. If one of them now prints something else than the model was shown, the state
counts as lost. Lost state, by that or because a cell was killed, is never restored silently: the output says that the
interpreter was restarted.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from selftaught.errors import SandboxError
from selftaught.records import ExecStatus, ToolInfo
from selftaught.rollouts.settings import RolloutSettings

RESTARTED = "(The interpreter was restarted: variables of earlier cells are gone.)\n"
_MAX_CACHED = 20_000
_MAX_CACHED_CHARS = 20_000
# Names, not meanings: a variable called ``date`` costs one needless run, whereas a call of ``time`` that is taken for
# repeatable would show the model a result of another trajectory.
_NOT_REPEATABLE = re.compile(
    r"\b(random|rand\w*|secrets|uuid\w*|time\w*|perf_counter|datetime|date|clock|getpid|urandom|hash|id|globals|locals|vars|dir"
    r"|thread\w*|multiprocessing|asyncio|open|Path|os|psutil|resource|gc|weakref|input|socket|requests|urllib)\b"
)


@dataclass(frozen=True, slots=True)
class CellResult:
    """What is kept of one cell."""

    status: ExecStatus
    output: str
    wall_s: float
    truncated: bool
    tier: str
    images: tuple[bytes, ...] = ()
    """Its figures as PNG. They are not part of the trajectory: what the model sees of them is a line of the output."""

    @classmethod
    def of(cls, result: Any) -> CellResult:
        """From the sandbox's result."""
        tier = getattr(result, "tier", "")
        return cls(
            result.status, result.output, result.wall_s, result.truncated, str(getattr(tier, "name", tier)).lower(),
            getattr(result, "images", ()),
        )  # fmt: skip

    @property
    def killed(self) -> bool:
        """True when the interpreter did not survive the cell."""
        return self.status not in (ExecStatus.OK, ExecStatus.ERROR)


class ToolCache:
    """Results by the cells run so far. Bounded; the least recently used go first."""

    def __init__(self, max_entries: int = _MAX_CACHED) -> None:
        self._results: OrderedDict[tuple[str, ...], CellResult] = OrderedDict()
        self._max_entries = max_entries
        self.num_hits = 0

    def get(self, cells: tuple[str, ...]) -> CellResult | None:
        """The kept result of the last of ``cells``."""
        found = self._results.get(cells)
        if found is not None:
            self._results.move_to_end(cells)
            self.num_hits += 1
        return found

    def put(self, cells: tuple[str, ...], result: CellResult) -> None:
        """Keep a result, if it is small and without images."""
        if not result.images and len(result.output) + sum(map(len, cells)) <= _MAX_CACHED_CHARS:
            self._results[cells] = result
            if len(self._results) > self._max_entries:
                self._results.popitem(last=False)


def is_repeatable(code: str) -> bool:
    """True unless the code names something whose result may differ from run to run."""
    return _NOT_REPEATABLE.search(code) is None


class ToolBox:
    """What all interpreters of a process share: the sandbox, the cache, the counts."""

    def __init__(self, sandbox: Any, settings: RolloutSettings, cache: ToolCache | None = None) -> None:
        self.sandbox, self.settings = sandbox, settings
        self.cache = cache if cache is not None else ToolCache()
        self.num_calls = 0
        self.num_run = 0
        self.wait_s = 0.0
        """Seconds that trajectories waited, summed over them."""
        self.tier = ""
        self.on_output: Callable[[str], None] | None = None
        """Of the interpreters that are made from now on."""

    def interpreter(self) -> Interpreter:
        """A fresh one, for one trajectory."""
        return Interpreter(self)


class Interpreter:
    """The Python of one trajectory. It costs nothing until code must really run."""

    def __init__(self, box: ToolBox) -> None:
        self._box = box
        self._cells: list[tuple[str, CellResult]] = []
        """Cells since the interpreter started, with what the model was shown."""
        self._context: Any = None
        self._session: Any = None
        self._num_in_session = 0
        self._restarted = False
        self.images: tuple[bytes, ...] = ()
        """Figures of the last cell, as PNG."""
        self.on_output = box.on_output
        """Shown what a cell prints while it runs. A cell whose result is known already prints nothing."""

    async def forget(self) -> None:
        """Begin afresh, for an interpreter whose earlier cells were run elsewhere: the next output says so."""
        await self._lose_state()

    async def run(self, code: str) -> ToolInfo:
        """Run one cell. Raises SandboxError only when the sandbox itself is broken."""
        box, settings = self._box, self._box.settings
        box.num_calls += 1
        started = time.perf_counter()
        if len(code.encode()) > settings.tools.max_code_bytes:
            self.images = ()
            text = f"The code is {len(code.encode())} bytes long; at most {settings.tools.max_code_bytes} are run."
            return ToolInfo(code=code, status=ExecStatus.REFUSED, output=text, wall_s=0.0)
        if not settings.tools.keep_state:
            self._cells.clear()
        chain = (*(cell for cell, _ in self._cells), code)
        # After a restart the model was told that its variables are gone, but the chain of cells says nothing of that:
        # such results are neither taken from the cache nor put there.
        usable = settings.tools.cache_tools and all(map(is_repeatable, chain)) and not self._restarted
        cached = box.cache.get(chain) if usable else None
        result = cached
        if result is None:
            box.num_run += 1
            result = await self._execute(chain, one_shot=(usable and not self._cells) or not settings.tools.keep_state)
            if usable and result.status is not ExecStatus.REFUSED and not self._restarted:
                box.cache.put(chain, result)
        box.tier = result.tier or box.tier
        box.wait_s += time.perf_counter() - started
        output = result.output
        if self._restarted:
            output, self._restarted = RESTARTED + output, False
        self.images = result.images
        self._cells.append((code, result))
        if result.killed and settings.tools.keep_state:
            await self._lose_state()
        return ToolInfo(
            code=code,
            status=result.status,
            output=output,
            wall_s=round(result.wall_s, 6),
            truncated=result.truncated,
            tier=result.tier or None,
            cached=cached is not None,
        )

    async def close(self) -> None:
        """End the session, if there is one. Idempotent."""
        context, self._context, self._session, self._num_in_session = self._context, None, None, 0
        if context is not None:
            await context.__aexit__(None, None, None)

    async def _execute(self, chain: tuple[str, ...], one_shot: bool) -> CellResult:
        """Run the last cell of ``chain``, the others having been run before it."""
        code, timeout_s = chain[-1], self._box.settings.tools.tool_timeout_s
        if one_shot:
            return CellResult.of(await self._box.sandbox.run(code, timeout_s=timeout_s, **self._spectator()))
        can_replay = all(map(is_repeatable, chain[:-1]))
        source = "\n".join(chain) if can_replay and is_repeatable(code) else None
        if self._session is not None and can_replay and not self._session.covers(code):
            await self.close()  # running the earlier cells again is cheaper than importing what another child preloads
        if self._session is None:
            await self._open(source)
        for earlier, shown in self._cells[self._num_in_session :]:
            again = CellResult.of(await self._session.run(earlier))
            self._num_in_session += 1
            if (again.status, again.output) != (shown.status, shown.output):
                await self._lose_state()
                await self._open(source)
                break
        raw = await self._session.run(code, **self._spectator())
        if getattr(raw, "restarted", False):
            self._cells.clear()
        self._num_in_session = len(self._cells) + 1
        return CellResult.of(raw)

    def _spectator(self) -> dict[str, Any]:
        """For the sandbox's call, only where somebody watches."""
        return {} if self.on_output is None else {"on_output": self.on_output}

    async def _open(self, source: str | None) -> None:
        """A session that begins with ``source``; None if its cells cannot be run again, so that it needs everything."""
        self._context = self._box.sandbox.session(source)
        try:
            self._session = await self._context.__aenter__()
        except SandboxError:
            self._context = None
            raise
        self._num_in_session = 0

    async def _lose_state(self) -> None:
        """Forget all cells; the next output says so."""
        self._cells.clear()
        self._restarted = True
        await self.close()
