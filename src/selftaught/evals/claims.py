"""START's claims held against a run: what the paper shows, the bar, what was measured, and the verdict.

A claim has a *bar* that the measured value must reach and an *opposite* that its 95 % interval must exclude. The
verdict is

- ``met``: the value reaches the bar and the interval excludes the opposite;
- ``not met``: the value misses the bar, and the interval does not hold both the bar and the opposite;
- ``too few``: anything else. The run has too few problems to tell the claim from its opposite.

A claim that fails is reported as failed. None is left out, except where its conditions were not run.
"""

from __future__ import annotations

from collections.abc import Callable

from selftaught.evals.loop import LOOP
from selftaught.evals.records import Check, ConditionRow, Interval, PairedRow, ReportData
from selftaught.evals.stats import wilson_interval

Claim = Callable[[ReportData], Check | None]

MET, NOT_MET, TOO_FEW = "met", "not met", "too few"
_ROUNDING = 1e-9


def check_claims(data: ReportData) -> list[Check]:
    """All claims whose conditions were run, in the order of the paper's story."""
    return [check for claim in _claims() if (check := claim(data)) is not None]


def judge(value: float, ci95: Interval, bar: float, opposite: float) -> str:
    """Verdict on "at least ``bar``" where ``opposite < bar``, or on "at most ``bar``" where ``opposite > bar``."""
    low, high = ci95
    if opposite > bar:  # "at most" is "at least" with every sign turned round
        return judge(-value, (-high, -low), -bar, -opposite)
    if value >= bar - _ROUNDING:
        return MET if low > opposite else TOO_FEW
    return TOO_FEW if low <= opposite and high >= bar else NOT_MET


def _check(name: str, bar: str, measured: str, verdict: str) -> Check:
    return Check(name=name, bar=bar, measured=measured, passed=verdict == MET, verdict=verdict)


def _pair(data: ReportData, a: str, b: str, benchmark: str) -> PairedRow | None:
    return next((row for row in data.paired if (row.a, row.b, row.benchmark) == (a, b, benchmark)), None)


def _signed(difference: float) -> str:
    """A difference in points with its sign and a true minus: ``+12.5``, ``−1.6``."""
    text = f"{100 * difference:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def _points(difference: float) -> str:
    return f"{_signed(difference)} points"


def _paired_text(row: PairedRow) -> str:
    return f"{_points(row.diff)} [{_signed(row.ci95[0])}, {_signed(row.ci95[1])}]"


def _accuracy(row: ConditionRow) -> tuple[float, Interval]:
    return row.pass_at_1, row.ci95


def _call_rate(row: ConditionRow) -> tuple[float, Interval]:
    """Share of trajectories with a call.

    The interval counts problems, since samples of one problem are not independent.
    """
    return row.tool_call_rate, wilson_interval(row.tool_call_rate, row.n)


def _share(
    name: str,
    condition: str,
    benchmark: str,
    bar: float,
    opposite: float,
    measure: Callable[[ConditionRow], tuple[float, Interval]],
) -> Claim:
    """A share that must be at least (``opposite`` below) or at most (above) ``bar``."""
    sides = ("≥", "above") if opposite < bar else ("≤", "below")
    words = f"{sides[0]} {100 * bar:.0f} %, interval {sides[1]} {100 * opposite:.0f} %"

    def claim(data: ReportData) -> Check | None:
        row = data.condition(condition, benchmark)
        if row is None:
            return None
        value, ci95 = measure(row)
        measured = f"{100 * value:.1f} % [{100 * ci95[0]:.1f}, {100 * ci95[1]:.1f}]"
        return _check(name, words, measured, judge(value, ci95, bar, opposite))

    return claim


def _gain(name: str, a: str, b: str, benchmark: str, bar: float) -> Claim:
    """A paired gain of at least ``bar`` whose interval excludes 0."""

    def claim(data: ReportData) -> Check | None:
        row = _pair(data, a, b, benchmark)
        if row is None:
            return None
        words = f"≥ +{100 * bar:.0f} points, interval excludes 0"
        return _check(name, words, _paired_text(row), judge(row.diff, row.ci95, bar, 0.0))

    return claim


