"""Progress: one line with what runs and the time left; plain lines when nobody watches a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from typing import TextIO

from selftaught.pipeline.markers import Marker
from selftaught.pipeline.outcome import Running
from selftaught.pipeline.recipe import Estimates
from selftaught.pipeline.stages import Stage

_DEFAULT_S = {"problems": 3.0, "rollout": 45.0, "grade": 4.0, "curate": 2.0, "train": 45.0, "report": 6.0}
"""Expected seconds of a stage that the recipe gives no time for."""

_PLAIN_EVERY_S = 10.0


class Forecast:
    """How long it will take: a reference run's seconds a stage, scaled by how this machine did so far."""

    def __init__(self, estimates: Estimates) -> None:
        self._estimates = estimates
        self._expected_done = self._seconds_done = 0.0
        self._stages: list[Stage] = []
        self._done: Mapping[str, Marker] = {}
        self._parallel = 1
        self._started = time.monotonic()

    def start(self, stages: list[Stage], done: Mapping[str, Marker], parallel: int) -> None:
        """Begin with what is done already."""
        self._stages, self._done, self._parallel = stages, done, parallel
        self._started = time.monotonic()

    def expected_s(self, stage: Stage) -> float:
        """Seconds of one stage in the reference run."""
        return self._estimates.stage_s.get(stage.name, _DEFAULT_S[stage.kind])

    def finished(self, stage: Stage, seconds: float) -> None:
        """Learn from a stage that ended."""
        self._expected_done += self.expected_s(stage)
        self._seconds_done += seconds

    def elapsed_s(self) -> float:
        """Since this call of the pipeline began."""
        return time.monotonic() - self._started

    def left_s(self, running: Mapping[str, Running]) -> float:
        """Seconds to the end: the stages left are laid out on the processes as the scheduler will do it."""
        # Ten seconds of prior weight keep the first, very short stages from swinging the factor.
        factor = (self._seconds_done + 10.0) / (self._expected_done + 10.0)
        now = time.monotonic()
        ends: dict[str, float] = dict.fromkeys(self._done, 0.0)
        slots: list[float] = []
        for name, item in running.items():
            spent = now - item.started
            expected = self.expected_s(item.stage) * factor
            share = item.done / item.total if item.total else 0.0
            if share > 0.05:
                expected = share * spent / share + (1 - share) * (0.5 * spent / share + 0.5 * expected)
            ends[name] = max(1.0, expected - spent)
            slots.append(ends[name])
        slots += [0.0] * (self._parallel - len(slots))
        left = [stage for stage in self._stages if stage.name not in ends]
        while left:
            slots.sort()
            ready = [s for s in left if all(need in ends for need in s.need_names)]
            stage = min(ready, key=lambda s: max([slots[0], *(ends[need] for need in s.need_names)]))
            begin = max([slots[0], *(ends[need] for need in stage.need_names)])
            slots[0] = ends[stage.name] = begin + self.expected_s(stage) * factor
            left.remove(stage)
        return max(ends.values(), default=0.0)


class Display:
    """Writes to stderr: one changing line on a terminal, a line every ten seconds and at each stage's end elsewhere."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._quiet = quiet
        self._last = 0.0
        self._width = 0
        self._num_done = self._num_stages = 0

    def begin(self, num_stages: int, num_done: int) -> None:
        """Say what lies ahead."""
        self._num_stages, self._num_done = num_stages, num_done
        if num_done and num_done < num_stages:
            self._line(f"{num_done} of {num_stages} stages are done already; going on.")

    def stage_started(self, stage: Stage) -> None:
        """Nothing is said: the running line shows it."""

    def stage_finished(self, stage: Stage, marker: Marker) -> None:
        """One lasting line a stage."""
        self._num_done += 1
        detail = f"  {marker.detail}" if marker.detail else ""
        self._line(f"[{self._num_done:2d}/{self._num_stages}] {stage.name:<24} {marker.seconds:6.1f} s{detail}")

    def show(self, forecast: Forecast, running: Mapping[str, Running], done: Mapping[str, Marker]) -> None:
        """The running line."""
        now = time.monotonic()
        if self._quiet or (not self._live and now - self._last < _PLAIN_EVERY_S) or not running:
            return
        self._last = now
        parts = []
        for name, item in running.items():
            parts.append(f"{name} {item.done}/{item.total}" if item.total else name)
        text = f"{clock(forecast.elapsed_s())} gone, about {clock(forecast.left_s(running))} left · {' · '.join(parts)}"
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            text = text[:width]
            self._stream.write("\r" + text.ljust(self._width))
            self._width = len(text)
            self._stream.flush()
        else:
            self._line(text)

    def end(self) -> None:
        """Leave the running line."""
        if self._live and self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._width = 0
            self._stream.flush()

    def _line(self, text: str) -> None:
        if self._quiet:
            return
        self.end()
        self._stream.write(text + "\n")
        self._stream.flush()


def clock(seconds: float) -> str:
    """``4:05`` for 245 seconds, ``1:02:03`` beyond an hour."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"
