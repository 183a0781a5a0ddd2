"""Files between stages: append-only JSON Lines that survive a kill, and atomic whole-file writes.

A writer appends one whole line with one ``write``; a reader ignores a last line without its newline. So a SIGKILL loses
at most the record in flight, and a rerun that opens the file for appending first cuts that torn tail off.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from pydantic import ValidationError

from selftaught.complaints import complaint
from selftaught.errors import DataError
from selftaught.records import SCHEMA_VERSION, Record

RecordT = TypeVar("RecordT", bound=Record)

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""What some editors put in front of UTF-8."""

_BLOCK_BYTES = 1 << 16


def repair_tail(path: Path) -> int:
    """Cut a torn last line (bytes after the last newline) off ``path``; return how many bytes were cut."""
    if not path.exists():
        return 0
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        end = size
        while end > 0:
            start = max(0, end - _BLOCK_BYTES)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)
        return size - end


class JsonlWriter:
    """Appends records to a JSON Lines file, one ``write`` a line. Not shared between processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        repair_tail(path)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, record: Record) -> None:
        """Append one record."""
        self.write_line(record.to_json())

    def write_line(self, line: str) -> None:
        """Append one line that is JSON already."""
        # One write for the line and its newline: a kill leaves a line without its newline, which readers ignore.
        data = memoryview(line.encode("utf-8", "replace") + b"\n")
        while data:
            data = data[os.write(self._fd, data) :]

    def close(self) -> None:
        """Flush to disk and close."""
        if self._fd >= 0:
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> JsonlWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_jsonl(path: Path, model: type[RecordT]) -> Iterator[RecordT]:
    """Stream the records of ``path``.

    A torn last line is skipped; any other bad line is a DataError with its number.
    """
    for number, line in iter_lines(path):
        yield parse_record(line, model, f"{path}:{number}")


def parse_record(line: bytes, model: type[RecordT], place: str) -> RecordT:
    """One line as a record. DataError names ``place`` (``file:line``) when it is none, or one of a newer version."""
    try:
        record = model.model_validate_json(line)
    except ValidationError as error:
        should = f" It should be {model.described}." if model.described else ""
        raise DataError(f"{place}: {complaint(error)}{should}") from None
    version = getattr(record, "schema_version", SCHEMA_VERSION)
    if version > SCHEMA_VERSION:
        raise DataError(
            f"{place}: schema_version is {version}; this selftaught reads up to {SCHEMA_VERSION}. Upgrade it."
        )
    return record


def parse_object(line: bytes, place: str, *keys: str) -> dict[str, Any]:
    """One line as a JSON object that has ``keys``; for readers that need a few fields of any record.

    DataError otherwise.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        detail = str(error).partition(":")[0] or "nested too deeply"
        raise DataError(f"{place}: not JSON ({detail}); expected one record a line.") from None
    missing = [key for key in keys if not isinstance(row, dict) or key not in row]
    if missing or not isinstance(row, dict):
        what = f"no {missing[0]!r}" if isinstance(row, dict) else f"a JSON {type(row).__name__}"
        raise DataError(f"{place}: {what}; expected one record a line.")
    return row


def iter_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, line) for every complete, non-blank line of ``path``, without a byte order mark."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); expected a JSON Lines file.") from None
    with file:
        for number, line in enumerate(file, start=1):
            if number == 1:
                line = line.removeprefix(BYTE_ORDER_MARK)
            if line.endswith(b"\n") and line.strip():
                yield number, line


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Write a whole JSON Lines file atomically; return the number of records."""
    count = 0

    def lines() -> Iterator[bytes]:
        nonlocal count
        for record in records:
            count += 1
            yield record.to_json().encode("utf-8", "replace") + b"\n"

    write_atomic(path, lines())
    return count


def write_json(path: Path, value: Any) -> None:
    """Write one JSON document atomically, indented, keys in the given order, NaN refused."""
    write_atomic(path, [json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"])


def write_atomic(path: Path, chunks: Iterable[bytes]) -> None:
    """Write ``path`` by a temporary file beside it and a rename, so that it is whole or absent."""
    is_new = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())  # or a crash after the rename could leave an empty file under the final name
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        if is_new:
            with contextlib.suppress(OSError):
                path.parent.rmdir()
        raise
