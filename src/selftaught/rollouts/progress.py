"""What a rollout says while it runs, and where its time went."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from selftaught.records import Record, StopReason
from selftaught.rollouts.worker import Finished, WorkerStats


@dataclass(frozen=True, slots=True)
class RolloutProgress:
    """A snapshot for a progress line. ``accuracy`` is None when nobody scores on the way."""

    done: int
    total: int
    num_errors: int
    num_with_calls: int
    model_tokens: int
    elapsed_s: float
    tokens_per_s: float
    accuracy: float | None
    left_s: float | None

    @property
    def call_rate(self) -> float:
        """Share of finished trajectories that called Python."""
        return self.num_with_calls / self.done if self.done else 0.0

    def line(self) -> str:
        """One line of plain text."""
        parts = [f"{self.done}/{self.total}"]
        if self.accuracy is not None:
            parts.append(f"right {self.accuracy:.1%}")
        parts += [f"calls {self.call_rate:.0%}", f"{self.tokens_per_s:,.0f} tokens/s"]
        if self.num_errors:
            parts.append(f"{self.num_errors} errors")
        if self.left_s is not None:
            parts.append(f"{duration(self.left_s)} left")
        return " · ".join(parts)


ProgressCallback = Callable[[RolloutProgress], None]


class StallReport(Record):
    """Where the workers' time went, as shares of their wall time, and one line of advice."""

    wall_s: float
    num_workers: int
    prefill: float
    decode: float
    idle: float
    """The engine waited: for tools, for a server, or for new work."""
    overhead: float
    """State machines, tokenising, sandbox traffic, writing."""
    tool_wait_s: float
    """Summed over trajectories; most of it is hidden behind other rows."""
    tool_calls: int
    tool_calls_run: int
    """The others were answered from the cache."""
    mean_batch: float
    prefill_tokens: int
    decode_tokens: int
    recomputed_tokens: int
    num_retries: int
    advice: str


class RolloutSummary(Record):
    """What `run_rollout` did."""

    out: str
    num_trajectories: int
    """Lines in the file now."""
    num_new: int
    num_resumed: int
    """Found finished from an earlier run."""
    num_failed: int
    """Ended by an engine or sandbox error; a rerun does them again."""
    stop_reasons: dict[str, int]
    model_tokens: int
    call_rate: float
    seconds: float
    sandbox_tier: str = ""
    stall: StallReport | None = None


@dataclass(slots=True)
class Tally:
    """Counts while trajectories come in."""

    total: int
    resumed: int = 0
    started: float = field(default_factory=time.perf_counter)
    done: int = 0
    errors: int = 0
    with_calls: int = 0
    tokens: int = 0
    scored: int = 0
    right: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    _recent: list[tuple[float, int, int]] = field(default_factory=list)

    def add(self, finished: Finished, verdict: bool | None) -> None:
        """Count one trajectory."""
        self.done += 1
        self.tokens += finished.num_model_tokens
        self.with_calls += finished.num_calls > 0
        self.errors += finished.stop_reason in FAILED
        self.reasons[finished.stop_reason.value] += 1
        if verdict is not None:
            self.scored += 1
            self.right += verdict

    def snapshot(self) -> RolloutProgress:
        """Now. Speed and time left come from the last twenty seconds."""
        now = time.perf_counter()
        self._recent.append((now, self.done, self.tokens))
        while len(self._recent) > 2 and now - self._recent[1][0] > 20:
            self._recent.pop(0)
        start, done, tokens = self._recent[0]
        span = now - start
        if span < 1.0:
            start, done, tokens = self.started, 0, 0
            span = max(now - start, 1e-6)
        speed = (self.done - done) / span
        left = (self.total - self.resumed - self.done) / speed if speed > 0 else None
        return RolloutProgress(
            done=self.done + self.resumed,
            total=self.total,
            num_errors=self.errors,
            num_with_calls=self.with_calls,
            model_tokens=self.tokens,
            elapsed_s=now - self.started,
            tokens_per_s=(self.tokens - tokens) / span,
            accuracy=self.right / self.scored if self.scored else None,
            left_s=left,
        )


FAILED = frozenset({StopReason.ENGINE_ERROR, StopReason.SANDBOX_ERROR, StopReason.CANCELLED})
"""Ends that are nobody's answer; a rerun does them again."""


def stall_report(stats: Sequence[WorkerStats], max_rows: int) -> StallReport | None:
    """Add the workers up."""
    wall = sum(one.wall_s for one in stats)
    if not stats or wall <= 0:
        return None
    prefill, decode = sum(one.prefill_s for one in stats) / wall, sum(one.decode_s for one in stats) / wall
    idle = min(1.0, sum(one.idle_s for one in stats) / wall)
    steps = sum(one.num_steps for one in stats)
    report = {
        "wall_s": round(max(one.wall_s for one in stats), 3),
        "num_workers": len(stats),
        "prefill": round(prefill, 4),
        "decode": round(decode, 4),
        "idle": round(idle, 4),
        "overhead": round(max(0.0, 1 - prefill - decode - idle), 4),
        "tool_wait_s": round(sum(one.tool_wait_s for one in stats), 3),
        "tool_calls": sum(one.num_calls for one in stats),
        "tool_calls_run": sum(one.num_run for one in stats),
        "mean_batch": round(sum(one.decode_tokens for one in stats) / steps, 1) if steps else 0.0,
        "prefill_tokens": sum(one.prefill_tokens for one in stats),
        "decode_tokens": sum(one.decode_tokens for one in stats),
        "recomputed_tokens": sum(one.recomputed_tokens for one in stats),
        "num_retries": sum(one.num_retries for one in stats),
    }
    return StallReport(**report, advice=_advice(report, max_rows))


def _advice(report: dict[str, float], max_rows: int) -> str:
    if report["idle"] > 0.25 and report["tool_wait_s"] > report["idle"] * report["wall_s"]:
        return f"Engines idle {report['idle']:.0%} of the time, mostly on tools: more sandbox_workers or max_rows ({max_rows})."
    if report["idle"] > 0.25:
        return f"The engine waited {report['idle']:.0%} of the time for work: fewer workers would do, or more problems at once."
    if report["mean_batch"] and report["mean_batch"] < 0.5 * max_rows and report["decode"] > 0.5:
        return f"On average {report['mean_batch']:.0f} of {max_rows} rows decoded: tools or the run's end empty them."
    if report["overhead"] > 0.3:
        return f"{report['overhead']:.0%} went into neither prefill nor decode: many short insertions, or a shared machine."
    if report["prefill"] > report["decode"]:
        return "Prefill dominates: prompts are long beside the answers; fork samples of one problem where possible."
    return "Decoding dominates, as it should: only a faster engine or more workers would help."


def duration(seconds: float) -> str:
    """``3 s``, ``2 min 5 s``, ``1 h 4 min``."""
    seconds = int(seconds + 0.5)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
