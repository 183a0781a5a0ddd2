"""The standard streams of a child, in the form that ``python script.py`` gives them."""

from __future__ import annotations

import io
import sys

_TextIOWrapper, _BufferedReader, _BufferedWriter, _FileIO = (
    io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.FileIO)  # fmt: skip
_BUFFER_BYTES = 1 << 16


class Streams:
    """Three text streams on descriptors 0 to 2, made anew whenever a cell has closed one or taken it apart."""

    def __init__(self) -> None:
        self.stdin = _reader()
        self.stdout = _writer(1, "<stdout>")
        self.stderr = _writer(2, "<stderr>")

    def open(self, buffered: bool) -> None:
        """Make all three usable and put them into ``sys``. ``buffered`` holds output back until 64 KiB are full."""
        if not _usable(self.stdin):
            self.stdin = _reader()
        if not _usable(self.stdout):
            self.stdout = _writer(1, "<stdout>")
        if not _usable(self.stderr):
            self.stderr = _writer(2, "<stderr>")
        if buffered:
            self.stdout.reconfigure(line_buffering=False)
        sys.stdin = sys.__stdin__ = self.stdin
        sys.stdout = sys.__stdout__ = self.stdout
        sys.stderr = sys.__stderr__ = self.stderr

    def renew_stdin(self) -> None:
        """There is another file at descriptor 0: nothing that was read ahead of the last one is part of it."""
        self.stdin = _reader()

    def flush(self) -> None:
        """Write out what is held back, as far as that goes."""
        for stream in (self.stdout, self.stderr):
            try:
                stream.flush()
            except BaseException:
                continue


def _usable(stream: io.TextIOWrapper) -> bool:
    """False for a stream that a cell closed or took apart."""
    try:
        return not stream.closed
    except BaseException:
        return False


def _reader() -> io.TextIOWrapper:
    raw = _FileIO(0, closefd=False)
    raw.name = "<stdin>"
    stream = _TextIOWrapper(_BufferedReader(raw), "utf-8", "replace")
    stream.mode = "r"  # type: ignore[misc]
    return stream


def _writer(fd: int, name: str) -> io.TextIOWrapper:
    raw = _FileIO(fd, "w", closefd=False)
    raw.name = name
    stream = _TextIOWrapper(_BufferedWriter(raw, _BUFFER_BYTES), "utf-8", "backslashreplace", "\n", line_buffering=True)
    stream.mode = "w"  # type: ignore[misc]
    return stream
