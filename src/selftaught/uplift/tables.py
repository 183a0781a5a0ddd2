"""The uplift tables: per hint, place and kind what a hint gains, loses and costs, and what may be said of it.

``forks.jsonl → pairs → UpliftTable``. A row's verdict is ``helps`` or ``harms`` where Holm's adjusted p-value is below
0.05, so that in at most 5 of 100 tables any useless hint is called useful. It is ``no change`` where the whole 95 %
interval lies within 5 points of 0. Else there are ``too few pairs to say``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from selftaught.errors import DataError
from selftaught.evals.forked import UpliftRow, UpliftTable, Verdict
from selftaught.hints.learned import ORDER
from selftaught.records import ProblemKind
from selftaught.runs.names import FILES
from selftaught.store import read_jsonl
from selftaught.uplift.intervals import estimate_uplift, holm, pairs_needed, upper_share
from selftaught.uplift.pairs import Fate, Pair, pairs_of
from selftaught.uplift.records import Fork

NEAR = 0.05
"""An interval within this distance of 0 says that the hint makes no difference that matters."""
LEVEL = 0.05
KEYS = ("hint", "place", "kind", "difficulty")
"""What rows can be split by."""


def find_forks(run: Path) -> list[Path]:
    """Every file of forks at or below ``run``, which may be such a file itself, in order of path."""
    return [run] if run.is_file() else sorted(run.rglob(FILES.forks))


def read_forks(run: Path) -> list[Fork]:
    """The forks of a run: of all probes at or below it. DataError when there are none, or a line is bad."""
    files = find_forks(run)
    if not files:
        raise DataError(
            f"{run} has no {FILES.forks}; expected the folder that `selftaught hints probe PROBLEMS --out {run}` makes."
        )
    return [fork for path in files for fork in read_jsonl(path, Fork)]


def uplift_table(forks: Sequence[Fork], name: str = "", by: Sequence[str] = ("hint", "place", "kind")) -> UpliftTable:
    """The table of ``forks``; ``by`` names what its detailed rows are split by (`KEYS`)."""
    pairs = pairs_of(forks)
    hinted = [branch for fork in forks for branch in fork.hinted]
    trunks = [(fork.id, fork.prefix_tokens + (fork.plain.sampled_tokens if fork.plain else 0)) for fork in forks]
    return UpliftTable(
        name=name,
        model=forks[0].model if forks else "",
        num_forks=len(forks),
        num_problems=len({fork.problem_id for fork in forks}),
        tokens=_trunk_tokens(trunks) + sum(branch.sampled_tokens for branch in hinted),
        accepted=sum(bool(branch.accepted) for branch in hinted),
        total=uplift_rows(pairs, ()),
        by_hint=uplift_rows(pairs, ("hint",)),
        by_place=uplift_rows(pairs, ("hint", "place")),
        rows=uplift_rows(pairs, by),
    )


def uplift_rows(pairs: Sequence[Pair], by: Sequence[str]) -> list[UpliftRow]:
    """One row for each value of ``by``, with verdicts corrected for their number; the best hint of a place first."""
    groups: dict[tuple[str, ...], list[Pair]] = {}
    for pair in pairs:
        values = {"hint": pair.function, "place": pair.place, "kind": pair.kind.value, "difficulty": pair.difficulty}
        groups.setdefault(tuple(values[key] for key in by), []).append(pair)
    rows = [_row(dict(zip(by, key, strict=True)), group) for key, group in groups.items()]
    adjusted = holm([row.p_value for row in rows])
    judged = [
        row.model_copy(update={"p_adjusted": p, "verdict": judge(row.diff, row.ci95, p)})
        for row, p in zip(rows, adjusted, strict=True)
    ]
    kinds = [kind.value for kind in ProblemKind]

    def order(row: UpliftRow) -> tuple[object, ...]:
        kind = kinds.index(row.kind) if row.kind else -1
        return kind, ORDER.get(row.place, -1), row.place, row.difficulty, -row.diff, row.hint

    return sorted(judged, key=order)


def judge(diff: float, ci95: tuple[float, float], p_adjusted: float) -> Verdict:
    """What may be said of a difference."""
    if p_adjusted < LEVEL:
        return Verdict.HELPS if diff > 0 else Verdict.HARMS
    return Verdict.NO_CHANGE if ci95[0] >= -NEAR and ci95[1] <= NEAR else Verdict.TOO_FEW


def _row(key: dict[str, str], pairs: Sequence[Pair]) -> UpliftRow:
    counts = {fate: sum(pair.fate is fate for pair in pairs) for fate in Fate}
    weights = [pair.weight for pair in pairs]
    found = estimate_uplift([pair.sign for pair in pairs], [pair.problem for pair in pairs], weights)
    trunks = _trunk_tokens((pair.fork, pair.prefix_tokens + pair.plain_tokens) for pair in pairs)
    return UpliftRow(
        **key,
        n=len(pairs),
        num_problems=len({pair.problem for pair in pairs}),
        effective=round(found.effective, 2),
        gain=counts[Fate.GAIN],
        loss=counts[Fate.LOSS],
        both=counts[Fate.BOTH],
        neither=counts[Fate.NEITHER],
        plain_truncated=sum(pair.plain_truncated for pair in pairs),
        hint_truncated=sum(pair.hint_truncated for pair in pairs),
        gain_rate=found.gain,
        loss_rate=found.loss,
        diff=found.diff,
        ci95=found.ci95,
        loss_at_most=upper_share(found.loss * found.effective, found.effective),
        p_value=found.p_value,
        test=found.test,
        p_adjusted=1.0,
        verdict=Verdict.TOO_FEW,
        needed=pairs_needed(found.gain, found.loss),
        accepted=sum(pair.accepted for pair in pairs),
        tokens=trunks + sum(pair.hint_tokens for pair in pairs),
        extra_tokens=sum(pair.extra_tokens * pair.weight for pair in pairs) / sum(weights),
    )


def _trunk_tokens(trunks: Iterable[tuple[str, int]]) -> int:
    """Tokens of plain trajectories, (fork, prefix and plain branch), each trajectory once.

    Two forks of one trajectory have their prefixes and plain branches in common.
    """
    longest: dict[str, int] = {}
    for fork, tokens in trunks:
        trajectory = fork.rpartition("@")[0] or fork
        longest[trajectory] = max(longest.get(trajectory, 0), tokens)
    return sum(longest.values())
