"""Which files of a folder, or of a data set on the hub, are one set of problems.

Files are grouped by folder and split: ``main/train-00000-of-00002.parquet`` belongs to ``main/train``. Training and
test rows are never mixed in silence: where there are several groups, one must be named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from selftaught.errors import ConfigError, DataError
from selftaught.problems.rows import kind_of
from selftaught.runs.names import FILES

_SHARD = re.compile(r"[-_.]?\d+-of-\d+(?:-[0-9a-f]+)?$|[-_.]?\d+$")
_PLAIN_FOLDERS = ("data", ".")
_ALONE = ".json"
"""Taken only where no other kind is there: folders hold many ``.json`` files that are settings."""


def choose_files(names: Iterable[str], wanted: str, source: str) -> list[str]:
    """Files (relative names) of the one group, or of the group or file that ``wanted`` names.

    ConfigError when several groups are there and none is named; DataError when there is no such one.
    """
    usable = sorted(name for name in names if kind_of(PurePosixPath(name)) and not _is_hidden(name))
    if any(kind_of(PurePosixPath(name)) != _ALONE for name in usable):
        usable = [name for name in usable if kind_of(PurePosixPath(name)) != _ALONE or name == wanted]
    groups: dict[str, list[str]] = {}
    for name in usable:
        groups.setdefault(group_of(name), []).append(name)
    if not groups:
        raise DataError(f"{source} holds no problem file; expected .parquet, .jsonl, .json or .csv (also .gz).")
    if wanted in usable:
        return [wanted]
    if wanted:
        chosen = {group: files for group, files in groups.items() if _fits(group, wanted)}
        if not chosen:
            raise DataError(f"{source} holds no {wanted!r}; expected one of {', '.join(groups)}.")
        groups = chosen
    if len(groups) > 1:
        names_shown = ", ".join(list(groups)[:8]) + (", …" if len(groups) > 8 else "")
        raise ConfigError(
            f"{source} holds {len(groups)} sets: {names_shown}; name one, such as {source}/{next(iter(groups))}."
        )
    return next(iter(groups.values()))


def group_of(name: str) -> str:
    """``main/train-00000-of-00002.parquet`` → ``main/train``; ``data/train.jsonl.gz`` → ``train``."""
    path = PurePosixPath(name)
    suffix = kind_of(path) or ""
    stem = path.name.removesuffix(".gz").removesuffix(suffix)
    split = _SHARD.sub("", stem)
    parts = [part for part in path.parent.parts if part not in _PLAIN_FOLDERS]
    return "/".join([*parts, split] if split else parts or [stem])


def local_files(path: Path) -> list[Path] | None:
    """Files that a local path means: the file, or the one group of a folder (``DIR`` or ``DIR/GROUP``). None: no such
    path.

    A run's folder means its ``problems.jsonl``.
    """
    if path.is_file():
        return [path]
    folder, wanted = path, ""
    while not folder.is_dir():
        if folder.parent == folder or folder.parent == Path("."):
            return None
        wanted = f"{folder.name}/{wanted}" if wanted else folder.name
        folder = folder.parent
    if wanted and (kind_of(path) or folder == Path(folder.anchor)):
        return None
    if not wanted and (folder / FILES.problems).is_file():
        return [folder / FILES.problems]
    names = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    if (
        not wanted
        and any(name.endswith(".arrow") for name in names)
        and not any(kind_of(Path(n)) == ".parquet" for n in names)
    ):
        raise DataError(
            f"{folder} was written by save_to_disk; write Parquet instead: dataset.to_parquet('{folder.name}.parquet')."
        )
    return [folder / name for name in choose_files(names, wanted, str(folder))]


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "_")) for part in PurePosixPath(name).parts)


def _fits(group: str, wanted: str) -> bool:
    return group == wanted or group.startswith(f"{wanted}/") or group.endswith(f"/{wanted}")
