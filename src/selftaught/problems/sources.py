"""A set of problems as a recipe names it: a source with ``--map`` and ``--drop``, or the embedded reasoner's."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from pydantic import Field, model_validator

from selftaught.errors import ConfigError, DataError
from selftaught.problems.drop import parse_rules
from selftaught.problems.folders import local_files
from selftaught.problems.mapping import FieldMap
from selftaught.problems.query import load_problems
from selftaught.problems.registry import local_file, parse_benchmark
from selftaught.provenance import hashed_order
from selftaught.records import Problem, Record

DEFAULT_TOY_TOTAL = 400
"""Problems generated for ``toy-…`` when a recipe gives no number."""

TOY_PREFIX = "toy-"
"""Begins the name of a split that the embedded reasoner's generator makes."""


def is_none(value: object) -> bool:
    """A key that is not given is not written either, so that a recipe from before these keys has the same digest."""
    return value is None


def _check_reading(map_: str | dict[str, str] | None, drop: str | list[str] | None) -> None:
    """A mapping or a rule that cannot be read is refused with the recipe, not hours later."""
    try:
        FieldMap.parse(map_)
        parse_rules(drop)
    except ConfigError as error:
        raise ValueError(str(error).rstrip(".")) from None


class ProblemPart(Record):
    """One source among several that make a set: its rows in an order that only their texts decide, and a stretch of it."""

    source: str
    """A file, a folder, a hub id or a benchmark's name."""
    skip: int = Field(default=0, ge=0)
    """Rows at the beginning of the source that are left out, for example because somebody looked at their results."""
    draw: str | None = None
    """``FROM..TO``: the problems from one place to before another, ordered by the SHA-256 of their texts. Two stretches
    that do not overlap share no problem, whatever else is added to the file."""
    map: str | dict[str, str] | None = None
    """Columns of the file, as ``--map``."""
    drop: str | list[str] | None = None
    """Rows that are left out, as ``--drop``."""

    @model_validator(mode="after")
    def _can_be_read(self) -> ProblemPart:
        _check_reading(self.map, self.drop)
        if self.draw is not None:
            match = _STRETCH.fullmatch(self.draw)
            if not match or int(match[1]) >= int(match[2]):
                raise ValueError(f"draw is {self.draw!r}; expected FROM..TO with FROM below TO, such as 0..400")
        return self

    @property
    def stretch(self) -> slice:
        """What ``draw`` means."""
        match = _STRETCH.fullmatch(self.draw or "")
        return slice(int(match[1]), int(match[2])) if match else slice(None)


_STRETCH = re.compile(r"(\d+)\.\.(\d+)")


class ProblemSource(Record):
    """A set of problems: a file, a folder, a hub id, a benchmark's name, or ``toy-SPLIT`` of the embedded reasoner."""

    source: str = ""
    """A file, a folder, a hub id, a benchmark's name, or ``toy-SPLIT``; several benchmarks with commas."""
    parts: dict[str, ProblemPart] | None = Field(default=None, exclude_if=is_none)
    """Several sources instead of ``source``, each with ``source``, ``skip``, ``draw``, ``map``, ``drop``. Their names are the
    groups in tables."""
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
        _check_reading(self.map, self.drop)
        if bool(self.source) == bool(self.parts):
            raise ValueError("expected either source or parts")
        if self.parts and (self.limit is not None or self.counts or self.map or self.drop):
            raise ValueError("limit, counts, map and drop belong to a single source; each of the parts has its own")
        return self

    @property
    def name(self) -> str:
        """What a message calls the set."""
        return ", ".join(part.source for part in self.parts.values()) if self.parts else self.source


def load_source(source: ProblemSource) -> list[Problem]:
    """The problems of one source. Several benchmarks, comma-separated, or parts become groups of one set."""
    if source.parts:
        return [problem for name, part in source.parts.items() for problem in _part(name, part)]
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
    sources = [part.source for part in source.parts.values()] if source.parts else source.source.split(",")
    names = [name.strip().partition("@")[0].partition(":")[0] for name in sources]
    return all(name.startswith(TOY_PREFIX) or bool(local_file(name)) or _is_local(Path(name)) for name in names)


def _is_local(path: Path) -> bool:
    return path.exists() or local_files(path) is not None


def draw_problems(problems: list[Problem], count: int) -> list[Problem]:
    """``count`` of the problems, drawn by a hash of their ids, in the order in which they stand.

    Not by that of `ProblemPart.draw`: parts of which a large share was drawn would come last, and small sources would be
    left out of every further draw.
    """
    drawn = set(hashed_order((problem.id for problem in problems), "num_problems")[:count])
    return [problem for problem in problems if problem.id in drawn]


def _text_hash(problem: Problem) -> bytes:
    return hashlib.sha256(problem.problem.encode()).digest()


def _part(name: str, part: ProblemPart) -> list[Problem]:
    """One of the parts. DataError when the source is shorter than the stretch that is drawn."""
    found = load_problems(part.source, mapping=part.map, drop=part.drop)[part.skip :]
    if part.draw is not None:
        found.sort(key=_text_hash)
        if len(found) < part.stretch.stop:
            raise DataError(
                f"{part.source}: {len(found)} problems after {part.skip} that are skipped; draw is {part.draw}. "
                "Draw fewer, or skip fewer."
            )
        found = found[part.stretch]
    return [_in_group(problem, name) for problem in found]


def _in_group(problem: Problem, group: str) -> Problem:
    return problem.model_copy(update={"metadata": {**problem.metadata, "group": group}})


def _group(name: str, source: ProblemSource) -> list[Problem]:
    """Problems of one benchmark among several: its name becomes their group, so that tables show it apart."""
    group = parse_benchmark(name).name
    return [
        _in_group(problem, group) for problem in load_problems(name, source.limit, mapping=source.map, drop=source.drop)
    ]
