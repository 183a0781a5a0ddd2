"""The engine, the sandbox and everything that rollouts share, in an event loop of their own in a thread of its own.

A step of a local model takes milliseconds to seconds of the processor. So it never runs in the loop that answers HTTP:
there ``/health`` answers while a model decodes, and a stream's first byte does not wait for another's prompt. PyTorch
lets go of Python's lock while it computes. What belongs to the engine's loop (interpreters, too) is only touched there:
`Backend.call` runs a coroutine in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from selftaught.errors import SelftaughtError
from selftaught.hints import HintLibrary, load_library, split_name
from selftaught.manner import Manner
from selftaught.problems import messages_of, render_question
from selftaught.records import Problem
from selftaught.rollouts.opening import manner_of, open_engine, open_sandbox
from selftaught.rollouts.settings import RolloutSettings
from selftaught.rollouts.tools import ToolBox, ToolCache
from selftaught.serve.post import Post

if TYPE_CHECKING:
    from selftaught.engines.base import Engine
    from selftaught.sandbox import Sandbox

Result = TypeVar("Result")

FEW_TURNS = 4
"""Turns at once up to which each stream keeps its own pace."""
MOST_PACE_S = 0.25
"""Seconds between two pieces of a stream at most, however many there are."""


@dataclass(slots=True)
class Backend:
    """An open model with its sandbox. ``start`` opens both, ``close`` leaves no thread and no process."""

    model: str
    settings: RolloutSettings
    """Of the engine and the sandbox; a turn brings its own for all else."""
    engine: Engine = field(init=False)
    sandbox: Sandbox | None = field(init=False, default=None)
    manner: Manner = field(init=False)
    cache: ToolCache = field(init=False, default_factory=ToolCache)
    loop: asyncio.AbstractEventLoop = field(init=False)
    post: Post = field(init=False, default_factory=Post)
    """Carries what turns say to whoever reads it."""
    _num_turns: int = field(init=False, default=0)
    _policies: dict[str, tuple[HintLibrary, str]] = field(init=False, default_factory=dict)
    _thread: threading.Thread = field(init=False)

    def start(self) -> None:
        """Open the model and the sandbox. Raises EngineError, SandboxError, ConfigError."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="selftaught-engine", daemon=True)
        self._thread.start()
        try:
            self.submit(self._open()).result()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Cancel what runs, close the engine and the sandbox, end the thread."""
        if self.loop.is_closed():
            return
        with contextlib.suppress(SelftaughtError):
            self.submit(self._close()).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def submit(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Start ``work`` in the engine's loop, from any thread. Cancelling the future cancels it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    async def call(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run ``work`` in the engine's loop and wait for it in this one. Cancelling this cancels it."""
        return await asyncio.wrap_future(self.submit(work))

    def toolbox(self, settings: RolloutSettings) -> ToolBox | None:
        """Fresh interpreters for a turn of these settings; None with tools off."""
        if not settings.tools.enabled or self.sandbox is None:
            return None
        return ToolBox(self.sandbox, settings, self.cache)

    def policy(self, settings: RolloutSettings) -> tuple[HintLibrary, str]:
        """The hint library and the policy's name in it. Read once: a file that is changed counts from the next start."""
        named = settings.hints.policy
        if named not in self._policies:
            path, policy = split_name(named)
            self._policies[named] = load_library(path), policy
        return self._policies[named]

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Count a turn while it is made. In the engine's loop."""
        self._num_turns += 1
        try:
            yield
        finally:
            self._num_turns -= 1

    def pace(self, pace_s: float) -> float:
        """Seconds between two pieces of a stream that wants one every ``pace_s``: a piece costs about as much however many
        tokens it holds, so that with many streams each gets larger ones."""
        return min(max(pace_s, MOST_PACE_S), pace_s * max(1.0, self._num_turns / FEW_TURNS))

    def prompt_of(self, problem: Problem, settings: RolloutSettings) -> list[int]:
        """Ids of the chat that a problem is asked with. From any thread. EngineError when the template refuses it."""
        question = render_question(problem, self.manner)
        return self.engine.codec.encode_messages(messages_of(problem, question, settings.sampling.system))

    # ------------------------------------------------------------------------------------------- in the engine's loop

    async def _open(self) -> None:
        self.engine = open_engine(self.settings, self.model)
        self.manner = manner_of(self.engine)
        if self.settings.tools.enabled:
            self.sandbox = await open_sandbox(self.settings, self.model).__aenter__()

    async def _close(self) -> None:
        mine = asyncio.current_task()
        running = [task for task in asyncio.all_tasks() if task is not mine]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self.sandbox is not None:
            await self.sandbox.__aexit__(None, None, None)
            self.sandbox = None
        if hasattr(self, "engine"):
            await self.engine.aclose()
