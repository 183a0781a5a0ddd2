"""``selftaught decontaminate``: a problem file into what is kept and what is removed, with a summary on disk."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from selftaught.problems.decontaminate import Decontaminator, Method
from selftaught.problems.query import ProblemQuery, Tell, to_stderr
from selftaught.problems.reader import ReadProblem
from selftaught.records import Record
from selftaught.runs.folders import DataFolder, ProblemFolder
from selftaught.store import write_atomic, write_json


class DecontaminationSummary(Record):
    """``decontamination.json``: what was asked and what came of it."""

    train: str
    benchmarks: dict[str, int]
    """Benchmark → problems."""
    num_in: int
    num_kept: int
    num_removed: int
    reasons: dict[str, int]
    matched: dict[str, int]
    """Benchmark → rows removed because of it."""
    min_share: float
    method: Method
    left_out: dict[str, int] = Field(default_factory=dict)
    """Reason → rows of the file that were no problem to begin with: repeated, dropped by a rule, left out by a
    preset."""


def split_file(
    train: Path | ProblemQuery, index: Decontaminator, out: Path, tell: Tell = to_stderr
) -> DecontaminationSummary:
    """Write the problems of ``train`` into ``out/kept.jsonl`` and ``out/removed.jsonl``.

    Kept rows that were lines of our own format are the very bytes of the input; all others are written in our own
    format, so that no later verb needs the mapping again. Removed rows get ``matched_id``, ``matched_benchmark``,
    ``overlap`` and ``matched_by`` beside their own keys. DataError with the place for a row that is no problem.
    """
    query = train if isinstance(train, ProblemQuery) else ProblemQuery.of(train)
    loaded = query.read(tell)
    reasons: Counter[str] = Counter()
    matched: Counter[str] = Counter()
    num_kept = 0
    removed: list[bytes] = []

    def kept() -> Iterator[bytes]:
        nonlocal num_kept
        for item in loaded.items:
            match = index.match(item.problem.problem)
            if match is None:
                num_kept += 1
                yield _line(item)
                continue
            reasons[match.reason] += 1
            matched[match.benchmark] += 1
            row = json.loads(_line(item))
            row = row | {
                # Rows without an id are named by the one that a rollout gives them.
                "id": item.problem.id,
                "matched_id": match.matched_id,
                "matched_benchmark": match.benchmark,
                "overlap": match.overlap,
                "matched_by": match.reason,
            }
            removed.append(json.dumps(row, ensure_ascii=False).encode() + b"\n")

    write_atomic(DataFolder(out).kept, kept())
    write_atomic(ProblemFolder(out).removed, removed)
    summary = DecontaminationSummary(
        train=query.source,
        benchmarks=index.sizes(),
        num_in=len(loaded.items),
        num_kept=num_kept,
        num_removed=len(removed),
        reasons=dict(sorted(reasons.items())),
        matched=dict(sorted(matched.items())),
        min_share=index.min_share,
        method=index.method,
        left_out=loaded.counts.losses(),
    )
    write_json(out / "decontamination.json", summary.model_dump(mode="json"))
    return summary


def _line(item: ReadProblem) -> bytes:
    return (item.line if item.line is not None else item.problem.to_json().encode()) + b"\n"
