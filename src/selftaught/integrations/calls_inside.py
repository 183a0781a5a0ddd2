"""Runs in the sandbox: code that calls functions of the host. Its text is the source of a sandboxed program.

The host calls ``step`` again and again. Each step runs the code until it ends or waits for functions of the host, and
returns what it waits for; the next step brings the results. So a call needs no wire of its own, each step stands under
the program's limits, and the sandbox has no way to the host but the values that it returns.

Standard library only: nothing of selftaught is there.
"""

from __future__ import annotations

import ast
import asyncio
import json
import linecache
import queue
import threading
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

_NAME = "<code>"
_SETTLE_TURNS = 5  # of the event loop: for the calls of an `asyncio.gather` to go out together


class HostError(Exception):
    """A function of the host raised. Code may catch it."""

    def __init__(self, message: str, number: int = 0) -> None:
        super().__init__(message)
        self.number = number


class FinalAnswer(BaseException):
    """Ends the code with an answer; no ``except Exception`` stops it."""


def _plain(value: Any) -> Any:
    convert = getattr(value, "tolist", None)
    if callable(convert):
        return convert()
    raise TypeError(f"a {type(value).__name__} cannot be sent out of the sandbox; make it a JSON value")


def encode(value: Any) -> Any:
    """A value as what JSON can carry. Raises TypeError."""
    return json.loads(json.dumps(value, default=_plain))


def decode(value: Any) -> Any:
    """What ``encode`` of the host made."""
    return value


class Run:
    """Code at work in a thread or in an event loop; ``names`` is its namespace."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
        self.outbox: list[dict[str, Any]] = []
        self.answer: dict[str, Any] | None = None
        self._number = 0

    def add_functions(self, names: list[str], final: str | None) -> None:
        """Define functions of the host; the one called ``final`` ends the code with what it returns."""
        for name in names:
            self.names[name] = self._function(name, name == final)

    def _function(self, name: str, is_final: bool) -> Callable[..., Any]:
        raise NotImplementedError

    def ask(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        """Put a call into the outbox; its number."""
        call = {"name": name, "args": [encode(each) for each in args], "kwargs": {k: encode(kwargs[k]) for k in kwargs}}
        self._number += 1
        self.outbox.append({"number": self._number, **call})
        return self._number

    def finish(self, work: Callable[[], Any]) -> dict[str, Any]:
        """What the code came to."""
        try:
            return _value(work())
        except FinalAnswer as answer:
            return {**_value(answer.args[0]), "final": True}
        except BaseException as error:
            lines = traceback.format_exception(type(error), error, _below(error))
            return {"error": "".join(lines)[-8000:], "number": error.number if isinstance(error, HostError) else 0}


def _value(value: Any) -> dict[str, Any]:
    try:
        return {"value": encode(value)}
    except Exception:
        return {"text": repr(value)[:8000]}


def _below(error: BaseException) -> Any:
    """The part of the traceback that begins in the code, not in here."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != _NAME:
        trace = trace.tb_next
    return trace


def _parse(code: str) -> ast.Module:
    linecache.cache[_NAME] = (len(code), None, code.splitlines(keepends=True), _NAME)
    return ast.parse(code, _NAME)


class Threaded(Run):
    """Ordinary code; a call of the host's functions stops its thread until the result is there."""

    def __init__(self) -> None:
        super().__init__()
        self._events: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._replies: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def begin(self, code: str) -> None:
        """Start ``code``."""
        self.answer = None

        def work() -> None:
            self.answer = self.finish(lambda: self._execute(code))
            self._events.put(None)

        threading.Thread(target=work, daemon=True).start()

    def _execute(self, code: str) -> Any:
        """All statements; the value of the last one, if it is an expression."""
        tree = _parse(code)
        last = tree.body[-1] if tree.body else None
        if not isinstance(last, ast.Expr):
            exec(compile(tree, _NAME, "exec"), self.names)
            return None
        del tree.body[-1]
        exec(compile(tree, _NAME, "exec"), self.names)
        return eval(compile(ast.Expression(last.value), _NAME, "eval"), self.names)

    def _function(self, name: str, is_final: bool) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            reply: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
            with self._lock:
                self._replies[self.ask(name, args, kwargs)] = reply
            self._events.put(None)
            value = _result(reply.get())
            if is_final:
                raise FinalAnswer(value)
            return value

        call.__name__ = name
        return call

    def go_on(self, results: list[dict[str, Any]]) -> None:
        """Deliver results, and run until the end or the next call."""
        with self._lock:
            waiting = [(self._replies.pop(result["number"]), result) for result in results]
        for reply, result in waiting:
            reply.put(result)
        while self.answer is None and not self.outbox:
            self._events.get()


