"""One event loop in a thread of its own, so that a model stays loaded whoever asks: a script, a coroutine, a notebook.

An engine and its sandbox belong to the loop that they were opened in. Here that is always this one.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_process = 0


def background_loop() -> asyncio.AbstractEventLoop:
    """The loop; started when first needed, and anew in a forked process."""
    global _loop, _process
    with _lock:
        if _loop is None or _process != os.getpid():
            _loop, _process = asyncio.new_event_loop(), os.getpid()
            threading.Thread(target=_loop.run_forever, name="selftaught-api", daemon=True).start()
        return _loop


def submit(work: Coroutine[Any, Any, Result]) -> Future[Result]:
    """Start ``work`` there."""
    return asyncio.run_coroutine_threadsafe(work, background_loop())


def wait_for(work: Coroutine[Any, Any, Result]) -> Result:
    """Run ``work`` there and wait. Ctrl-C while waiting cancels it."""
    future = submit(work)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def awaited(work: Coroutine[Any, Any, Result]) -> Result:
    """Run ``work`` there from another loop, which goes on meanwhile. Cancelling this cancels ``work``."""
    return await asyncio.wrap_future(submit(work))


def without_loop(work: Callable[[], Result]) -> Result:
    """Call ``work``, which runs an event loop of its own: here, or in a thread where a loop is running already.

    A notebook's cell is such a place. Ctrl-C, or the notebook's stop button, interrupts ``work`` in either case.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    future: Future[Result] = Future()
    context = contextvars.copy_context()

    def call() -> None:
        try:
            future.set_result(context.run(work))
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=call, name="selftaught-verb", daemon=True)
    thread.start()
    try:
        return future.result()
    except KeyboardInterrupt:
        if thread.ident is not None and thread.is_alive():
            # The only way to stop a thread from outside: it sees the interrupt at its next step.
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt)
            )
            thread.join(timeout=30)
        raise
