"""Random access to the grades of a large run: an index of offsets in memory, the records on disk."""

from __future__ import annotations

import mmap
from pathlib import Path
from types import TracebackType

from selftaught.errors import DataError
from selftaught.provenance import hash64
from selftaught.records import Grade
from selftaught.store import parse_record


class GradeIndex:
    """Grades of one file by trajectory id; of several for one id, the last one written counts.

    About 150 bytes a grade in memory, so a million fit beside everything else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offsets: dict[int, int] = {}
        self._map: mmap.mmap | None = None
        try:
            size = path.stat().st_size
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}); grade the run first.") from None
        if size == 0:
            return
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        offset = 0
        for number, line in enumerate(iter(self._map.readline, b""), start=1):
            if line.endswith(b"\n") and line.strip():
                # Parsed once for its id, and dropped: the offset is all that is kept. A later grade of an id
                # overwrites.
                self._offsets[hash64(self._parse(line, number).trajectory_id)] = offset
            offset += len(line)

    def get(self, trajectory_id: str) -> Grade | None:
        """The grade of one trajectory, or None."""
        offset = self._offsets.get(hash64(trajectory_id))
        if offset is None or self._map is None:
            return None
        self._map.seek(offset)
        grade = self._parse(self._map.readline(), None)
        return grade if grade.trajectory_id == trajectory_id else None  # another id with the same hash

    def __len__(self) -> int:
        return len(self._offsets)

    def __enter__(self) -> GradeIndex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._map is not None:
            self._map.close()
            self._map = None

    def _parse(self, line: bytes, number: int | None) -> Grade:
        return parse_record(line, Grade, f"{self.path}:{number}" if number else str(self.path))
