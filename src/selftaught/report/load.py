"""Reads what the trajectory pages show: problems, trajectories and grades of the conditions that ``report.json`` names.

A run may be larger than a page can be. Then whole problems are chosen: first those worth reading (``samples``), then
those whose verdict changed, then the rest in order; the page says how many of how many it carries. Token ids are
counted and left behind line by line, so memory follows what the page keeps and not what the run holds.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from selftaught.complaints import complaint
from selftaught.errors import DataError
from selftaught.evals.records import ReportData, RunRef
from selftaught.problems import load_file
from selftaught.records import Grade, Problem, Trajectory
from selftaught.store import RecordT, iter_lines, read_jsonl

MAX_TRAJECTORIES = 10_000
"""Most trajectories that one page carries."""

MAX_SOURCE_BYTES = 250_000_000
"""Most bytes of trajectory lines that are turned into one page; token ids are the greater part of them."""

_PROBLEM_ID = re.compile(rb'"problem_id":\s*("(?:[^"\\]|\\.)*")')

Key = tuple[str, str]
"""(benchmark, problem id)."""


@dataclass
class Entry:
    """One trajectory of one run with its grade; ``body`` is what the converter made of the trajectory."""

    key: Key
    condition: str
    body: bytes
    summary: dict[str, object]
    grade: Grade | None


@dataclass
class RunContent:
    """What the page carries of a run."""

    problems: dict[Key, Problem] = field(default_factory=dict)
    entries: dict[Key, list[Entry]] = field(default_factory=dict)
    num_total: int = 0
    """Trajectories in the run."""
    num_kept: int = 0
    withheld: set[str] = field(default_factory=set)
    """Benchmarks whose text may not be published in the open."""


Converter = Callable[[Trajectory], tuple[bytes, dict[str, object]]]
"""Turns a trajectory into what the page keeps of it: its body, and the summary for the index."""


def read_report_data(path: Path) -> ReportData:
    """Read ``report.json``; a DataError names the file when it is not one."""
    from pydantic import ValidationError

    try:
        return ReportData.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); expected the report.json of a run.") from None
    except ValidationError as error:
        raise DataError(
            f"{path}: {complaint(error, whole='the document')} It should be the report.json of a run."
        ) from None


def is_withheld(problem: Problem) -> bool:
    """Whether a benchmark asks that its questions stay off the open web: GPQA, and others by ``metadata.secret``."""
    return "gpqa" in f"{problem.source or ''} {problem.id}".lower() or bool(problem.metadata.get("secret"))


def load_run(folder: Path, data: ReportData, convert: Converter, *, gated_text: bool = False) -> RunContent:
    """Read all that the page carries, in the order of ``data.runs``. Files that are gone are left out silently."""
    content = RunContent()
    for benchmark, name in dict.fromkeys((ref.benchmark, ref.problems) for ref in data.runs):
        for problem in _problems(folder / name) if (folder / name).exists() else ():
            content.problems.setdefault((benchmark, problem.id), problem)
            if not gated_text and is_withheld(problem):
                content.withheld.add(benchmark)
    counts = {
        (ref.trajectories, ref.round): ref.num_trajectories or _num_lines(folder / ref.trajectories)
        for ref in data.runs
    }
    chosen = _chosen(folder, data, counts)
    content.num_total = sum(counts.values())
    seen: set[tuple[Key, str, str]] = set()
    for ref in data.runs:
        if not (folder / ref.trajectories).exists() or ref.benchmark in content.withheld:
            continue
        grades = _grades(folder / ref.grades, ref, chosen)
        found: dict[str, Entry] = {}
        for trajectory in _trajectories(folder / ref.trajectories, ref, chosen):
            if ref.round is not None and trajectory.round != ref.round:
                continue
            key = (ref.benchmark, trajectory.problem_id)
            # A curve over rounds holds its plain condition as round 0; the page carries that once.
            if (key, trajectory.condition, trajectory.id) in seen:
                content.num_total -= 1
                continue
            body, summary = convert(trajectory)
            found[trajectory.id] = Entry(key, ref.condition, body, summary, grades.get(trajectory.id))
            if trajectory.condition == ref.condition:
                seen.add((key, trajectory.condition, trajectory.id))
        for entry in found.values():
            content.entries.setdefault(entry.key, []).append(entry)
        content.num_kept += len(found)
    return content


def _num_lines(path: Path) -> int:
    return sum(1 for _ in iter_lines(path)) if path.exists() else 0


def _problems(path: Path) -> Iterator[Problem]:
    """Problems of a file.

    The loader's rules are for runs; a page shows what it can, so bad lines cost their question only.
    """
    try:
        yield from load_file(path)
    except DataError:
        for _, line in iter_lines(path):
            try:
                yield Problem.model_validate_json(line)
            except ValueError:
                continue


def _grades(path: Path, ref: RunRef, chosen: set[Key] | None) -> dict[str, Grade]:
    """Grades by trajectory id; the last line of an id counts, since a regrade appends."""
    if not path.exists():
        return {}
    return {grade.trajectory_id: grade for grade in _records(path, Grade, ref, chosen)}


def _trajectories(path: Path, ref: RunRef, chosen: set[Key] | None) -> Iterator[Trajectory]:
    return _records(path, Trajectory, ref, chosen)


def _records(path: Path, model: type[RecordT], ref: RunRef, chosen: set[Key] | None) -> Iterator[RecordT]:
    """Records of the chosen problems; the lines of others are passed over without being parsed."""
    if chosen is None:
        yield from read_jsonl(path, model)
        return
    for number, line in iter_lines(path):
        match = _PROBLEM_ID.search(line)
        # Without a match the line is parsed, and the error says what is wrong with it.
        if match is None or (ref.benchmark, json.loads(match.group(1))) in chosen:
            try:
                yield model.model_validate_json(line)
            except ValueError:
                raise DataError(f"{path}:{number}: not a {model.__name__} record.") from None


def _chosen(folder: Path, data: ReportData, counts: Mapping[tuple[str, int | None], int]) -> set[Key] | None:
    """Problems that the page carries, or None for all."""
    sizes = [path.stat().st_size for ref in data.runs if (path := folder / ref.trajectories).exists()]
    total = sum(counts.values())
    limit = MAX_TRAJECTORIES
    if sum(sizes) > MAX_SOURCE_BYTES:
        limit = min(limit, max(1, int(MAX_SOURCE_BYTES / (sum(sizes) / max(total, 1)))))
    if total <= limit:
        return None
    listed = list(dict.fromkeys((row.benchmark, row.problem_id) for row in data.grid))
    wanted: dict[Key, None] = dict.fromkeys((sample.benchmark, sample.problem_id) for sample in data.samples)
    changed = {problem_id for row in data.transitions for problem_id in (*row.fixed, *row.broken)}
    wanted |= dict.fromkeys(key for key in listed if key[1] in changed)
    wanted |= dict.fromkeys(listed)
    per_problem = _per_problem(data, counts, wanted)
    chosen: set[Key] = set()
    room = float(limit)
    for key in wanted:
        room -= per_problem.get(key[0], 1.0)
        if room < 0 and chosen:  # at least one problem, however many trajectories it has
            break
        chosen.add(key)
    return chosen


def _per_problem(
    data: ReportData, counts: Mapping[tuple[str, int | None], int], keys: Mapping[Key, None]
) -> dict[str, float]:
    """Benchmark → mean number of trajectories of a problem."""
    problems = Counter(benchmark for benchmark, _ in keys)
    # A curve holds its plain condition as round 0: the page carries that once, so that it is counted once.
    files = {(ref.benchmark, ref.trajectories): counts[ref.trajectories, ref.round] for ref in data.runs}
    totals: Counter[str] = Counter()
    for (benchmark, _), count in files.items():
        totals[benchmark] += count
    return {benchmark: total / max(1, problems[benchmark]) for benchmark, total in totals.items()}
