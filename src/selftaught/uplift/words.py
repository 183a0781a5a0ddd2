"""Uplift tables and learned policies in words, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from selftaught.evals.forked import UpliftRow, UpliftTable
from selftaught.hints.learned import LearnedHints, choose
from selftaught.uplift.learn import Learned
from selftaught.uplift.logistic import calibration_error
from selftaught.uplift.replay import Replay

_TITLES = {
    "paper": "the paper's policy",
    "cells": "design A, posteriors",
    "features": "design B, regression over features",
}


def table_lines(table: UpliftTable) -> Iterator[str]:
    """The table, a line a row; then the row of all pairs and what the columns mean."""
    header = [
        "kind",
        "place",
        "hint",
        "pairs",
        "gain",
        "loss",
        "tie",
        "cut",
        "gain − loss [95 %]",
        "p",
        "tokens",
        "verdict",
    ]
    levels = any(row.difficulty for row in table.rows)
    if levels:
        header.insert(2, "difficulty")
    body = [_cells(row, levels) for row in [*table.rows, *table.total]]
    yield (
        f"{table.num_forks:,} forks of {table.num_problems:,} problems, {table.tokens:,} sampled tokens, "
        f"{table.accepted:,} accepted for D_seed"
    )
    widths = [max(len(line[column]) for line in [header, *body]) for column in range(len(header))]
    for line in [header, *body]:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
    yield (
        "cut: pairs with a truncated branch, which counts as wrong. p: corrected for the number of rows (Holm). "
        "tokens: sampled for one accepted sample."
    )


def _cells(row: UpliftRow, levels: bool) -> list[str]:
    cells = [row.kind, row.place, row.hint or "all hints", f"{row.n:,}", str(row.gain), str(row.loss), str(row.tie)]
    cells += [str(row.plain_truncated + row.hint_truncated)]
    low, high = row.ci95
    cells += [f"{100 * row.diff:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]", f"{row.p_adjusted:.3f}"]
    cells += [f"{row.tokens_per_accepted:,.0f}" if row.tokens_per_accepted else "–", _verdict(row)]
    if levels:
        cells.insert(2, row.difficulty)
    return cells


def _verdict(row: UpliftRow) -> str:
    if row.verdict.value.startswith("too few") and row.needed and row.needed > row.n:
        return f"{row.verdict.value}; {row.needed:,} if it stays so"
    return row.verdict.value


def learned_lines(found: Learned) -> Iterator[str]:
    """What was learned, how good it is, and what it does."""
    yield from explanation(found.policy)
    if found.check is not None:
        yield (
            f"design B out of fold: Qini {found.check.qini:+.4f}; chance of a gain off by "
            f"{100 * calibration_error(found.check.bins):.1f} points on average: "
            + ", ".join(f"{100 * one.predicted:.0f} % foretold {100 * one.seen:.0f} % seen" for one in found.check.bins)
        )
    if found.held_out is not None:
        yield f"on the other half of the problems: {replayed(found.held_out)}"
    elif found.policy.design != "paper":
        yield "no problems are left to report on"


def replayed(found: Replay) -> str:
    """A replay in one line."""
    low, high = found.uplift.ci95
    return (
        f"a hint in {found.num_acted:,} of {found.num_trajectories:,} trajectories ({found.num_seen:,} of them tried), "
        f"gain − loss {100 * found.uplift.diff:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}], "
        f"right → wrong {found.num_broken} of {found.num_right:,} right ones "
        f"({100 * found.uplift.loss:.1f} % of all, at most {100 * found.loss_at_most:.1f} % with 95 %), "
        f"{found.extra_tokens:+.0f} tokens a trajectory"
    )


def explanation(policy: LearnedHints) -> list[str]:
    """What a policy does at each place, and what it was learned from."""
    source = policy.learned_from
    lines = [
        f"{_TITLES[policy.design]}; {policy.why}",
        f"learned from {source.num_pairs:,} pairs of {source.num_forks:,} forks, {source.num_problems:,} problems "
        f"({source.halves}); model {', '.join(source.models) or 'not recorded'}; digest {source.digest}; "
        f"selftaught {source.version}",
    ]
    if policy.design == "paper":
        return lines
    use = policy.utility
    lines.append(
        f"worth of a hint: P(gain) − {use.loss_weight:g} · P(loss) − {use.token_cost:g} · extra tokens / {use.typical_tokens:g}; "
        f"barred unless P(P(loss) > {use.max_loss:.1%}) < {use.loss_risk:.0%}"
    )
    for cell in policy.cells:
        choice = choose(policy, cell.kind, cell.place, cell.difficulty)
        typical = " for features at their means" if policy.design == "features" else ""
        lines.append(f"{choice.function or 'no hint'}{typical}: {choice.reason}")
        lines += [
            f"    {name}: gains {arm.gain / arm.total:.1%}, loses {arm.loss / arm.total:.1%}, "
            f"{arm.extra_tokens:+.0f} tokens, {arm.pairs:.0f} pairs"
            + (f", barred: P(P(loss) > {use.max_loss:.1%}) is {arm.risk:.0%}" if arm.barred else "")
            for name, arm in cell.arms.items()
        ]
    if policy.features is not None:
        lines.append("weights on the log-odds of a gain and of a loss, a standard deviation each:")
        ranked = sorted(policy.features.columns, key=lambda column: (-abs(column.gain), column.label))
        lines += [f"    {column.label}: {column.gain:+.2f}, {column.loss:+.2f}" for column in ranked]
    return lines


def summary(found: Learned) -> dict[str, Any]:
    """The same for machines."""
    held = found.held_out
    return {
        "design": found.policy.design,
        "why": found.policy.why,
        "learned_from": found.policy.learned_from.model_dump(mode="json"),
        "utilities": found.utilities,
        "held_out": None if held is None else replay_summary(held),
        "qini": found.check.qini if found.check else None,
        "calibration": _bins(found.check.bins) if found.check else None,
    }


def _bins(bins: Sequence[Any]) -> list[dict[str, float]]:
    return [{"predicted": one.predicted, "seen": one.seen, "n": one.n} for one in bins]


def replay_summary(found: Replay) -> dict[str, Any]:
    """A replay for machines."""
    return {
        "trajectories": found.num_trajectories,
        "acted": found.num_acted,
        "tried": found.num_seen,
        "diff": found.uplift.diff,
        "ci95": found.uplift.ci95,
        "gain": found.uplift.gain,
        "loss": found.uplift.loss,
        "loss_at_most": found.loss_at_most,
        "right": found.num_right,
        "broken": found.num_broken,
        "utility": found.utility,
        "extra_tokens": found.extra_tokens,
        "chosen": dict(found.chosen),
    }
