"""A model that stays loaded: ask it as often as you like, with or without hints, waiting, streaming or with ``await``.

The engine and the sandboxes live in the loop of `selftaught.api.background`, so the same model can be asked from a script,
from a coroutine and from a notebook's cell. Who asks several things at once (``asyncio.gather``) has them in one batch.
"""

from __future__ import annotations

import asyncio
import atexit
import warnings
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from selftaught.api.background import awaited, submit, wait_for
from selftaught.api.grading import shared_grader
from selftaught.api.options import AskSettings, Folder, flat_keys, in_words
from selftaught.api.solution import Solution
from selftaught.errors import ConfigError, IncompleteError
from selftaught.manner import Manner
from selftaught.problems.asked import asked_problem
from selftaught.records import Problem
from selftaught.rollouts.checks import check_settings, outside_notice
from selftaught.rollouts.defaults import for_infer
from selftaught.rollouts.opening import manner_of, open_engine, open_sandbox, sandbox_settings
from selftaught.rollouts.pieces import Event, Piece
from selftaught.rollouts.settings import FLAT, RolloutSettings
from selftaught.rollouts.single import solve

if TYPE_CHECKING:
    from selftaught.engines.base import Engine
    from selftaught.sandbox import Sandbox

ROWS = 8
"""Questions that a loaded model works on at once, unless ``max_rows`` says otherwise."""

_OF_LOADING = tuple(key for key, (group, _, _) in FLAT.items() if group in ("engine", "spread"))
"""Settings that `load` takes and `Model.infer` does not."""
_OF_MANY = ("samples", "record_rounds", "workers")


def load(model: Folder, **settings: Unpack[AskSettings]) -> Model:
    """Load a model and keep it: ``toy``, a folder, a hub id, or ``http://…/v1``.

    Settings of the engine (``device``, ``dtype``, ``tokenizer``, ``max_rows``, …) belong here; any others are the defaults of
    the model's answers. Use it in a ``with`` block, or ``close`` it. EngineError or ConfigError says what is missing.
    """
    return Model(str(model), flat_keys(settings, _OF_MANY))


