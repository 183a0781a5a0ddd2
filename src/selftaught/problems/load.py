"""Problem files that are already on this machine: one file, or several as one set, to ``Problem`` records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from selftaught.errors import DataError
from selftaught.problems.reader import ProblemReader, ReadProblem
from selftaught.problems.rows import SourceRow, read_rows
from selftaught.records import Problem, question_hash


def load_file(path: Path, limit: int | None = None) -> list[Problem]:
    """All problems of ``path``, or its first ``limit``. DataError names the first bad line; ids are unique."""
    return [item.problem for item in read_files([path], ProblemReader(), limit)]


def read_files(paths: Sequence[Path], reader: ProblemReader, limit: int | None = None) -> list[ReadProblem]:
    """Problems of several files as one set, with the rows they came from. DataError when there is none."""
    found = reader.read(_rows(paths), limit)
    if not found and limit != 0:
        losses = ", ".join(f"{count} {reason}" for reason, count in reader.counts.losses().items())
        why = f" (left out of {reader.counts.num_rows} rows: {losses})" if losses else ""
        raise DataError(f"{_named(paths)} holds no problem{why}; expected one JSON object a line.")
    return found


def _rows(paths: Sequence[Path]) -> Iterator[SourceRow]:
    for path in paths:
        yield from read_rows(path)


def _named(paths: Sequence[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{paths[0].parent} ({len(paths)} files)"


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def problems_digest(problems: Sequence[Problem]) -> str:
    """First 16 hex digits over ids, question hashes and answers in order: equal for equal problem sets."""
    digest = hashlib.sha256()
    for problem in problems:
        digest.update(
            f"{problem.id}\x00{question_hash(problem.problem)}\x00{problem.answer}\x01".encode("utf-8", "replace")
        )
    return digest.hexdigest()[:16]


def has_secret(problems: Sequence[Problem]) -> bool:
    """True when a problem's text must not stand in plain text in anything published (GPQA asks for that)."""
    return any(bool(problem.metadata.get("secret")) for problem in problems)
