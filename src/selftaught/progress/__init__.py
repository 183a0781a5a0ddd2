"""How long work says how far it is: snapshots, whoever shows them, and a meter that makes them.

Work calls a `Reporter` with a `Progress` at least once a second. The command line shows it as bars, a notebook as text;
neither is known here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

WINDOW_S = 20.0
"""Speed and time left come from the last so many seconds."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A snapshot of one piece of work. What is not known is None, and is not shown."""

    what: str
    """Names the work; snapshots of the same name replace one another."""
    done: int = 0
    total: int | None = None
    right: float | None = None
    """Share that was right so far, 0 to 1."""
    tokens: int | None = None
    """Tokens so far, those of unfinished trajectories too."""
    tokens_per_s: float | None = None
    left_s: float | None = None
    notes: tuple[str, ...] = ()
    """Short remarks: ``calls 40%``, ``3 errors``."""
    finished: bool = False
    """The last snapshot of this work."""

    def line(self) -> str:
        """One line of plain text."""
        parts = [f"{self.done:,}/{self.total:,}"] if self.total is not None else []
        return " · ".join([self.what, *parts, *self.details()])

    def details(self) -> list[str]:
        """What follows the counts: right so far, remarks, tokens, time left."""
        parts = [f"right {self.right:.1%}"] if self.right is not None else []
        parts += self.notes
        if self.tokens:
            parts.append(f"{self.tokens:,} tokens")
        if self.tokens_per_s:
            parts.append(f"{self.tokens_per_s:,.0f} tokens/s")
        if self.left_s is not None and not self.finished:
            parts.append(f"{duration(self.left_s)} left")
        return parts


class Reporter(Protocol):
    """Whoever shows progress."""

    def __call__(self, progress: Progress, /) -> None:
        """Take a snapshot. Cheap; called from the thread that works."""


def silent(progress: Progress) -> None:
    """A `Reporter` that shows nothing."""


@dataclass(slots=True)
class Meter:
    """Turns counts into snapshots with speed and time left."""

    what: str
    total: int | None = None
    resumed: int = 0
    """Done before; counts as done, and not for the speed."""
    clock: Callable[[], float] = time.monotonic
    _recent: list[tuple[float, int, int]] = field(default_factory=list)

    def at(
        self,
        done: int,
        *,
        tokens: int | None = None,
        right: float | None = None,
        notes: tuple[str, ...] = (),
        finished: bool = False,
    ) -> Progress:
        """The snapshot for ``done`` items (those done before included) and ``tokens`` of this attempt."""
        now = self.clock()
        if not self._recent:
            self._recent.append((now, self.resumed, 0))
        self._recent.append((now, done, tokens or 0))
        while len(self._recent) > 2 and now - self._recent[1][0] > WINDOW_S:
            self._recent.pop(0)
        start, done_then, tokens_then = self._recent[0]
        span = max(now - start, 1e-6)
        speed = (done - done_then) / span
        known = self.total is not None and speed > 0
        return Progress(
            self.what,
            done,
            self.total,
            right,
            tokens,
            ((tokens or 0) - tokens_then) / span if tokens else None,
            ((self.total or 0) - done) / speed if known else None,
            notes,
            finished,
        )


def counted(report: Reporter, what: str) -> Callable[[int, int], None]:
    """A callback ``(done, total)`` that reports as ``what``."""
    meter = Meter(what)

    def count(done: int, total: int) -> None:
        meter.total = total
        report(meter.at(done, finished=done >= total))

    return count


def duration(seconds: float) -> str:
    """``3 s``, ``2 min 5 s``, ``1 h 4 min``."""
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
