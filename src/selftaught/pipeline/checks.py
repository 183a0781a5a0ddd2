"""START's claims held against a run: what the paper shows, the bar, what was measured. Nothing is tuned to these.

Bars are for the embedded reasoner's test problems; a claim whose conditions were not run gives no line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from selftaught.evals.records import Check, PairedRow, ReportData

MAX_BASE_CALLS = 0.01
MIN_BASE_EASY, MAX_BASE_HARD = 0.85, 0.25
MIN_HINT_GAIN, MIN_START_GAIN, MIN_CODE_GAIN = 0.20, 0.40, 0.15
MIN_START_HARD, MIN_START_HARD_CALLS = 0.65, 0.80
MAX_EASY_LOSS = 0.02
MAX_RFT_SHARE = 0.2
MAX_HINT_ON_START = 0.05
MIN_ROUND_GAIN, MAX_ROUND_FALL, LAST_ROUND = 0.10, 0.02, 3


def claims(data: ReportData) -> list[Check]:
    """All claims that this run can speak to, in the paper's order."""
    return [check for make in _CLAIMS for check in make(data)]


def _rate(data: ReportData, condition: str, benchmark: str) -> float | None:
    row = data.condition(condition, benchmark)
    return row.pass_at_1 if row else None


def _pair(data: ReportData, a: str, b: str, benchmark: str) -> PairedRow | None:
    return next((p for p in data.paired if (p.a, p.b, p.benchmark) == (a, b, benchmark)), None)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _points(pair: PairedRow) -> str:
    low, high = pair.ci95
    return f"{100 * pair.diff:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"


def _base(data: ReportData) -> Iterator[Check]:
    row = data.condition("base", "all")
    if row:
        yield Check(
            name="the base does not call Python by itself",
            bar="at most 1 %",
            measured=_percent(row.tool_call_rate),
            passed=row.tool_call_rate <= MAX_BASE_CALLS,
        )
    easy, hard = _rate(data, "base", "easy"), _rate(data, "base", "hard")
    if easy is not None:
        yield Check(name="base on easy", bar="at least 85 %", measured=_percent(easy), passed=easy >= MIN_BASE_EASY)
    if hard is not None:
        yield Check(name="base on hard", bar="at most 25 %", measured=_percent(hard), passed=hard <= MAX_BASE_HARD)


def _gains(data: ReportData) -> Iterator[Check]:
    for a, benchmark, least, strict in (
        ("base+hint", "all", MIN_HINT_GAIN, True),
        ("start", "all", MIN_START_GAIN, True),
        ("start", "code", MIN_CODE_GAIN, False),
    ):
        pair = _pair(data, a, "base", benchmark)
        if pair:
            yield Check(
                name=f"{a} − base, {benchmark}",
                bar=f"at least +{100 * least:.0f} points" + (", interval above 0" if strict else ""),
                measured=_points(pair),
                passed=pair.diff >= least and (not strict or pair.ci95[0] > 0),
            )
    pair = _pair(data, "start", "base+hint", "all")
    if pair:
        yield Check(
            name="START against base+hint",
            bar="not below, beyond the interval",
            measured=_points(pair),
            passed=pair.ci95[1] >= 0,
        )


def _start(data: ReportData) -> Iterator[Check]:
    hard = data.condition("start", "hard")
    if hard:
        yield Check(
            name="START on hard",
            bar="at least 65 %",
            measured=_percent(hard.pass_at_1),
            passed=hard.pass_at_1 >= MIN_START_HARD,
        )
        yield Check(
            name="START calls Python unprompted on hard",
            bar="at least 80 %",
            measured=_percent(hard.tool_call_rate),
            passed=hard.tool_call_rate >= MIN_START_HARD_CALLS,
        )
    pair = _pair(data, "start", "base", "easy")
    if pair:
        yield Check(
            name="START − base, easy",
            bar="no more than 2 points below",
            measured=_points(pair),
            passed=pair.diff >= -MAX_EASY_LOSS - 1e-9,
        )


def _controls(data: ReportData) -> Iterator[Check]:
    rft, start = _pair(data, "base-rft", "base", "all"), _pair(data, "start", "base", "all")
    if rft and start:
        yield Check(
            name="RFT without tools − base",
            bar="at most a fifth of START's gain",
            measured=f"{_points(rft)}, START {100 * start.diff:+.1f}",
            passed=rft.diff <= MAX_RFT_SHARE * max(start.diff, 0.0) + 1e-9,
        )
    pair = _pair(data, "start+hint", "start", "all")
    if pair:
        yield Check(
            name="start+hint − start",
            bar="within 5 points",
            measured=_points(pair),
            passed=abs(pair.diff) <= MAX_HINT_ON_START + 1e-9,
        )


def _rounds(data: ReportData) -> Iterator[Check]:
    curve = {p.round: p.pass_at_1 for p in data.scaling if (p.model, p.method, p.benchmark) == ("base", "hints", "all")}
    steps = [curve[r] for r in range(LAST_ROUND + 1) if r in curve]
    if len(steps) == LAST_ROUND + 1:
        worst = min(b - a for a, b in pairwise(steps))
        yield Check(
            name="base over end-of-thinking rounds 0 to 3",
            bar="+10 points in all, no round falls by more than 2",
            measured=" → ".join(f"{100 * value:.1f}" for value in steps),
            passed=steps[-1] - steps[0] >= MIN_ROUND_GAIN - 1e-9 and worst >= -MAX_ROUND_FALL - 1e-9,
        )


_CLAIMS: tuple[Callable[[ReportData], Iterator[Check]], ...] = (_base, _gains, _start, _controls, _rounds)
