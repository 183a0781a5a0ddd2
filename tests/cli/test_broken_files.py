"""A damaged file in a run folder is one clear line for every verb that reads it, never a traceback."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import RunCli

DAMAGE: dict[str, Callable[[list[bytes]], bytes]] = {
    "broken line in the middle": lambda lines: b"\n".join([lines[0], b'{"id": "x", "spa', *lines[1:], b""]),
    "another kind of object": lambda lines: b"\n".join([lines[0], b'{"some": "thing"}', *lines[1:], b""]),
    "no object": lambda lines: b"\n".join([lines[0], b"[1, 2]", *lines[1:], b""]),
    "bytes that are no text": lambda lines: b"\n".join([lines[0], b"\xff\xfe\x00", *lines[1:], b""]),
    "half of a character pair": lambda lines: b"\n".join([lines[0].replace(b'"a', b'"\\ud83da', 1), *lines[1:], b""]),
    "byte order mark": lambda lines: b"\xef\xbb\xbf" + b"\n".join([*lines, b""]),
    "empty": lambda lines: b"",
}

VERBS: dict[str, tuple[str, ...]] = {
    "grade": ("grade", "RUN"),
    "regrade": ("grade", "RUN", "--regrade"),
    "curate": ("curate", "RUN", "--problems", "MINE", "--out", "OUT"),
    "report": ("report", "RUN"),
    "verify": ("verify", "RUN", "--model", "toy"),
    "compare": ("compare", "RUN", "RUN"),
    "rollout": ("rollout", "MINE", "--model", "toy", "--out", "RUN", "--max-tokens", "8", "--workers", "0"),
}


READERS = {
    "trajectories.jsonl": ("grade", "regrade", "curate", "verify", "rollout"),
    "grades.jsonl": ("grade", "curate", "compare"),
    "problems.jsonl": ("grade", "report"),
    "run.json": ("rollout", "verify"),
}
"""Verbs that read a file; each is tried with every damage."""


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", READERS)
def test_no_damage_is_a_traceback(finished: Path, tmp_path: Path, run_cli: RunCli, name: str, damage: str) -> None:
    for verb in READERS[name]:
        if verb == "rollout" and damage == "empty":
            continue  # it does everything again, as it should
        words = VERBS[verb]
        folder = tmp_path / verb
        shutil.copytree(finished, folder)
        file = folder / "run" / name
        file.write_bytes(DAMAGE[damage](file.read_bytes().splitlines()))
        places = {"RUN": folder / "run", "MINE": folder / "mine.jsonl", "OUT": folder / "out"}
        result = run_cli(*(places.get(word, word) for word in words))
        said = result.stderr
        assert "Traceback" not in said, f"{verb}: {said}"
        assert result.exit_code in (0, 1, 2, 3), f"{verb}: {result.exit_code} {said}"
        if damage == "broken line in the middle" and name in ("trajectories.jsonl", "grades.jsonl"):
            assert result.exit_code == 2 and f"{name}:2" in said, f"{verb}: {said}"
        shutil.rmtree(folder)
