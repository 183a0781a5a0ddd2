"""Progress of a run: the time that is left, by a reference run, and what is shown of the stages at work."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack

from selftaught.pipeline.markers import Marker
from selftaught.pipeline.outcome import Running
from selftaught.pipeline.recipe import Estimates
from selftaught.pipeline.stages import Stage
from selftaught.progress import Progress
from selftaught.progress.bars import Show

_DEFAULT_S = {
    "problems": 3.0,
    "probe": 60.0,
    "policy": 10.0,
    "rollout": 45.0,
    "grade": 4.0,
    "curate": 2.0,
    "train": 45.0,
    "report": 6.0,
}
"""Expected seconds of a stage that the recipe gives no time for."""


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
        """Seconds to the end: a small simulation of the scheduler, with each stage's expected seconds."""
        # Ten seconds of prior weight keep the first, very short stages from swinging the factor.
        factor = (self._seconds_done + 10.0) / (self._expected_done + 10.0)
        now = time.monotonic()
        ends: dict[str, float] = dict.fromkeys(self._done, 0.0)
        slots: list[float] = []
        for name, item in running.items():
            spent = now - item.started
            expected = self.expected_s(item.stage) * factor
            share = item.share
            if share > 0.05:
                # What the stage itself says of its progress counts more the further it is.
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
    """A run's progress: a bar for the run and one for each stage at work; a lasting line at each stage's end."""

    def __init__(self, shown: AbstractContextManager[Show]) -> None:
        self._stack = ExitStack()
        self._bars = shown
        self._show: Show | None = None
        self._num_done = self._num_stages = 0

    def begin(self, num_stages: int, num_done: int) -> None:
        """Say what lies ahead."""
        self._show = self._stack.enter_context(self._bars)
        self._num_stages, self._num_done = num_stages, num_done
        if num_done and num_done < num_stages:
            self._say(f"{num_done} of {num_stages} stages are done already; going on.")

    def stage_started(self, stage: Stage) -> None:
        """Nothing is said: its bar shows it."""

    def stage_finished(self, stage: Stage, marker: Marker) -> None:
        """One lasting line a stage."""
        self._num_done += 1
        if self._show is not None:
            self._show.drop(stage.name)
        detail = f"  {marker.detail}" if marker.detail else ""
        if marker.taken_from:
            detail += f"; taken over from {marker.taken_from}"
        self._say(f"[{self._num_done:2d}/{self._num_stages}] {stage.name:<24} {marker.seconds:6.1f} s{detail}")

    def show(self, forecast: Forecast, running: Mapping[str, Running], done: Mapping[str, Marker]) -> None:
        """The run as a whole, and every stage at work."""
        if self._show is None:
            return
        gone = f"{clock(forecast.elapsed_s())} gone"
        whole = Progress("stages", self._num_done, self._num_stages, left_s=forecast.left_s(running), notes=(gone,))
        self._show(whole)
        for name, item in running.items():
            self._show(item.progress or Progress(name))

    def end(self) -> None:
        """Take the bars away."""
        self._stack.close()
        self._show = None

    def _say(self, text: str) -> None:
        if self._show is not None:
            self._show.say(text)


def clock(seconds: float) -> str:
    """``4:05`` for 245 seconds, ``1:02:03`` beyond an hour."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"
