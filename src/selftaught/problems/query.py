"""``ProblemQuery``: what a user says about a set of problems, in one object that every verb and a recipe use."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from selftaught.errors import ConfigError, DataError
from selftaught.problems.benchmarks import BENCHMARKS, UNPINNED, Benchmark
from selftaught.problems.drop import DropRule, parse_rules
from selftaught.problems.folders import local_files
from selftaught.problems.hub import commit_of, hub_file, hub_files, parse_hub_id
from selftaught.problems.load import file_digest, read_files
from selftaught.problems.mapping import FieldMap
from selftaught.problems.reader import ProblemReader, ReadCounts, ReadProblem
from selftaught.problems.registry import BenchmarkSpec, local_file, parse_benchmark
from selftaught.problems.rows import SourceRow, kind_of, read_rows
from selftaught.records import Problem

Tell = Callable[[str], None]
"""Gets one line: which preset was recognised, and how many rows were left out, for which reasons."""

TOY_SPLITS = ("test", "dev", "pool")
TOY_SIZE = 400
"""Problems of a toy split when no limit says otherwise."""


def to_stderr(line: str) -> None:
    """The way in which lines are told by default."""
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class LoadedProblems:
    """Problems with the rows that they came from (none for generated ones), and what became of all rows."""

    items: list[ReadProblem]
    counts: ReadCounts

    @property
    def problems(self) -> list[Problem]:
        """The problems, in the order of their rows."""
        return [item.problem for item in self.items]


@dataclass(frozen=True)
class ProblemQuery:
    """A set of problems: a file, a folder, a hub id, a benchmark's name or ``toy-SPLIT``, and how its rows are read.

    ``source`` may carry a date window (``livecodebench@2024-08..2024-11``); a sample count (``:16``) is ignored here.
    """

    source: str
    limit: int | None = None
    """Only the first so many."""
    fields: FieldMap = field(default_factory=FieldMap)
    """Which column is the question, which the answer (``--map``)."""
    rules: tuple[DropRule, ...] = ()
    """Rows that are left out (``--drop``)."""

    @classmethod
    def of(
        cls,
        source: str | Path,
        limit: int | None = None,
        mapping: str | Mapping[str, str] | None = None,
        drop: str | Sequence[str] | None = None,
    ) -> ProblemQuery:
        """From the texts of options or of a recipe. ConfigError when a mapping or a rule cannot be read."""
        # An empty text would be the working directory: an unset variable of the shell.
        if isinstance(source, str) and not source.strip():
            raise ConfigError("the problems' source is ''; expected a file, a folder, a hub id or a benchmark's name.")
        return cls(str(source), limit, FieldMap.parse(mapping), parse_rules(drop))

    def load(self, tell: Tell = to_stderr) -> list[Problem]:
        """The problems.

        DataError for a bad file, ConfigError for an unknown name, MissingPartError when the hub is needed and not
        there.
        """
        return self.read(tell).problems

    def read(self, tell: Tell = to_stderr) -> LoadedProblems:
        """The problems with their rows. Errors as in ``load``."""
        path = Path(self.source)
        if path.exists():
            return self._of_files(local_files(path) or [], self.source, tell, self.limit)
        spec = parse_benchmark(self.source)
        windowed = spec.date_from is not None
        loaded = self._of_source(spec.source, None if windowed else self.limit, tell)
        if not windowed:
            return loaded
        items = [item for item in loaded.items if _in_window(item.problem, spec)]
        if not items:
            raise DataError(
                f"{spec.source} holds no problem from {spec.date_from} to {spec.date_to}; widen the window."
            )
        return LoadedProblems(items[: self.limit], loaded.counts)

    def _of_source(self, source: str, limit: int | None, tell: Tell) -> LoadedProblems:
        if source == "toy" or (source.startswith("toy-") and not kind_of(Path(source))):
            return self._toy(source, limit)
        benchmark = BENCHMARKS.get(source)
        if benchmark is not None:
            return self._benchmark(benchmark, limit, tell)
        if (files := local_files(Path(source))) is not None:
            return self._of_files(files, source, tell, limit)
        hub = parse_hub_id(source)
        if hub is not None:
            repo, revision, wanted = hub
            files = hub_files(repo, revision, wanted, source)
            commit = commit_of(files[0])
            return self._of_files(files, f"{source} at {commit[:12]}" if commit else source, tell, limit)
        if kind_of(Path(source)) or os.sep in source or Path(source).suffix:
            raise DataError(f"{source} cannot be read (no such file); expected a file with one problem a line.")
        near = difflib.get_close_matches(source, [*BENCHMARKS, "toy-test"], n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(
            f"benchmark {source!r} is not known; expected a file, a folder, a hub id (owner/name) or one of "
            f"{', '.join(BENCHMARKS)}, toy-test.{hint}"
        )

    def _of_files(self, files: Sequence[Path], name: str, tell: Tell, limit: int | None) -> LoadedProblems:
        reader = ProblemReader(self.fields, self.rules)
        items = read_files(files, reader, limit)
        for line in reader.counts.lines(name):
            tell(line)
        return LoadedProblems(items, reader.counts)

    def _benchmark(self, benchmark: Benchmark, limit: int | None, tell: Tell) -> LoadedProblems:
        if self.fields:
            raise ConfigError(
                f"map is given for the benchmark {benchmark.name}, whose columns are known; leave it out."
            )
        reader = ProblemReader(rules=self.rules)
        local = local_file(benchmark.name)
        items = read_files([local], reader, limit) if local else reader.read(_hub_rows(benchmark, tell), limit)
        if reader.counts.losses():
            for line in reader.counts.lines(benchmark.name):
                tell(line)
        if benchmark.is_secret:
            for item in items:
                item.problem.metadata["secret"] = True
        return LoadedProblems(items, reader.counts)

    def _toy(self, source: str, limit: int | None) -> LoadedProblems:
        split = source.removeprefix("toy").removeprefix("-") or "test"
        if split not in TOY_SPLITS:
            names = ", ".join(f"toy-{name}" for name in TOY_SPLITS)
            raise ConfigError(f"toy split {split!r} is not known; expected one of {names}.")
        if self.fields or self.rules:
            raise ConfigError(f"map or drop is given for {source}, whose problems are generated; leave it out.")
        # The generator stands in the same layer; by name, so that loading a file never imports it.
        generator = importlib.import_module("selftaught.toy.problems")
        problems: list[Problem] = list(generator.generate(split, max(TOY_SIZE, limit or 0)))[:limit]
        items = [ReadProblem(problem) for problem in problems]
        return LoadedProblems(items, ReadCounts(num_rows=len(items), num_kept=len(items)))


def load_problems(
    source: str | Path,
    limit: int | None = None,
    *,
    mapping: str | Mapping[str, str] | None = None,
    drop: str | Sequence[str] | None = None,
    tell: Tell = to_stderr,
) -> list[Problem]:
    """Problems of a file, a folder, a hub id, a benchmark or ``toy-test``: ``ProblemQuery`` in one call."""
    return ProblemQuery.of(source, limit, mapping, drop).load(tell)


def _in_window(problem: Problem, spec: BenchmarkSpec) -> bool:
    date = str(problem.metadata.get("contest_date") or "")[:10]
    assert spec.date_from and spec.date_to
    return bool(date) and date[: len(spec.date_from)] >= spec.date_from and date[: len(spec.date_to)] <= spec.date_to


def _hub_rows(benchmark: Benchmark, tell: Tell) -> Iterator[SourceRow]:
    """Rows of a benchmark on the hub, in our own format.

    DataError when its file is not the one whose checksum we know.
    """
    number = 0
    for name in benchmark.hub_files:
        file = hub_file(benchmark.hub_repo, name, benchmark.hub_revision, f"{benchmark.name} ({benchmark.hub_repo})")
        if benchmark.sha256 and (found := file_digest(file)) != benchmark.sha256:
            tell(f"{benchmark.name}: {name} has changed (SHA-256 {found[:12]}…, known {benchmark.sha256[:12]}…).")
        if benchmark.hub_revision == UNPINNED:
            tell(f"{benchmark.name}: {benchmark.hub_repo} at {(commit_of(file) or UNPINNED)[:12]}")
        for item in read_rows(file):
            row = benchmark.adapt(item.row, number)
            number += 1
            if row is not None:
                yield SourceRow(f"{benchmark.hub_repo}@{benchmark.hub_revision[:8]}/{name}, row {number}", row)
