"""Decontaminate: take out training problems that overlap with a benchmark, before anything is sampled.

Any of three tests removes a row. **Runs**: it shares at least half of a benchmark problem's 10-word runs. **Subsequence**:
as Qwen2.5-Math does, a shared 13-word run and a longest common subsequence above 0.6 of the words. **Equal**: the same words, for
problems too short to have runs. Words are letters or digits, case folded; both ``2x`` whole and ``2 x`` apart are tried.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field

from selftaught.records import Problem, Record
from selftaught.runs.folders import DataFolder, ProblemFolder
from selftaught.store import write_atomic, write_json

RUN_WORDS = 10
SUBSEQUENCE_RUN_WORDS = 13
SUBSEQUENCE_SHARE = 0.6

_SPLITTERS = (re.compile(r"[^\W_]+"), re.compile(r"[^\W\d_]+|\d+"))
"""Two ways to cut words: letters and digits together, or apart."""


class Method(StrEnum):
    """How much likeness counts."""

    OVERLAP = "overlap"
    """Runs, subsequence and equality."""
    EXACT = "exact"
    """Equality of words only: for generated problems that share their templates on purpose."""


class Match(Record):
    """Why a row was removed."""

    matched_id: str
    benchmark: str
    overlap: float = Field(ge=0, le=1)
    """Share of the benchmark problem's runs, or of its words in order, that the row holds."""
    reason: str
    """``runs``, ``subsequence`` or ``equal``."""


class RemovedProblem(Record):
    """A problem that was taken out, with its match."""

    problem: Problem
    match: Match


@dataclass(frozen=True)
class Decontaminated:
    """What was kept and what was removed, both in the order given."""

    kept: list[Problem]
    removed: list[RemovedProblem]