def _no_loss(name: str, a: str, b: str, benchmark: str, allowed: float, opposite: float) -> Claim:
    """No more than ``allowed`` below the other condition; the interval excludes a loss of ``opposite``."""

    def claim(data: ReportData) -> Check | None:
        row = _pair(data, a, b, benchmark)
        if row is None:
            return None
        least = (
            f"no more than {100 * allowed:.0f} points below {b}" if allowed else f"not below {b}, beyond the interval"
        )
        words = f"{least}; interval excludes a loss of {100 * opposite:.0f}"
        # Without an allowance the claim fails only when the whole interval lies below 0: "not below" at a difference of
        # −0.1 points would otherwise be refuted by noise.
        value = row.diff if allowed else row.ci95[1]
        return _check(name, words, _paired_text(row), judge(value, row.ci95, -allowed, -opposite))

    return claim


def _control(data: ReportData) -> Check | None:
    control, start = _pair(data, LOOP.control, LOOP.base, "all"), _pair(data, LOOP.start, LOOP.base, "all")
    if control is None or start is None:
        return None
    gain = max(0.0, start.diff)  # without a gain of START's there is nothing that the control could be a part of
    verdict = judge(control.diff, control.ci95, gain / 5, gain / 2) if gain else NOT_MET
    words = "at most a fifth of START's gain, interval below half of it"
    measured = f"{_paired_text(control)}; START {_points(start.diff)}"
    return _check("RFT without tools hardly helps", words, measured, verdict)


def _hint_adds_little(data: ReportData) -> Check | None:
    row = _pair(data, LOOP.start_hint, LOOP.start, "all")
    if row is None:
        return None
    # A claim about the size of a difference, whatever its sign: the interval is folded at 0.
    low, high = row.ci95
    furthest = max(abs(low), abs(high))
    nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    verdict = judge(abs(row.diff), (nearest, furthest), 0.05, 0.10)
    return _check("Hints add little to START", "within ±5 points, interval within ±10", _paired_text(row), verdict)


def _rounds(data: ReportData) -> Check | None:
    """End-of-thinking rounds 0 to 3 on the base: the paired gain of the first, and the largest step down after it."""
    curve = [
        r for r in data.scaling if (r.model, r.method, r.benchmark) == (LOOP.base, "hints", "all") and r.round <= 3
    ]
    curve.sort(key=lambda row: row.round)
    if [row.round for row in curve] != [0, 1, 2, 3]:
        return None
    scores = [row.pass_at_1 for row in curve]
    first = scores[1] - scores[0]
    worst = min(after - before for before, after in zip(scores[1:], scores[2:], strict=False))
    verdict = judge(first, curve[1].diff_ci95 or (first, first), 0.10, 0.0)
    if worst < -0.02 - _ROUNDING:
        verdict = NOT_MET
    measured = " → ".join(f"{100 * score:.1f}" for score in scores)
    return _check(
        "The first end-of-thinking round helps the base, later ones do not hurt",
        "round 1 ≥ +10 points, interval excludes 0; no later round falls by more than 2",
        f"{measured} (round 1 {_points(first)}; worst later step {_points(worst)})",
        verdict,
    )


def _claims() -> tuple[Claim, ...]:
    """In the order of the paper's story."""
    return (
        _share("The base hardly calls Python by itself", LOOP.base, "all", 0.01, 0.05, _call_rate),
        _share("The base solves easy problems", LOOP.base, "easy", 0.85, 0.70, _accuracy),
        _share("The base fails hard problems", LOOP.base, "hard", 0.25, 0.50, _accuracy),
        _gain("Hints alone lift the base", LOOP.base_hint, LOOP.base, "all", 0.20),
        _gain("START lifts the base", LOOP.start, LOOP.base, "all", 0.40),
        _no_loss("START is not below base+hint", LOOP.start, LOOP.base_hint, "all", 0.0, 0.05),
        _share("START solves hard problems", LOOP.start, "hard", 0.65, 0.50, _accuracy),
        _share("START calls Python unprompted on hard problems", LOOP.start, "hard", 0.80, 0.50, _call_rate),
        _no_loss("START keeps the easy problems", LOOP.start, LOOP.base, "easy", 0.02, 0.10),
        _gain("START lifts code", LOOP.start, LOOP.base, "code", 0.15),
        _control,
        _hint_adds_little,
        _rounds,
    )
