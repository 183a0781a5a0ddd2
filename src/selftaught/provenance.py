"""Where numbers come from: versions, hardware, the checkout's commit, the command line, digests.

The only module that asks.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import Field

from selftaught.records import Record
from selftaught.version import __version__

PACKAGES = (
    "torch",
    "transformers",
    "accelerate",
    "tokenizers",
    "pydantic",
    "numpy",
    "math-verify",
    "sympy",
    "trl",
    "deepspeed",
)
"""Packages that results depend on."""

DIGEST_CHARS = 16
"""Hex digits of a SHA-256 that are kept."""


class MadeBy(Record):
    """The machine and the software that made something."""

    versions: dict[str, str] = Field(default_factory=dict)
    hardware: dict[str, str] = Field(default_factory=dict)
    git_commit: str = ""
    git_dirty: bool | None = None
    """Whether the checkout had changes; None outside a checkout."""
    command: str = ""


def made_here() -> MadeBy:
    """Of this process."""
    commit, dirty = git_state()
    return MadeBy(versions=versions(), hardware=hardware(), git_commit=commit, git_dirty=dirty, command=command_line())


def command_line() -> str:
    """The command as it could be typed again."""
    return shlex.join(["selftaught", *sys.argv[1:]])


def versions() -> dict[str, str]:
    """Package → version of what is installed, ``python`` and ours too."""
    installed = {name: version_of(name) for name in PACKAGES}
    found = {name: version for name, version in installed.items() if version is not None}
    return {"selftaught": __version__, "python": platform.python_version(), **found}


def version_of(package: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def hardware() -> dict[str, str]:
    """Processor, cores that we may use, memory, system."""
    cpu = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
        memory = Path("/proc/meminfo").read_text().split()[1]
        memory = f"{int(memory) / 2**20:.1f} GiB"
    except (OSError, ValueError, IndexError):
        memory = ""
    return {"cpu": cpu, "cores": str(cores()), "memory": memory, "system": platform.platform()}


def cores() -> int:
    """CPU cores that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


@cache
def git_state() -> tuple[str, bool | None]:
    """Commit of the checkout that the package lies in and whether it has changes; ("", None) outside one."""
    commit = _git("rev-parse", "HEAD")
    status = _git("status", "--porcelain", "--untracked-files=no") if commit else None
    return (commit.strip(), bool(status.strip())) if commit and status is not None else ("", None)


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def digest_of(content: Any) -> str:
    """Digest of anything that JSON can hold; the order of keys does not count."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:DIGEST_CHARS]


def digest_of_texts(texts: Iterable[str]) -> str:
    """Digest of texts in their order."""
    hashed = hashlib.sha256()
    for text in texts:
        hashed.update(f"{text}\x00".encode())
    return hashed.hexdigest()[:DIGEST_CHARS]


def hashed_order(names: Iterable[str], purpose: str) -> list[str]:
    """``names`` in an order that depends on them and on ``purpose`` alone."""

    def key(name: str) -> tuple[bytes, str]:
        return hashlib.blake2b(f"{purpose}\x00{name}".encode(), digest_size=8).digest(), name

    return sorted(names, key=key)


def hash64(text: str) -> int:
    """A 64-bit hash of ``text``, signed, the same in every process: a compact stand-in for an id or a text."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big", signed=True)


def file_digest(path: Path) -> str:
    """Digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGEST_CHARS]
