"""Select: which of the surviving trajectories make the data set (START section 2.2).

The steps, in order: one of each text; at most ``max_per_problem`` rows of a problem, the best by fewest tool errors,
then fewest calls, then fewest tokens, then a seeded draw; a share of text-only rows; in D_seed a share of rows that are
right without the hint, too; quotas. All draws are hashes of the seed and an id, so that neither the order of the files
nor another row changes them. Works on compact keys, so that a million trajectories fit in memory.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from selftaught.curation.records import CurateSettings, DropReason
from selftaught.records import ProblemKind


@dataclass(slots=True)
class Survivor:
    """A trajectory that passed every filter: where it stands and what the selection sorts by."""

    trajectory_id: str
    problem_id: str
    source: str
    offset: int
    kind: ProblemKind
    family: str | None
    num_calls: int
    num_errors: int
    num_tokens: int
    text_hash: int
    """Of everything after the prompt, for exact duplicates within one problem."""
    greedy_right: bool | None
    """Verdict of the greedy run on the same problem; None where there is none."""

    @property
    def only_confirms(self) -> bool:
        """Whether it calls where the greedy run is right without."""
        return self.num_calls > 0 and self.greedy_right is True


Drop = Callable[[Survivor, str, DropReason, str], None]
"""Called with (survivor, step, reason, detail) for every one that is not chosen."""


def draw(seed: int, text: str) -> int:
    """A number that depends on ``seed`` and ``text`` only: the tie-breaker and the shuffle of every step."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{text}".encode(), digest_size=8).digest(), "big")


def quality(survivor: Survivor, seed: int) -> tuple[int, int, int, int, str, str]:
    """Sort key, best first: fewest tool errors, fewest calls, fewest tokens, a seeded draw.

    Two rollouts of one problem may share an id, and with it the draw: then the name of the source decides, or the
    order in which trajectories happened to end would.
    """
    drawn = draw(seed, survivor.trajectory_id)
    facts = survivor.num_errors, survivor.num_calls, survivor.num_tokens
    return (*facts, drawn, survivor.trajectory_id, survivor.source)


def select(survivors: Iterable[Survivor], settings: CurateSettings, drop: Drop) -> list[tuple[Survivor, str]]:
    """The chosen ones with the reason for each, in a seeded order; everything else goes to ``drop``."""
    with_tool: dict[str, list[Survivor]] = defaultdict(list)
    text_only: dict[str, list[Survivor]] = defaultdict(list)
    for survivor in _without_duplicates(survivors, drop):
        group = with_tool if survivor.num_calls or not settings.require_tool else text_only
        group[survivor.problem_id].append(survivor)
    tool_rows = {p: _best(rows, settings, drop) for p, rows in with_tool.items()}
    text_rows = _text_share(tool_rows, text_only, settings, drop) if text_only else {}
    chosen = [(row, _why(row)) for rows in tool_rows.values() for row in rows]
    chosen += [(row, "right without a call; kept for reasoning without the tool") for row in text_rows.values()]
    chosen.sort(key=lambda pair: (draw(settings.seed, pair[0].trajectory_id), pair[0].trajectory_id))
    if settings.asks_greedy and settings.greedy_wrong_share < 1:
        chosen = _greedy_wrong_share(chosen, settings, drop)
    return _quotas(chosen, settings, drop)


def _without_duplicates(survivors: Iterable[Survivor], drop: Drop) -> Iterator[Survivor]:
    """One of each text a problem has: the one with the smallest id, whatever order the files have."""
    groups: dict[tuple[str, int], list[Survivor]] = defaultdict(list)
    for survivor in survivors:
        groups[survivor.problem_id, survivor.text_hash].append(survivor)
    for rows in groups.values():
        rows.sort(key=lambda row: (row.trajectory_id, row.source))
        for row in rows[1:]:
            drop(row, "duplicate", DropReason.DUPLICATE, f"same text as {rows[0].trajectory_id}")
        yield rows[0]


def _best(rows: list[Survivor], settings: CurateSettings, drop: Drop) -> list[Survivor]:
    """The best ``max_per_problem`` of one problem's rows."""
    rows.sort(key=lambda row: quality(row, settings.seed))
    kept, rest = rows[: settings.max_per_problem], rows[settings.max_per_problem :]
    for row in rest:
        drop(row, "best_of_problem", DropReason.NOT_BEST, f"{kept[0].trajectory_id} was preferred")
    return kept