class Model:
    """A loaded model. Made by ``st.load``; safe to use from several threads and coroutines at once."""

    def __init__(self, name: str, given: Mapping[str, Any]) -> None:
        self.name = name
        self._given = {"max_rows": ROWS, "sandbox_workers": 2, **given}
        self._sandboxes: dict[str, Sandbox] = {}
        self._opening = asyncio.Lock()
        settings = for_infer(self._given, Manner(), name=in_words)
        check_settings(settings, name)
        self._engine: Engine | None = wait_for(self._open_engine(settings))
        self.manner: Manner = manner_of(self._engine)
        _open_models.add(self)

    @overload
    def infer(
        self,
        question: str | Problem,
        *,
        kind: str | None = None,
        choices: Sequence[str] = (),
        answer: str | None = None,
        raw: bool = False,
        stream: Literal[False] = False,
        **settings: Unpack[AskSettings],
    ) -> Solution:
        """The whole answer."""

    @overload
    def infer(
        self,
        question: str | Problem,
        *,
        kind: str | None = None,
        choices: Sequence[str] = (),
        answer: str | None = None,
        raw: bool = False,
        stream: Literal[True],
        **settings: Unpack[AskSettings],
    ) -> Stream:
        """The answer in pieces."""

    def infer(
        self,
        question: str | Problem,
        *,
        kind: str | None = None,
        choices: Sequence[str] = (),
        answer: str | None = None,
        raw: bool = False,
        stream: bool = False,
        **settings: Unpack[AskSettings],
    ) -> Solution | Stream:
        """Solve one problem: a text, or a `Problem` of ``st.load_problems``.

        ``choices`` make it multiple choice; with ``answer`` the result has a grade; ``raw`` asks in exactly these words.
        ``hints`` and the other settings are called as the options of ``selftaught infer``. ``stream=True`` gives the pieces as
        they come. A model's mistake never raises; IncompleteError says that its engine or sandbox failed.
        """
        job = self._job(question, kind, choices, answer, raw, settings)
        return Stream(self, *job) if stream else wait_for(self._solve(*job))

    async def ainfer(
        self,
        question: str | Problem,
        *,
        kind: str | None = None,
        choices: Sequence[str] = (),
        answer: str | None = None,
        raw: bool = False,
        **settings: Unpack[AskSettings],
    ) -> Solution:
        """`infer` for coroutines. For pieces: ``async for piece in model.infer(…, stream=True)``."""
        return await awaited(self._solve(*self._job(question, kind, choices, answer, raw, settings)))

    def close(self) -> None:
        """Give the memory and the sandboxes back. Any number of times."""
        _open_models.discard(self)
        wait_for(self._close())

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Model:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _open_models.discard(self)
        await awaited(self._close())

    def __repr__(self) -> str:
        return f"<Model {self.name}{'' if self._engine is not None else ', closed'}>"

    # ---------------------------------------------------------------------------------------------- in the caller's thread

    def _job(
        self,
        question: str | Problem,
        kind: str | None,
        choices: Sequence[str],
        answer: str | None,
        raw: bool,
        settings: Mapping[str, Any],
    ) -> tuple[Problem, RolloutSettings]:
        if self._engine is None:
            raise ConfigError(f"the model {self.name} is closed; load it again.")
        for name in settings:
            if name in _OF_LOADING:
                raise ConfigError(
                    f"{name} is a setting of load, not of infer; give it to st.load({self.name!r}, {name}=…)."
                )
        if isinstance(question, Problem):
            if kind or choices or answer is not None or raw:
                raise ConfigError("a Problem is asked as it is; leave kind, choices, answer and raw out.")
            problem = question
        else:
            problem = asked_problem(question, kind=kind, choices=choices, answer=answer, raw=raw)
        given = {**self._given, **flat_keys(settings, _OF_MANY)}
        chosen = for_infer(given, self.manner, name=in_words)
        check_settings(chosen, self.name)
        notice = outside_notice(problem, self.manner)
        if notice:
            warnings.warn(notice, stacklevel=3)
        return problem, chosen

    # ------------------------------------------------------------------------------------------------ in the background loop

    async def _open_engine(self, settings: RolloutSettings) -> Engine:
        return open_engine(settings, self.name)

    async def _sandbox(self, settings: RolloutSettings) -> Sandbox:
        """The open sandbox with the limits of ``settings``; questions with the same limits share one."""
        key = sandbox_settings(settings, self.name).model_dump_json()
        async with self._opening:
            if key not in self._sandboxes:
                self._sandboxes[key] = await open_sandbox(settings, self.name).__aenter__()
            return self._sandboxes[key]

    async def _solve(
        self, problem: Problem, settings: RolloutSettings, pieces: asyncio.Queue[Piece | None] | None = None
    ) -> Solution:
        assert self._engine is not None
        sandbox = await self._sandbox(settings) if settings.tools.enabled else None

        def watch(event: Event) -> None:
            if pieces is not None and isinstance(event, Piece) and event.text:
                pieces.put_nowait(event)

        watcher = watch if pieces is not None else None
        trajectory = await solve(problem, self._engine, sandbox, settings, watcher)
        if trajectory.stop_reason.is_failure:
            raise IncompleteError(f"the answer ended by {trajectory.stop_reason.value}: {trajectory.error}")
        grade = None
        if problem.answer is not None or problem.tests:
            grade = await asyncio.to_thread(shared_grader().grade, problem, trajectory)
        return Solution.of(trajectory, problem, grade)

    async def _close(self) -> None:
        engine, self._engine = self._engine, None
        sandboxes, self._sandboxes = self._sandboxes, {}
        for sandbox in sandboxes.values():
            await sandbox.close()
        if engine is not None:
            await engine.aclose()


class Stream:
    """An answer that comes piece by piece: ``for piece in …`` or ``async for piece in …``, each with ``text`` and ``where``.

    ``where`` is thinking, code, hint, output or answer. After the last piece, ``solution`` holds the whole. To stop early, leave
    the loop.
    """

    def __init__(self, model: Model, problem: Problem, settings: RolloutSettings) -> None:
        self._pieces: asyncio.Queue[Piece | None] = asyncio.Queue()
        self._work = submit(self._run(model, problem, settings))

    @property
    def solution(self) -> Solution:
        """The whole answer; waits for its end. Raises what `Model.infer` raises."""
        return self._work.result()

    def close(self) -> None:
        """Stop, if it is not done yet."""
        self._work.cancel()

    def __iter__(self) -> Iterator[Piece]:
        try:
            while (piece := wait_for(self._pieces.get())) is not None:
                yield piece
            self._work.result()  # raises what went wrong
        finally:
            self.close()

    async def __aiter__(self) -> AsyncIterator[Piece]:
        try:
            while (piece := await awaited(self._pieces.get())) is not None:
                yield piece
            await asyncio.wrap_future(self._work)
        finally:
            self.close()

    async def _run(self, model: Model, problem: Problem, settings: RolloutSettings) -> Solution:
        try:
            return await model._solve(problem, settings, self._pieces)
        finally:
            self._pieces.put_nowait(None)


_open_models: weakref.WeakSet[Model] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Leave no process behind when a script ends without `Model.close`."""
    for model in list(_open_models):
        model.close()
