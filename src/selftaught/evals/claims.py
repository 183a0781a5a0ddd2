"""START's claims held against a run on the embedded reasoner: what the paper shows, the bar, what was measured.

A claim that fails is reported as failed; none is left out, except where its conditions were not run.
"""

from __future__ import annotations

from collections.abc import Callable

from selftaught.evals.records import Check, ConditionRow, PairedRow, ReportData

Claim = Callable[[ReportData], Check | None]


def check_claims(data: ReportData) -> list[Check]:
    """All claims whose conditions were run, in the order of the paper's story."""
    return [check for claim in _CLAIMS if (check := claim(data)) is not None]


def _row(data: ReportData, condition: str, benchmark: str) -> ConditionRow | None:
    return data.condition(condition, benchmark)


def _pair(data: ReportData, a: str, b: str, benchmark: str) -> PairedRow | None:
    return next((row for row in data.paired if (row.a, row.b, row.benchmark) == (a, b, benchmark)), None)


def _points(value: float) -> str:
    return f"{100 * value:+.1f} points"


def _paired_text(row: PairedRow) -> str:
    return f"{_points(row.diff)} [{100 * row.ci95[0]:+.1f}, {100 * row.ci95[1]:+.1f}]"


def _share(
    name: str,
    condition: str,
    benchmark: str,
    bar: str,
    value: Callable[[ConditionRow], float],
    holds: Callable[[float], bool],
) -> Claim:
    def claim(data: ReportData) -> Check | None:
        row = _row(data, condition, benchmark)
        if row is None:
            return None
        measured = value(row)
        return Check(name=name, bar=bar, measured=f"{100 * measured:.1f} %", passed=holds(measured))

    return claim


def _gain(name: str, a: str, b: str, benchmark: str, bar: str, least: float, needs_interval: bool = True) -> Claim:
    def claim(data: ReportData) -> Check | None:
        row = _pair(data, a, b, benchmark)
        if row is None:
            return None
        passed = row.diff >= least and (not needs_interval or row.ci95[0] > 0)
        return Check(name=name, bar=bar, measured=_paired_text(row), passed=passed)

    return claim


def _not_below_hint(data: ReportData) -> Check | None:
    row = _pair(data, "start", "base+hint", "all")
    if row is None:
        return None
    return Check(
        name="START is not below base+hint",
        bar="not below, beyond the interval",
        measured=_paired_text(row),
        passed=row.ci95[1] >= 0,
    )


def _easy_kept(data: ReportData) -> Check | None:
    start, base = _row(data, "start", "easy"), _row(data, "base", "easy")
    if start is None or base is None:
        return None
    diff = start.pass_at_1 - base.pass_at_1
    return Check(
        name="START keeps the easy problems",
        bar="no more than 2 points below base",
        measured=_points(diff),
        passed=diff >= -0.02 - 1e-9,
    )


def _control(data: ReportData) -> Check | None:
    control, start = _pair(data, "base-rft", "base", "all"), _pair(data, "start", "base", "all")
    if control is None or start is None:
        return None
    bar = "at most a fifth of START's gain"
    return Check(name="RFT without tools hardly helps", bar=bar, measured=f"{_paired_text(control)}; START {_points(start.diff)}",
                 passed=control.diff <= max(0.0, start.diff) / 5 + 1e-9)  # fmt: skip


def _hint_adds_little(data: ReportData) -> Check | None:
    row = _pair(data, "start+hint", "start", "all")
    if row is None:
        return None
    return Check(
        name="Hints add little to START",
        bar="within ±5 points",
        measured=_paired_text(row),
        passed=abs(row.diff) <= 0.05 + 1e-9,
    )


def _rounds(data: ReportData) -> Check | None:
    curve = sorted(
        (
            row
            for row in data.scaling
            if row.model == "base" and row.method == "hints" and row.benchmark == "all" and row.round <= 3
        ),
        key=lambda row: row.round,
    )
    if [row.round for row in curve] != [0, 1, 2, 3]:
        return None
    scores = [row.pass_at_1 for row in curve]
    worst = min(after - before for before, after in zip(scores, scores[1:], strict=False))
    gain = scores[-1] - scores[0]
    measured = " → ".join(f"{100 * score:.1f}" for score in scores) + f" ({_points(gain)}; worst step {_points(worst)})"
    return Check(name="More end-of-thinking rounds help the base", bar="no round falls by more than 2 points; ≥ +10 in all over rounds 0–3",
                 measured=measured, passed=worst >= -0.02 - 1e-9 and gain >= 0.10 - 1e-9)  # fmt: skip


_CLAIMS: tuple[Claim, ...] = (
    _share(
        "The base hardly calls Python by itself",
        "base",
        "all",
        "≤ 1 %",
        lambda row: row.tool_call_rate,
        lambda v: v <= 0.01,
    ),
    _share("The base solves easy problems", "base", "easy", "≥ 85 %", lambda row: row.pass_at_1, lambda v: v >= 0.85),
    _share("The base fails hard problems", "base", "hard", "≤ 25 %", lambda row: row.pass_at_1, lambda v: v <= 0.25),
    _gain("Hints alone lift the base", "base+hint", "base", "all", "≥ +20 points, interval excludes 0", 0.20),
    _gain("START lifts the base", "start", "base", "all", "≥ +40 points, interval excludes 0", 0.40),
    _not_below_hint,
    _share("START solves hard problems", "start", "hard", "≥ 65 %", lambda row: row.pass_at_1, lambda v: v >= 0.65),
    _share(
        "START calls Python unprompted on hard problems",
        "start",
        "hard",
        "≥ 80 %",
        lambda row: row.tool_call_rate,
        lambda v: v >= 0.80,
    ),
    _easy_kept,
    _gain("START lifts code", "start", "base", "code", "≥ +15 points", 0.15, needs_interval=False),
    _control,
    _hint_adds_little,
    _rounds,
)