def _text_share(
    tool_rows: dict[str, list[Survivor]],
    text_only: dict[str, list[Survivor]],
    settings: CurateSettings,
    drop: Drop,
) -> dict[str, Survivor]:
    """The text-only rows to keep, at most one a problem; tool rows that one of them replaces are taken from
    ``tool_rows``.

    They make up at most ``1 - tool_share`` of the whole, or of each kind if shares are given by kind. Problems without
    a right tool trace come first. Then come those that the greedy run solved without the tool: there a text row
    *replaces* the tool row, which shows the model where no call is needed.
    """
    best: dict[str, Survivor] = {}
    for problem, rows in text_only.items():
        if settings.share_of(rows[0].kind) >= 1:
            for row in rows:
                drop(row, "no_tool_call", DropReason.NO_TOOL_CALL, "no call of the tool")
            continue
        rows.sort(key=lambda row: quality(row, settings.seed))
        best[problem] = rows[0]
        for row in rows[1:]:
            drop(row, "best_of_problem", DropReason.NOT_BEST, f"{rows[0].trajectory_id} was preferred")
    order = sorted(best, key=lambda p: (p in tool_rows, not best[p].greedy_right, draw(settings.seed, p), p))
    by_kind = isinstance(settings.tool_share, dict)
    num_tool = Counter(row.kind.value if by_kind else "" for rows in tool_rows.values() for row in rows)
    num_text: Counter[str] = Counter()
    chosen: dict[str, Survivor] = {}
    for problem in order:
        row = best[problem]
        scope, share = row.kind.value if by_kind else "", settings.share_of(row.kind)
        # The share is checked against the data set as it would be with this row: the rows that it replaces are gone
        # then.
        replaced = tool_rows.get(problem, [])
        total = num_tool[scope] - len(replaced) + num_text[scope] + 1
        within = (num_text[scope] + 1) <= (1 - share) * total + 1e-9  # 0.2 * 5 may come out below 1
        if within and (not replaced or row.greedy_right):
            chosen[problem] = row
            num_text[scope] += 1
            for other in tool_rows.pop(problem, []):
                drop(other, "tool_share", DropReason.NOT_BEST, f"{row.trajectory_id}, without the tool, was preferred")
                num_tool[scope] -= 1
        else:
            of = f" of {scope}" if by_kind else ""
            drop(row, "tool_share", DropReason.OVER_QUOTA, f"text-only rows make {1 - share:.0%}{of} already")
    return chosen


def _greedy_wrong_share(
    chosen: list[tuple[Survivor, str]], settings: CurateSettings, drop: Drop
) -> list[tuple[Survivor, str]]:
    """All rows that the greedy run gets wrong, and as many others as ``greedy_wrong_share`` leaves room for."""
    share = settings.greedy_wrong_share
    num_wrong = sum(not row.only_confirms for row, _ in chosen)
    room = int(num_wrong * (1 - share) / share + 1e-9)  # 30 * 0.4 / 0.6 may come out below 20
    kept = []
    for row, why in chosen:
        if row.only_confirms:
            if room == 0:
                detail = f"rows that the greedy run solves make {1 - share:.0%} already"
                drop(row, "greedy_wrong_share", DropReason.GREEDY_RIGHT, detail)
                continue
            room -= 1
        kept.append((row, why))
    return kept


def _quotas(chosen: list[tuple[Survivor, str]], settings: CurateSettings, drop: Drop) -> list[tuple[Survivor, str]]:
    """At most ``max_rows`` by kind and ``max_per_family`` by family, first come in the seeded order."""
    counts: dict[str, int] = defaultdict(int)
    kept = []
    for row, why in chosen:
        limits = [("all", settings.max_rows.get("all")), (row.kind.value, settings.max_rows.get(row.kind.value))]
        if row.family is not None:
            limits.append((f"family {row.family}", settings.max_per_family))
        full = next((name for name, limit in limits if limit is not None and counts[name] >= limit), None)
        if full is not None:
            drop(row, "quota", DropReason.OVER_QUOTA, f"{counts[full]} rows of {full} already")
            continue
        for name, _ in limits:
            counts[name] += 1
        kept.append((row, why))
    return kept


def _why(row: Survivor) -> str:
    """Why a row was chosen, in words."""
    verdict = {True: "greedy right", False: "greedy wrong", None: "no greedy run"}[row.greedy_right]
    return f"right with {row.num_calls} calls, {row.num_errors} failed, {row.num_tokens} tokens; {verdict}"