@dataclass
class _View:
    """The index of all benchmark problems under one way of cutting words."""

    splitter: re.Pattern[str]
    words: list[list[str]] = field(default_factory=list)
    num_runs: list[int] = field(default_factory=list)
    runs: dict[tuple[str, ...], Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    long_runs: dict[tuple[str, ...], set[int]] = field(default_factory=lambda: defaultdict(set))
    equal: dict[tuple[str, ...], int] = field(default_factory=dict)

    def cut(self, text: str) -> list[str]:
        """Words of ``text``, case folded."""
        return self.splitter.findall(text.casefold())


class Decontaminator:
    """Benchmarks indexed once; each training text is then looked up in time linear in its length."""

    def __init__(
        self,
        benchmarks: Iterable[tuple[str, Iterable[Problem]]],
        *,
        min_share: float = 0.5,
        method: Method = Method.OVERLAP,
    ) -> None:
        self.min_share, self.method = min_share, method
        self._names: list[tuple[str, str]] = []
        self._views = [_View(splitter) for splitter in _SPLITTERS]
        for benchmark, problems in benchmarks:
            for problem in problems:
                self._add(benchmark, problem)

    def __len__(self) -> int:
        return len(self._names)

    def sizes(self) -> dict[str, int]:
        """Benchmark → number of its problems."""
        return dict(Counter(benchmark for benchmark, _ in self._names))

    def _add(self, benchmark: str, problem: Problem) -> None:
        number = len(self._names)
        self._names.append((benchmark, problem.id))
        for view in self._views:
            words = view.cut(problem.problem)
            view.words.append(words)
            runs = _runs(words, RUN_WORDS)
            view.num_runs.append(len(runs))
            for run in runs:
                view.runs[run][number] += 1
            for run in _runs(words, SUBSEQUENCE_RUN_WORDS):
                view.long_runs[run].add(number)
            view.equal.setdefault(tuple(words), number)

    def match(self, text: str) -> Match | None:
        """The strongest match of a training text, or None when it is clean."""
        for view in self._views:
            number = view.equal.get(tuple(view.cut(text)))
            if number is not None:
                return self._found(number, 1.0, "equal")
        if self.method is Method.EXACT:
            return None
        best: tuple[float, int] | None = None
        for view in self._views:
            for number, share in self._run_shares(view, text):
                if share >= self.min_share and (best is None or (share, -number) > (best[0], -best[1])):
                    best = (share, number)
        if best is not None:
            return self._found(best[1], best[0], "runs")
        view = self._views[0]
        words = view.cut(text)
        suspects = {n for run in set(_runs(words, SUBSEQUENCE_RUN_WORDS)) for n in view.long_runs.get(run, ())}
        for number in sorted(suspects):
            length = common_subsequence(words, view.words[number])
            share = length / max(len(words), len(view.words[number]))
            if share > SUBSEQUENCE_SHARE:
                return self._found(number, share, "subsequence")
        return None

    def _run_shares(self, view: _View, text: str) -> list[tuple[int, float]]:
        """(benchmark problem, share of its runs that the text holds), counting places and counting distinct runs alike."""
        places: Counter[int] = Counter()
        distinct: Counter[int] = Counter()
        for run in set(_runs(view.cut(text), RUN_WORDS)):
            for number, count in view.runs.get(run, Counter()).items():
                places[number] += count
                distinct[number] += 1
        return [
            (n, max(count / view.num_runs[n], distinct[n] / len(set(_runs(view.words[n], RUN_WORDS)))))
            for n, count in places.items()
        ]

    def _found(self, number: int, share: float, reason: str) -> Match:
        benchmark, problem_id = self._names[number]
        return Match(matched_id=problem_id, benchmark=benchmark, overlap=round(min(share, 1.0), 4), reason=reason)


def decontaminate(
    train: Iterable[Problem],
    benchmarks: Iterable[tuple[str, Iterable[Problem]]],
    *,
    min_share: float = 0.5,
    method: Method = Method.OVERLAP,
) -> Decontaminated:
    """Split training problems into kept and removed."""
    index = Decontaminator(benchmarks, min_share=min_share, method=method)
    kept: list[Problem] = []
    removed: list[RemovedProblem] = []
    for problem in train:
        match = index.match(problem.problem)
        if match is None:
            kept.append(problem)
        else:
            removed.append(RemovedProblem(problem=problem, match=match))
    return Decontaminated(kept, removed)


def common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence, one row of the table at a time as the bits of an integer."""
    places: dict[str, int] = defaultdict(int)
    for index, word in enumerate(a):
        places[word] |= 1 << index
    full = (1 << len(a)) - 1
    row = full
    for word in b:
        matched = row & places.get(word, 0)
        row = ((row + matched) | (row - matched)) & full
    return len(a) - row.bit_count()


def _runs(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    """All runs of ``length`` words, in order, repeats too."""
    return [tuple(words[i : i + length]) for i in range(len(words) - length + 1)]


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


def split_file(train: Path, index: Decontaminator, out: Path) -> DecontaminationSummary:
    """Stream a problem file into ``out/kept.jsonl`` and ``out/removed.jsonl``.

    Kept rows are the very bytes of the input; removed rows get ``matched_id``, ``matched_benchmark``, ``overlap`` and
    ``matched_by`` beside their own keys. DataError with the line number for a line that is no problem.
    """
    from selftaught.problems.load import load_file

    texts = {problem.id: problem.problem for problem in load_file(train)}
    reasons: Counter[str] = Counter()
    matched: Counter[str] = Counter()
    num_kept = 0
    removed: list[bytes] = []

    def kept() -> Iterator[bytes]:
        nonlocal num_kept
        for problem_id, (line, row) in zip(texts, _rows_of(train), strict=True):
            match = index.match(texts[problem_id])
            if match is None:
                num_kept += 1
                yield line
            else:
                reasons[match.reason] += 1
                matched[match.benchmark] += 1
                row |= {
                    "matched_id": match.matched_id,
                    "matched_benchmark": match.benchmark,
                    "overlap": match.overlap,
                    "matched_by": match.reason,
                }
                removed.append(json.dumps(row, ensure_ascii=False).encode() + b"\n")

    write_atomic(DataFolder(out).kept, kept())
    write_atomic(ProblemFolder(out).removed, removed)
    summary = DecontaminationSummary(
        train=str(train),
        benchmarks=index.sizes(),
        num_in=len(texts),
        num_kept=num_kept,
        num_removed=len(removed),
        reasons=dict(sorted(reasons.items())),
        matched=dict(sorted(matched.items())),
        min_share=index.min_share,
        method=index.method,
    )
    write_json(out / "decontamination.json", summary.model_dump(mode="json"))
    return summary


def _rows_of(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """(line, decoded row) of every line that the loader takes for a problem."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as text:
            for row in csv.DictReader(text):
                yield json.dumps(row, ensure_ascii=False).encode() + b"\n", dict(row)
        return
    with path.open("rb") as file:
        for line in file:
            content = line.removeprefix(b"\xef\xbb\xbf")
            if content.strip():
                yield content.rstrip(b"\r\n") + b"\n", json.loads(content)
