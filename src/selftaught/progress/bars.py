"""The one look of progress: bars on a terminal, a plain line every ten seconds elsewhere.

Everything goes to stderr. ``with bars() as show:`` gives a `selftaught.progress.Reporter`; leaving the block, by an
interrupt too, ends the bars' lines, so that nothing that is printed later is glued to them.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from selftaught.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_EVERY_S = 10.0
"""Without a terminal, so often a line."""
FIRST_AFTER_S = 5.0
"""The first line with counts comes sooner."""


class Show(Protocol):
    """A `Reporter` that also prints lasting lines."""

    def __call__(self, progress: Progress, /) -> None:
        """Show a snapshot."""

    def say(self, line: str) -> None:
        """Print a line that stays."""

    def drop(self, what: str) -> None:
        """Forget a piece of work without a word."""


@contextmanager
def bars(stream: TextIO | None = None, *, quiet: bool = False) -> Iterator[Show]:
    """Show progress on ``stream`` (stderr) while the block runs; ``quiet`` shows nothing."""
    stream = stream if stream is not None else sys.stderr
    if quiet:
        yield _Quiet()
    elif stream.isatty() and os.environ.get("TERM") != "dumb":
        with _Bars(stream) as shown:
            yield shown
    else:
        with _Lines(stream) as lines:
            yield lines


class _Quiet:
    def __call__(self, progress: Progress, /) -> None: ...

    def say(self, line: str) -> None: ...

    def drop(self, what: str) -> None: ...


class _Lines:
    """The newest snapshot of each work, as plain lines; a thread keeps the time, since work may be silent for long."""

    def __init__(self, stream: TextIO, every_s: float = PLAIN_EVERY_S, first_s: float = FIRST_AFTER_S) -> None:
        self._stream, self._every_s, self._first_s = stream, every_s, first_s
        self._now: dict[str, Progress] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> _Lines:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def __call__(self, progress: Progress, /) -> None:
        with self._lock:
            if progress.finished:
                self._now.pop(progress.what, None)
                self._write(progress.line())
            else:
                if not self._now:
                    self._write(progress.line())  # work begins, such as loading a model: said at once
                self._now[progress.what] = progress

    def say(self, line: str) -> None:
        with self._lock:
            self._write(line)

    def drop(self, what: str) -> None:
        with self._lock:
            self._now.pop(what, None)

    def _tick(self) -> None:
        wait_s = self._first_s
        while not self._ended.wait(wait_s):
            wait_s = self._every_s
            with self._lock:
                if self._now:
                    self._write("   ".join(progress.line() for progress in self._now.values()))

    def _write(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class _Bars:
    """A bar for each work, by rich."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn
        from rich.progress import Progress as RichProgress

        console = Console(file=stream, highlight=False)
        self._bars = RichProgress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[counts]}", markup=False),
            TextColumn("{task.fields[details]}", style="dim", markup=False),
            console=console,
            transient=True,
        )
        self._console: Console = console
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> _Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, progress: Progress, /) -> None:
        if progress.finished:
            self.drop(progress.what)
            self.say(progress.line())
            return
        if progress.what not in self._tasks:
            self._tasks[progress.what] = self._bars.add_task(progress.what, total=None, counts="", details="")
        counts = f"{progress.done:,}/{progress.total:,}" if progress.total is not None else ""
        self._bars.update(
            self._tasks[progress.what],
            completed=progress.done,
            total=progress.total,
            counts=counts,
            details=" · ".join(progress.details()),
        )

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def drop(self, what: str) -> None:
        task = self._tasks.pop(what, None)
        if task is not None:
            self._bars.remove_task(task)