class Awaited(Run):
    """Asynchronous code, the body of a function: ``await`` and ``return`` stand at its top."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._event = asyncio.Event()
        self._main: asyncio.Task[Any] | None = None

    def begin(self, code: str) -> None:
        """Start ``code``."""
        self._main = self._loop.create_task(self._guarded(code))

    async def _guarded(self, code: str) -> Callable[[], Any]:
        """The end of the code as a function, since a task must not raise SystemExit: the event loop would raise it too."""
        try:
            value = await self._execute(code)
            return lambda: value
        except (SystemExit, KeyboardInterrupt) as error:
            stopped = error

            def stop() -> Any:
                raise stopped

            return stop

    async def _execute(self, code: str) -> Any:
        tree = _parse(code)
        body: list[ast.stmt] = tree.body or [ast.Pass()]
        last = body[-1]
        if isinstance(last, ast.Expr):
            body[-1] = ast.copy_location(ast.Return(last.value), last)
        wrapper = ast.parse("async def __code__(): pass").body[0]
        assert isinstance(wrapper, ast.AsyncFunctionDef)
        wrapper.body = body
        exec(compile(ast.Module([wrapper], []), _NAME, "exec"), self.names)
        return await self.names["__code__"]()

    def _function(self, name: str, is_final: bool) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            future: asyncio.Future[Any] = self._loop.create_future()
            self._waiting[self.ask(name, args, kwargs)] = future
            self._event.set()
            return _result(await future)

        call.__name__ = name
        return call

    def go_on(self, results: list[dict[str, Any]]) -> None:
        """Deliver results, and run until the end or until nothing moves without the host."""
        self._loop.run_until_complete(self._turn(results))
        if self._main is not None and self._main.done():
            main = self._main
            self.answer = self.finish(lambda: main.result()())

    async def _turn(self, results: list[dict[str, Any]]) -> None:
        assert self._main is not None
        for result in results:
            future = self._waiting.pop(result["number"])
            if not future.done():  # a task that was cancelled waits no more
                future.set_result(result)
        while not self._main.done() and not self.outbox:
            self._event.clear()
            woken = asyncio.ensure_future(self._event.wait())
            await asyncio.wait({self._main, woken}, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()
        for _ in range(_SETTLE_TURNS):
            await asyncio.sleep(0)


def _result(result: dict[str, Any]) -> Any:
    if "error" in result:
        raise HostError(result["error"], result["number"])
    return decode(result["value"])


_run: Threaded | Awaited | None = None


def step(request: dict[str, Any]) -> dict[str, Any]:
    """One step: begin code or deliver results, and run.

    ``{"awaited", "codec"?, "functions", "final"?, "variables", "code"}`` or ``{"results": [{"number", "value" or
    "error"}]}`` → ``{"calls": [{"number", "name", "args", "kwargs"}]}``, or ``{"value" or "text", "final"?}``, or
    ``{"error", "number"}``.
    """
    global _run
    if "code" in request:
        if _run is None:
            if request.get("codec"):
                exec(compile(request["codec"], "<codec>", "exec"), globals())
            _run = Awaited() if request["awaited"] else Threaded()
        _run.add_functions(request["functions"], request.get("final"))
        _run.names.update({name: decode(value) for name, value in request["variables"].items()})
        _run.begin(request["code"])
    assert _run is not None
    _run.go_on(request.get("results", []))
    calls, _run.outbox = _run.outbox, []
    return {"calls": calls} if calls else dict(_run.answer or {})
