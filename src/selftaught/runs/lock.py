"""A folder's writer lock: one writer a folder, whatever verb or API call it is.

The lock is a flock of the operating system on a small file. The system releases it when the process that holds it ends,
even by SIGKILL, so no stale lock is ever left. The file's content says who holds it. Readers never ask for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType

from selftaught.errors import ConfigError
from selftaught.records import utc_now
from selftaught.runs.folders import not_writable

_RETRY_S = 0.1

_held: dict[int, Path] = {}
"""Open files of the locks that this process holds."""


class WriterLock:
    """Holds ``path`` as long as the context lasts. ConfigError, exit code 2, when another writer holds it.

    ``verb`` names what the writer does, ``option`` what the user gave the folder by. ``wait_s`` waits so long for a
    predecessor that is just being killed.
    """

    def __init__(self, path: Path, verb: str, *, option: str = "--out", wait_s: float = 0.0) -> None:
        self.path, self.verb, self._option, self._wait_s = path, verb, option, wait_s
        self._fd = -1

    def __enter__(self) -> WriterLock:
        deadline = time.monotonic() + self._wait_s
        while not self._take():
            if time.monotonic() >= deadline:
                raise ConfigError(refusal(self.path))
            time.sleep(_RETRY_S)
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "verb": self.verb, "since": utc_now()}
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, json.dumps(holder).encode() + b"\n", 0)
        _held[self._fd] = self.path
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if _held.pop(self._fd, None) is not None:
            fcntl.flock(self._fd, fcntl.LOCK_UN)  # a child that was forked this instant may still share the file
            os.close(self._fd)
        self._fd = -1

    def _take(self) -> bool:
        """Lock the file that now stands at the path; a file that was replaced meanwhile does not count.

        Between the opening and the lock, the folder may have been deleted and made anew (``--fresh``). Then we would
        hold a file that nobody else can see, and a second writer would lock the new one.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise not_writable(self.path.parent, error, self._option) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stood = os.fstat(fd)
            there = os.stat(self.path)
            if (stood.st_dev, stood.st_ino) == (there.st_dev, there.st_ino):
                self._fd = fd
                return True
        except (BlockingIOError, FileNotFoundError):
            pass
        except OSError as error:
            os.close(fd)
            raise ConfigError(
                f"{self.path.parent} cannot be locked ({error.strerror}), and without a lock two writers would mix their "
                "rows; name a folder on another disk."
            ) from None
        os.close(fd)
        return False


def refusal(path: Path) -> str:
    """Why a second writer is refused, in one line."""
    try:
        holder = json.loads(path.read_text("utf-8"))
        who = f"process {holder['pid']} on {holder['host']} (selftaught {holder['verb']}, since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        who = "another process"
    return f"{path.parent} is being written by {who}; wait for it or stop it, or name another folder."


def _forget_in_child() -> None:
    """A fork shares its parent's locks; it lets go of them, so that they end with the parent."""
    for fd in list(_held):
        with contextlib.suppress(OSError):
            os.close(fd)
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)
