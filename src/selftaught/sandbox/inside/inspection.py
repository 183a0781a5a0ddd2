"""What the zygote reads in ``/proc``, of itself and, at tier 2, of its children. ``proc_fd`` is an open ``/proc``."""

from __future__ import annotations

import os
import stat


def address_space_bytes(proc_fd: int) -> int:
    """Address space of this process now."""
    return int(_read(proc_fd, "self/statm").split()[0]) * os.sysconf("SC_PAGE_SIZE")


def count_threads(proc_fd: int, pid: int | str = "self") -> int:
    """Threads of a process, native ones included; 0 when it has gone."""
    try:
        return os.stat(f"{pid}/task", dir_fd=proc_fd).st_nlink - 2  # a folder for each
    except OSError:
        return 0


def count_tasks(proc_fd: int) -> int:
    """Threads of all processes of this user: what RLIMIT_NPROC counts."""
    uid, total = os.geteuid(), 0
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=proc_fd)  # what we have is a path only
    try:
        names = [name for name in os.listdir(fd) if name.isdigit()]
    finally:
        os.close(fd)
    for name in names:
        try:
            if os.stat(name, dir_fd=proc_fd).st_uid == uid:
                total += count_threads(proc_fd, name)
        except OSError:
            continue
    return total


def nameless_bytes(proc_fd: int, pid: int, file_bytes: int, mapped: bool) -> int:
    """Disk that a process holds in files that have no name any more, which no walk through folders finds.

    With ``mapped`` also those that only a mapping keeps: their size cannot be read, so each counts as the largest there
    may be, ``file_bytes``.
    """
    total, seen = 0, set()
    try:
        fd = os.open(f"{pid}/fd", os.O_RDONLY | os.O_DIRECTORY, dir_fd=proc_fd)
    except OSError:
        return 0
    try:
        for name in os.listdir(fd):
            try:
                status = os.stat(name, dir_fd=fd)
                nameless = stat.S_ISREG(status.st_mode) and status.st_nlink == 0 and status.st_ino not in seen
                # a standard input is a memory file of ours: no child can make one
                if nameless and not os.readlink(name, dir_fd=fd).startswith("/memfd:"):
                    seen.add(status.st_ino)
                    total += status.st_blocks * 512
            except OSError:
                continue
    except OSError:
        pass
    finally:
        os.close(fd)
    return total + (_mapped_only_bytes(proc_fd, pid, file_bytes, seen) if mapped else 0)


def _mapped_only_bytes(proc_fd: int, pid: int, file_bytes: int, seen: set[int]) -> int:
    try:
        lines = _read(proc_fd, f"{pid}/maps").splitlines()
    except OSError:
        return 0
    inodes = {int(line.split()[4]) for line in lines if line.endswith(b" (deleted)") and b"/memfd:" not in line}
    return file_bytes * len(inodes - seen)


def _read(proc_fd: int, name: str) -> bytes:
    fd = os.open(name, os.O_RDONLY, dir_fd=proc_fd)
    with os.fdopen(fd, "rb") as file:
        return file.read()
