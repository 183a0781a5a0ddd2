"""Packs problems and trajectories for the page: JSON, gzip, base64, in chunks that the page opens when it needs them.

Base64 has no character that means anything to HTML, so nothing that a model wrote can leave its block. The page puts
the decoded text into the document as text only. Keys are short (``s``, ``stop``, ``sec``), since they stand in every
row; the scripts in ``assets`` read them.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from selftaught.evals.loop import LOOP
from selftaught.evals.records import GridRow, ReportData
from selftaught.records import Grade, Outcome, Problem, Span, SpanSource, Trajectory
from selftaught.report.load import Converter, Entry, Key, RunContent
from selftaught.report.text import clip, one_line, visible
from selftaught.runs.condition import Condition

CHUNK_BYTES = 400_000
"""Raw size at which a chunk is closed: some 25 ms of unpacking."""

Weigh = Callable[[Trajectory], list[float | None]]
"""Loss weight of each span under the run's training policy; None where none applies."""

_ORDER = list(Outcome)
"""The outcomes in the order by which the page numbers them."""
_LETTER = {
    SpanSource.PROMPT: "p",
    SpanSource.MODEL: "m",
    SpanSource.HINT: "h",
    SpanSource.TOOL: "t",
    SpanSource.CONTROL: "c",
}
"""How the page's scripts call the source of a span."""


@dataclass(frozen=True)
class Payload:
    """Base64 texts of the page's data blocks."""

    index: str
    chunks: list[str]


def pack(value: Any) -> str:
    """JSON → gzip (no time stamp, so equal data gives equal text) → base64."""
    return pack_bytes(dump(value))


def pack_bytes(raw: bytes) -> str:
    """Bytes → gzip → base64."""
    return base64.b64encode(gzip.compress(raw, compresslevel=6, mtime=0)).decode("ascii")


def dump(value: Any) -> bytes:
    """Compact JSON; lone surrogates, which UTF-8 cannot hold, become question marks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")


def converter(weigh: Weigh) -> Converter:
    """A converter that writes loss weights beside the spans."""

    def convert(trajectory: Trajectory) -> tuple[bytes, dict[str, object]]:
        weights = weigh(trajectory)
        spans = [_span(span, weight) for span, weight in zip(trajectory.spans, weights, strict=True)]
        body = {
            "s": spans,
            "stop": trajectory.stop_reason.value,
            "sec": round(trajectory.wall_s, 3),
            "model": one_line(trajectory.model),
            "seed": trajectory.seed,
            "when": trajectory.created_at,
            "err": visible(clip(trajectory.error, 2000)) if trajectory.error else None,
        }
        calls = trajectory.tool_calls()
        summary: dict[str, object] = {
            "id": trajectory.id,
            "sample": trajectory.sample,
            "round": -1 if trajectory.round is None else trajectory.round,
            "tokens": sum(len(span.token_ids) for span in trajectory.spans if span.source is not SpanSource.PROMPT),
            "calls": len(calls),
            "bad": sum(call.status.value != "ok" for call in calls),
            "hints": len(trajectory.hints()),
            "seconds": round(trajectory.wall_s, 2),
        }
        return dump(body), summary

    return convert


def _span(span: Span, weight: float | None) -> list[Any]:
    row: list[Any] = [_LETTER[span.source], visible(clip(span.text)), len(span.token_ids), weight]
    if span.hint is not None:
        hint = span.hint
        row.append(
            {"id": one_line(hint.id), "pos": hint.position.value, "why": one_line(hint.reason, 400), "round": hint.round,
             "trig": one_line(hint.trigger) if hint.trigger else None, "gone": len(hint.discarded_ids)}
        )  # fmt: skip
    elif span.tool is not None:
        tool = span.tool
        row.append(
            {
                "st": tool.status.value,
                "sec": round(tool.wall_s, 4),
                "cut": tool.truncated,
                "tier": one_line(tool.tier) if tool.tier else None,
                "mem": tool.cached,
            }
        )
    return row


class _Chunks:
    """Collects entries and closes a chunk when it is large enough; a problem's entries stay in one chunk."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._open: list[bytes] = []
        self._size = 0

    def put(self, raw: bytes) -> tuple[int, int]:
        """Add one entry; return its (chunk, place)."""
        self._open.append(raw)
        self._size += len(raw)
        return len(self.done), len(self._open) - 1

    def close(self, at_least: int = 0) -> None:
        """Close the chunk if it has ``at_least`` bytes."""
        if self._open and self._size >= at_least:
            self.done.append(pack_bytes(b"[" + b",".join(self._open) + b"]"))
            self._open, self._size = [], 0


