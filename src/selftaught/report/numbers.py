"""How the report writes numbers: shares as per cent with one decimal, differences with their sign, intervals in brackets."""

from __future__ import annotations

from selftaught.evals.records import Interval

MINUS = "−"


def percent(share: float | None, digits: int = 1) -> str:
    """0.425 → ``42.5``; a dash for None."""
    return "–" if share is None else f"{share * 100:.{digits}f}"


def points(difference: float | None) -> str:
    """A difference of shares in points: 0.125 → ``+12.5``, with a true minus sign."""
    if difference is None:
        return "–"
    text = f"{difference * 100:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", MINUS)


def interval(ci95: Interval | None) -> str:
    """(0.381, 0.468) → ``[38.1, 46.8]``; nothing for None."""
    return "" if ci95 is None else f"[{percent(ci95[0])}, {percent(ci95[1])}]"


def points_interval(ci95: Interval | None) -> str:
    """(-0.01, 0.05) → ``[−1.0, +5.0]``; nothing for None."""
    return "" if ci95 is None else f"[{points(ci95[0])}, {points(ci95[1])}]"


def p_value(value: float | None) -> str:
    """0.0314 → ``0.031``, tiny ones as ``<0.001``."""
    if value is None:
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def whole(value: float | None) -> str:
    """A count or a mean of counts without decimals: 1234.6 → ``1,235``."""
    return "–" if value is None else f"{value:,.0f}"


def duration(seconds: float) -> str:
    """0.64 → ``0.6 s``, 95 → ``1 min 35 s``, 7300 → ``2 h 01 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
