"""Hand edits: the paper edits unreasonable content by hand; here it comes back as one more recorded, undoable change.

``write_editable`` gives a JSON Lines file with each kept trajectory's texts; a person changes texts of model or hint
spans in any editor; ``HandEdits`` reads it back. Only what differs is changed, and only there are tokens encoded anew.
Prompts and tool outputs are what the model was given: editing them is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from selftaught.curation.modify import apply, splice_text
from selftaught.curation.records import KeptRow, Modification
from selftaught.errors import ConfigError, DataError
from selftaught.records import Record, SpanSource, Trajectory
from selftaught.store import read_jsonl, write_records
from selftaught.tokens.cover import TextCodec

RULE = "hand_edit"


class EditableSpan(Record):
    """One span as a person sees it."""

    source: SpanSource
    text: str


class EditableRow(Record):
    """One trajectory as a person edits it. ``digest`` ties the edit to the text that was shown."""

    id: str
    digest: str
    note: str = ""
    """Why it was edited; goes into the record."""
    spans: list[EditableSpan]


def text_digest(trajectory: Trajectory) -> str:
    """First 16 hex digits of a SHA-256 over sources and texts."""
    joined = "\x00".join(f"{span.source}\x01{span.text}" for span in trajectory.spans)
    return hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()[:16]


def editable(trajectory: Trajectory) -> EditableRow:
    """The row that a person gets to edit."""
    spans = [EditableSpan(source=span.source, text=span.text) for span in trajectory.spans]
    return EditableRow(id=trajectory.id, digest=text_digest(trajectory), spans=spans)


def write_editable(kept: Iterable[KeptRow], path: Path) -> int:
    """Write kept rows for editing; return how many."""
    return write_records(path, (editable(row.trajectory) for row in kept))


class HandEdits:
    """Edited rows by trajectory id."""

    def __init__(self, rows: dict[str, EditableRow], path: Path) -> None:
        self._rows = rows
        self._path = path
        self._used: set[str] = set()

    @classmethod
    def load(cls, path: Path) -> HandEdits:
        """Read an edited file; DataError with the line number when a line is no editable row or an id stands twice."""
        rows: dict[str, EditableRow] = {}
        for row in read_jsonl(path, EditableRow):
            if row.id in rows:
                raise DataError(f"{path}: {row.id} stands twice; expected one edit a trajectory.")
            rows[row.id] = row
        return cls(rows, path)

    def apply(self, trajectory: Trajectory, codec: TextCodec | None) -> tuple[Trajectory, list[Modification]]:
        """The trajectory with its edit, if it has one, and the recorded changes."""
        row = self._rows.get(trajectory.id)
        if row is None:
            return trajectory, []
        self._used.add(trajectory.id)
        shown = editable(trajectory)
        if row.digest != shown.digest or [s.source for s in row.spans] != [s.source for s in shown.spans]:
            raise DataError(
                f"{self._path}: {row.id} has another text or other spans than were shown; export it again, edit texts only."
            )
        changes: list[Modification] = []
        for index in range(len(row.spans) - 1, -1, -1):  # from the end, so that earlier indexes stay valid
            span, text = trajectory.spans[index], row.spans[index].text
            if text == span.text:
                continue
            if span.source not in (SpanSource.MODEL, SpanSource.HINT):
                raise DataError(
                    f"{self._path}: {row.id} changes a {span.source} span; expected edits of model or hint text."
                )
            if codec is None:
                raise ConfigError(
                    "hand edits change text; expected a tokenizer to encode it. Name the model with --model."
                )
            start = _common_prefix(span.text, text)
            end = _common_prefix(span.text[start:][::-1], text[start:][::-1])
            after, reencoded = splice_text(span, start, len(span.text) - end, text[start : len(text) - end], codec)
            change = Modification(
                rule=RULE, index=index, before=[span], after=after, reencoded=reencoded, reason=row.note or "by hand"
            )
            trajectory = apply(trajectory, change)
            changes.append(change)
        return trajectory, changes

    def check_all_used(self) -> None:
        """DataError when an edit belongs to no kept trajectory: a silent loss of somebody's work otherwise."""
        unused = sorted(set(self._rows) - self._used)
        if unused:
            raise DataError(
                f"{self._path}: {unused[0]} and {len(unused) - 1} more were not kept; expected ids of kept.jsonl."
            )


def _common_prefix(a: str, b: str) -> int:
    """Number of leading characters that two texts share."""
    for index, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return index
    return min(len(a), len(b))