def build_payload(data: ReportData, content: RunContent) -> Payload:
    """Index and chunks, problem by problem in the order of the grid."""
    conditions = data.condition_names()
    names = list(dict.fromkeys([*conditions, *(ref.condition for ref in data.runs)]))
    grid = {(row.benchmark, row.problem_id): row for row in data.grid}
    chunks = _Chunks()
    problems: list[dict[str, Any]] = []
    rows: list[list[Any]] = []
    for number, key in enumerate(dict.fromkeys([*grid, *content.entries])):
        problems.append(_listed(key, grid.get(key), content, conditions, chunks))
        for entry in content.entries.get(key, []):
            # The body was made while streaming, when the grade was not joined yet: it is put in front, into the JSON
            # text.
            place = chunks.put(b'{"g":' + dump(_verdict(entry.grade)) + b"," + entry.body[1:])
            rows.append([number, names.index(entry.condition), *_summary(entry), *place])
        chunks.close(CHUNK_BYTES)
    chunks.close()
    # One list a column, not one object a row: far smaller, and it compresses better.
    columns = {name: [row[index] for row in rows] for index, name in enumerate(_COLUMNS)}
    index = {
        "conditions": [visible(name) for name in conditions],
        "pair": [visible(name) for name in opening_pair(data)],
        "names": [visible(name) for name in names],
        "curves": [_curve(name) for name in names],
        "problems": problems,
        "t": columns,
        "total": content.num_total,
        "kept": content.num_kept,
        "withheld": sorted(visible(name) for name in content.withheld),
    }
    return Payload(pack(index), chunks.done)


def _curve(name: str) -> list[str] | None:
    """[condition, method] where a name stands for a curve over rounds."""
    condition = Condition.parse(name)
    return None if condition.curve is None else [visible(condition.name), condition.curve.value]


def short_questions(content: RunContent, limit: int = 64) -> dict[Key, str]:
    """(benchmark, problem id) → the question's start on one line, for problems whose text may be shown."""
    return {
        key: one_line(problem.problem, limit)
        for key, problem in content.problems.items()
        if key[0] not in content.withheld
    }


def opening_pair(data: ReportData) -> tuple[str, str]:
    """The two conditions that a problem opens with: the reference, and START or else the last of the others."""
    names = [name for name in data.condition_names() if data.condition(name, data.benchmarks()[0])]
    if not names:
        return "", ""
    first = data.compared_with() or names[0]
    others = [name for name in names if name != first]
    return first, LOOP.start if LOOP.start in others else others[-1] if others else first


_COLUMNS = ("p", "c", "o", "n", "r", "t", "k", "e", "h", "s", "x", "id", "ch", "at")
"""Columns of the index, one entry a trajectory: problem, condition, outcome, sample, round, tokens, calls, failed
calls, hints, seconds, extracted answer, id, chunk, place in the chunk."""


def _summary(entry: Entry) -> list[Any]:
    """The middle columns of one trajectory."""
    grade, known = entry.grade, entry.summary
    outcome = _ORDER.index(grade.outcome) if grade else -1
    extracted = one_line(grade.extracted, 40) if grade and grade.extracted is not None else ""
    counts = [known[name] for name in ("sample", "round", "tokens", "calls", "bad", "hints", "seconds")]
    return [outcome, *counts, extracted, visible(str(known["id"]))]


def _verdict(grade: Grade | None) -> dict[str, Any] | None:
    if grade is None:
        return None
    return {
        "x": visible(clip(grade.extracted, 4000)) if grade.extracted is not None else None,
        "path": one_line(grade.path),
        "why": visible(clip(grade.reason, 2000)),
        "by": one_line(grade.grader),
    }


def _listed(
    key: Key, row: GridRow | None, content: RunContent, conditions: list[str], chunks: _Chunks
) -> dict[str, Any]:
    """A problem's line in the index; its text goes into the chunk of its trajectories."""
    problem = content.problems.get(key) if key[0] not in content.withheld else None
    place = chunks.put(dump(_problem(problem))) if problem is not None else (-1, -1)
    return {
        "id": visible(key[1]),
        "b": visible(key[0]),
        "f": one_line(row.family) if row else _metadata(problem, "family"),
        "g": one_line(row.group) if row else _metadata(problem, "group"),
        "q": one_line(problem.problem, 150) if problem else "",
        "a": one_line(problem.answer, 40) if problem and problem.answer else "",
        "at": list(place),
        "cells": [_cell(row.cells.get(name), row.outcomes.get(name)) if row else None for name in conditions],
    }


def _metadata(problem: Problem | None, key: str) -> str:
    return one_line(str(problem.metadata.get(key, ""))) if problem is not None else ""


def _cell(share: float | None, outcome: Outcome | None) -> list[Any] | None:
    """[share of right samples, index of the first sample's outcome] of one grid cell."""
    return None if share is None else [round(share, 3), _ORDER.index(outcome) if outcome else -1]


def _problem(problem: Problem) -> dict[str, Any]:
    tests = [
        {"in": visible(clip(test.input, 600)), "out": visible(clip(test.output, 600)), "pub": test.public}
        for test in (problem.tests or [])[:12]
    ]
    return {
        "text": visible(clip(problem.problem, 20_000)),
        "kind": problem.kind.value,
        "answer": visible(clip(problem.answer, 4000)) if problem.answer is not None else None,
        "choices": [visible(clip(choice, 2000)) for choice in problem.choices or []],
        "tests": tests,
        "more": max(0, len(problem.tests or []) - len(tests)),
        "starter": visible(clip(problem.starter_code, 4000)) if problem.starter_code else None,
    }
