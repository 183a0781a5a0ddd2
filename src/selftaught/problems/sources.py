"""A set of problems as a recipe names it: a source with ``--map`` and ``--drop``, or the embedded reasoner's."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from selftaught.errors import ConfigError
from selftaught.problems.drop import parse_rules
from selftaught.problems.folders import local_files
from selftaught.problems.mapping import FieldMap
from selftaught.problems.query import load_problems
from selftaught.problems.registry import local_file, parse_benchmark
from selftaught.records import Problem, Record

DEFAULT_TOY_TOTAL = 400
"""Problems generated for ``toy-…`` when a recipe gives no number."""

TOY_PREFIX = "toy-"
"""Begins the name of a split that the embedded reasoner's generator makes."""


def is_none(value: object) -> bool:
    """A key that is not given is not written either, so that a recipe from before these keys has the same digest."""
    return value is None


class ProblemSource(Record):
    """A set of problems: a file, a folder, a hub id, a benchmark's name, or ``toy-SPLIT`` of the embedded reasoner."""

    source: str
    """A file, a folder, a hub id, a benchmark's name, or ``toy-SPLIT``; several benchmarks with commas."""
    limit: int | None = Field(default=None, ge=1)
    """First so many; for ``toy-…`` the number generated."""
    seed: int = 0
    """For ``toy-…``: which problems of the split are drawn."""
    counts: dict[str, int] | None = None
    """For ``toy-…``: problems by group instead of ``limit``."""
    map: str | dict[str, str] | None = Field(default=None, exclude_if=is_none)
    """Columns of the file, as ``--map``: ``{problem: question, answer: final_answer}``."""
    drop: str | list[str] | None = Field(default=None, exclude_if=is_none)
    """Rows that are left out, as ``--drop``: one rule, or a list of them."""

    @model_validator(mode="after")
    def _can_be_read(self) -> ProblemSource:
        """A mapping or a rule that cannot be read is refused with the recipe, not hours later."""
        try:
            FieldMap.parse(self.map)
            parse_rules(self.drop)
        except ConfigError as error:
            raise ValueError(str(error).rstrip(".")) from None
        return self


def load_source(source: ProblemSource) -> list[Problem]:
    """The problems of one source. Several benchmarks, comma-separated, become groups of one set."""
    names = source.source.split(",")
    if len(names) > 1:
        return [problem for name in names for problem in _group(name.strip(), source)]
    if source.source.startswith(TOY_PREFIX):
        from selftaught.toy.problems import generate

        split = source.source.removeprefix(TOY_PREFIX)
        if source.counts:
            return generate(split, counts=source.counts, seed=source.seed)
        return generate(split, source.limit or DEFAULT_TOY_TOTAL, seed=source.seed)
    return load_problems(source.source, source.limit, mapping=source.map, drop=source.drop)


def is_here(source: ProblemSource) -> bool:
    """Whether the problems can be loaded without the network: files, and the embedded reasoner's generator."""
    names = [name.strip().partition("@")[0].partition(":")[0] for name in source.source.split(",")]
    return all(name.startswith(TOY_PREFIX) or bool(local_file(name)) or _is_local(Path(name)) for name in names)


def _is_local(path: Path) -> bool:
    return path.exists() or local_files(path) is not None


def _group(name: str, source: ProblemSource) -> list[Problem]:
    """Problems of one benchmark among several: its name becomes their group, so that tables show it apart."""
    group = parse_benchmark(name).name
    return [
        problem.model_copy(update={"metadata": {**problem.metadata, "group": group}})
        for problem in load_problems(name, source.limit, mapping=source.map, drop=source.drop)
    ]
