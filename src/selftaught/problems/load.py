"""Problem files: JSON Lines (or GPQA's CSV) to ``Problem`` records.

First step of the flow. A malformed line is refused with file and line number; nothing is skipped in silence.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from selftaught.errors import DataError
from selftaught.problems.formats import Row, problem_from_row
from selftaught.records import Problem, question_hash


def load_file(path: Path, limit: int | None = None) -> list[Problem]:
    """All problems of ``path``, or its first ``limit``. DataError names the first bad line; ids must be unique."""
    problems: list[Problem] = []
    first_seen: dict[str, int] = {}
    for number, row in _rows(path):
        if limit is not None and len(problems) >= limit:
            break
        try:
            problem = problem_from_row(row)
        except ValidationError as error:
            first = error.errors()[0]
            raise DataError(f"{path}:{number}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}:{number}: {error}.") from None
        if problem.id in first_seen:
            raise DataError(
                f"{path}:{number}: id {problem.id!r} stands in line {first_seen[problem.id]} already; expected unique ids."
            )
        first_seen[problem.id] = number
        problems.append(problem)
    if not problems and limit != 0:
        raise DataError(f"{path} holds no problem; expected one JSON object a line.")
    return problems


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def problems_digest(problems: list[Problem]) -> str:
    """First 16 hex digits over ids, question hashes and answers in order: equal for equal problem sets."""
    digest = hashlib.sha256()
    for problem in problems:
        digest.update(
            f"{problem.id}\x00{question_hash(problem.problem)}\x00{problem.answer}\x01".encode("utf-8", "replace")
        )
    return digest.hexdigest()[:16]


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); expected a file with one problem a line.") from None
    with file:
        if path.suffix == ".csv":
            yield from _csv_rows(path)
            return
        for number, line in enumerate(file, start=1):
            if line.strip() and line.strip() != b"\xef\xbb\xbf":
                yield number, _decode(path, number, line)


def _csv_rows(path: Path) -> Iterator[tuple[int, Row]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            yield reader.line_num, dict(row)


def _decode(path: Path, number: int, line: bytes) -> Row:
    try:
        row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}:{number}: byte {error.start + 1} is not UTF-8; expected one JSON object a line."
        ) from None
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}:{number}: not JSON ({error.msg} at column {error.colno}); expected one JSON object a line."
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}:{number}: {error or 'nested too deeply'}; expected one JSON object a line.") from None
    if not isinstance(row, dict):
        raise DataError(f"{path}:{number}: a JSON {type(row).__name__}; expected one JSON object a line.")
    return row


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def has_secret(problems: list[Problem]) -> bool:
    """True when a problem's text must not stand in plain text in anything published (GPQA asks for that)."""
    return any(_is_secret(problem.metadata) for problem in problems)


def _is_secret(metadata: dict[str, Any]) -> bool:
    return bool(metadata.get("secret"))
