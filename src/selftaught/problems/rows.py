"""Rows of a data file: JSON Lines, JSON, CSV or Parquet, each also packed with gzip. First step of reading problems.

Every row comes with its place (``file:line``, or ``file, row N`` for Parquet), so that an error can name it. What
cannot be decoded is a DataError of one line; nothing is skipped in silence.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import io
import json
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path, PurePath
from typing import IO, Any, NoReturn

from selftaught.errors import DataError, MissingPartError
from selftaught.store import BYTE_ORDER_MARK

Row = dict[str, Any]
"""One decoded row. It does not leave this package."""

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
"""Kinds of files that hold problems. All but Parquet may end in ``.gz`` as well."""

MAX_CELL_CHARS = 1 << 27
"""Longest cell of a CSV file; Python's own limit of 128 KiB is less than some sets of tests need."""

_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class SourceRow:
    """One row with its place. ``line`` holds the very bytes of a JSON line, without its line end; None elsewhere."""

    place: str
    row: Row
    line: bytes | None = None


def kind_of(path: PurePath) -> str | None:
    """The suffix that says how ``path`` is read, without ``.gz``; None when it is no kind that we read."""
    name = path.name.lower().removesuffix(".gz")
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)


def read_rows(path: Path) -> Iterator[SourceRow]:
    """Stream the rows of a file by its suffix; an unknown suffix is read as JSON Lines.

    DataError names the bad place.
    """
    try:
        kind = kind_of(path)
        if kind == ".parquet":
            yield from _parquet_rows(path)
            return
        with _open(path) as file:
            if kind in (".csv", ".tsv"):
                yield from _csv_rows(path, file, "\t" if kind == ".tsv" else ",")
            elif kind == ".json":
                yield from _json_rows(path, file)
            else:
                yield from _json_lines(path, file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} cannot be unpacked ({error}); expected a whole gzip file.") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{path} cannot be read ({reason}); expected a file with one problem a line.") from None


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")  # type: ignore[return-value]


# -------------------------------------------------------------------------------------------------------------- JSON


def _json_lines(path: Path, file: IO[bytes]) -> Iterator[SourceRow]:
    for number, line in enumerate(file, start=1):
        content = (line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line).strip()
        if content:
            place = f"{path}:{number}"
            yield SourceRow(place, _object(decode(content, place), place), content)


def _json_rows(path: Path, file: IO[bytes]) -> Iterator[SourceRow]:
    """A list of objects, or an object that holds one list of them (``{"data": [...]}``).

    Else the file is JSON Lines.
    """
    content = file.read().removeprefix(BYTE_ORDER_MARK)
    try:
        value = decode(content, str(path))
    except DataError:
        if content.lstrip().startswith(b"["):
            raise
        yield from _json_lines(path, io.BytesIO(content))
        return
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list) and item and isinstance(item[0], dict)]
        value = lists[0] if len(lists) == 1 and not {"problem", "question"} & value.keys() else [value]
    if not isinstance(value, list):
        raise DataError(f"{path}: a JSON {type(value).__name__}; expected a list of objects.")
    for number, item in enumerate(value, start=1):
        place = f"{path}, row {number}"
        yield SourceRow(place, _object(item, place))


def decode(content: bytes, place: str) -> Any:
    """One JSON document with finite numbers and whole characters only; DataError names ``place`` otherwise."""
    try:
        value = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: byte {error.start + 1} is not UTF-8; expected one JSON object a line.") from None
    except json.JSONDecodeError as error:
        raise DataError(
            f"{place}: not JSON ({error.msg} at column {error.colno}); expected one JSON object a line."
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: {error or 'nested too deeply'}; expected one JSON object a line.") from None
    if _SURROGATE_ESCAPE.search(content):
        _refuse_surrogates(value, place, "")
    return value


def _object(value: Any, place: str) -> Row:
    if not isinstance(value, dict):
        raise DataError(f"{place}: a JSON {type(value).__name__}; expected one JSON object a line.")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large to hold (write it as a text, in quotes)")
    return value


def _refuse_surrogates(value: Any, place: str, where: str) -> None:
    """A half of a pair (``\\ud83d`` alone) is no character: it can be neither hashed nor written as UTF-8."""
    if isinstance(value, str) and (half := _SURROGATE.search(value)):
        raise DataError(
            f"{place}: {where or 'line'}: half of a character pair (\\u{ord(half.group()):04x}); expected whole characters."
        )
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_surrogates(key, place, "a key")
            _refuse_surrogates(item, place, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _refuse_surrogates(item, place, f"{where}.{number}")


# --------------------------------------------------------------------------------------------------------------- CSV


def _csv_rows(path: Path, file: IO[bytes], delimiter: str) -> Iterator[SourceRow]:
    """Rows of a table with a header.

    An empty cell counts as absent; a row with more cells than the header is refused.
    """
    csv.field_size_limit(MAX_CELL_CHARS)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    header: list[str] = []
    try:
        for cells in reader:
            if not cells:
                continue
            if not header:
                header = [name.strip() for name in cells]
                doubled = next((name for name in header if header.count(name) > 1), None)
                if doubled is not None:
                    raise DataError(f"{path}:1: column {doubled!r} stands twice; expected different names.")
                continue
            if len(cells) > len(header):
                raise DataError(
                    f"{path}:{reader.line_num}: {len(cells)} fields, but the header has {len(header)}; "
                    "put a field that holds a comma in double quotes."
                )
            row = {name: cell if cell != "" else None for name, cell in zip(header, cells, strict=False)}
            yield SourceRow(f"{path}:{reader.line_num}", row)
    except UnicodeDecodeError:
        raise DataError(f"{path}:{reader.line_num + 1}: not UTF-8; save the table as UTF-8.") from None
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: {error}; expected a table with a header, as CSV.") from None


# ----------------------------------------------------------------------------------------------------------- Parquet


def _parquet_rows(path: Path) -> Iterator[SourceRow]:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingPartError(
            f"{path.name} is Parquet and needs pyarrow; pip install pyarrow, or give a JSON Lines file."
        ) from None
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield SourceRow(f"{path}, row {number}", {key: _plain(value) for key, value in row.items()})
    except OSError:
        raise
    except Exception as error:  # pyarrow raises kinds of its own for each way in which a file can be broken
        if type(error).__module__.partition(".")[0] != "pyarrow":
            raise
        detail = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise DataError(f"{path} is not a Parquet file that can be read ({detail}); expected a whole one.") from None


def _plain(value: Any) -> Any:
    """A Parquet value as JSON has it: dates and decimals as texts, bytes as text where they are one, NaN as absent."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)
