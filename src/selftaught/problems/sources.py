"""A set of problems as a recipe names it: a file, benchmarks of the hub, or the embedded reasoner's generator."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from selftaught.problems.registry import load_problems, local_file, parse_benchmark
from selftaught.records import Problem, Record

DEFAULT_TOY_TOTAL = 400
"""Problems generated for ``toy-…`` when a recipe gives no number."""

TOY_PREFIX = "toy-"
"""Begins the name of a split that the embedded reasoner's generator makes."""


class ProblemSource(Record):
    """A set of problems: a file, a benchmark's name, or ``toy-SPLIT`` of the embedded reasoner."""

    source: str
    limit: int | None = Field(default=None, ge=1)
    """First so many; for ``toy-…`` the number generated."""
    seed: int = 0
    counts: dict[str, int] | None = None
    """For ``toy-…``: problems by group instead of ``limit``."""


def load_source(source: ProblemSource) -> list[Problem]:
    """The problems of one source. Several benchmarks, comma-separated, become groups of one set."""
    names = source.source.split(",")
    if len(names) > 1:
        return [problem for name in names for problem in _group(name.strip(), source.limit)]
    if source.source.startswith(TOY_PREFIX):
        from selftaught.toy.problems import generate

        split = source.source.removeprefix(TOY_PREFIX)
        if source.counts:
            return generate(split, counts=source.counts, seed=source.seed)
        return generate(split, source.limit or DEFAULT_TOY_TOTAL, seed=source.seed)
    return load_problems(source.source, source.limit)


def is_here(source: ProblemSource) -> bool:
    """Whether the problems can be loaded without the network: files, and the embedded reasoner's generator."""
    names = [name.strip().partition("@")[0].partition(":")[0] for name in source.source.split(",")]
    return all(name.startswith(TOY_PREFIX) or Path(name).is_file() or bool(local_file(name)) for name in names)


def _group(name: str, limit: int | None) -> list[Problem]:
    """Problems of one benchmark among several: its name becomes their group, so that tables show it apart."""
    group = parse_benchmark(name).name
    return [
        problem.model_copy(update={"metadata": {**problem.metadata, "group": group}})
        for problem in load_problems(name, limit)
    ]
