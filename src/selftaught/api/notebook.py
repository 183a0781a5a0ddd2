"""Progress where the interface is used: a bar of plain HTML in a notebook, else what the command line shows."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selftaught.api.html import progress_html
from selftaught.progress import Progress
from selftaught.progress.bars import Show, bars

_EVERY_S = 0.2


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this process."""
    shell = sys.modules.get("IPython")
    found = shell.get_ipython() if shell is not None else None
    return found is not None and getattr(found, "kernel", None) is not None


@contextmanager
def shown(quiet: bool = False) -> Iterator[Show]:
    """A `Show` for the block; ``quiet`` shows nothing."""
    if quiet or not in_notebook():
        with bars(quiet=quiet) as show:
            yield show
        return
    # Libraries below import tqdm, which asks for widgets at once; ours needs none.
    warnings.filterwarnings("ignore", message="IProgress not found")
    notebook = NotebookBars()
    try:
        yield notebook
    finally:
        notebook.end()


class NotebookBars:
    """The newest snapshot of each work as a bar in one output, which is written over. No widgets, no extension."""

    def __init__(self) -> None:
        from IPython.display import display

        self._now: dict[str, Progress] = {}
        self._lines: list[str] = []
        self._shown_at = 0.0
        self._handle: Any = display(self._html(), display_id=True)

    def __call__(self, progress: Progress, /) -> None:
        """Show a snapshot."""
        if progress.finished:
            self._now.pop(progress.what, None)
            self.say(progress.line())
            return
        is_new = progress.what not in self._now
        self._now[progress.what] = progress
        if is_new or time.monotonic() - self._shown_at >= _EVERY_S:
            self._update()

    def say(self, line: str) -> None:
        """Print a line that stays."""
        self._lines.append(line)
        self._update()

    def drop(self, what: str) -> None:
        """Forget a piece of work without a word."""
        self._now.pop(what, None)

    def end(self) -> None:
        """Take the bars away; the lines stay."""
        self._now.clear()
        self._update()

    def _html(self) -> Any:
        from IPython.display import HTML

        return HTML(progress_html(list(self._now.values()), self._lines))

    def _update(self) -> None:
        self._shown_at = time.monotonic()
        self._handle.update(self._html())
