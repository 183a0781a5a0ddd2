"""What a rollout says while it runs, and where its time went."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from selftaught.progress import Meter, Progress
from selftaught.records import Record
from selftaught.rollouts.worker import Finished, WorkerStats


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
    """Trajectories in the file now."""
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
    num_beside: int = 0
    """New trajectories beside these: of the run without hints, or branches of a probe."""
    shared_tokens: int = 0
    """Sampled tokens that several trajectories begin with, once for each of them but the first; ``model_tokens`` has
    them once."""


@dataclass(slots=True)
class Tally:
    """Counts while trajectories come in."""

    what: str
    total: int
    resumed: int = 0
    started: float = field(default_factory=time.perf_counter)
    done: int = 0
    errors: int = 0
    with_calls: int = 0
    tokens: int = 0
    """Sampled tokens of the trajectories that have ended."""
    scored: int = 0
    right: int = 0
    num_beside: int = 0
    shared_tokens: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    decoded: dict[object, int] = field(default_factory=dict)
    """Worker → tokens that its engine has drawn, those of open trajectories too."""
    _meter: Meter = field(init=False)

    def __post_init__(self) -> None:
        self._meter = Meter(self.what, self.total, self.resumed)
        self._meter.at(self.resumed)

    def add(self, finished: Finished, verdict: bool | None) -> None:
        """Count one trajectory."""
        self.done += 1
        self.tokens += finished.num_model_tokens
        self.with_calls += finished.num_calls > 0
        self.errors += finished.stop_reason.is_failure
        self.reasons[finished.stop_reason.value] += 1
        if verdict is not None:
            self.scored += 1
            self.right += verdict

    def add_beside(self, finished: Finished) -> None:
        """Count a trajectory that shares its beginning with another: its own tokens, and an error."""
        self.num_beside += 1
        self.tokens += finished.num_own
        self.shared_tokens += finished.num_shared
        self.errors += finished.stop_reason.is_failure

    def snapshot(self, *, finished: bool = False) -> Progress:
        """The counts as they are now, with speed and time left."""
        notes = [f"calls {self.with_calls / self.done:.0%}"] if self.done else []
        if self.errors:
            notes.append(f"{self.errors} errors")
        return self._meter.at(
            self.done + self.resumed,
            tokens=max(self.tokens, sum(self.decoded.values())) or None,
            right=self.right / self.scored if self.scored else None,
            notes=tuple(notes),
            finished=finished,
        )


def stall_report(stats: Sequence[WorkerStats], max_rows: int) -> StallReport | None:
    """The workers' times added up, as shares of their wall time. None without any."""
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
