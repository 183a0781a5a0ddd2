"""Scratch directories where no mount namespace gives a tmpfs: made, measured and removed by the zygote.

The tree was written by model code, so nothing here follows a link or trusts a depth: directories are taken apart through
descriptors, each subdirectory being moved up to the root first, so no path ever gets longer than two names.
"""

from __future__ import annotations

import os
import stat
import tempfile


def make(root: str) -> str:
    """A new private directory under ``root``."""
    return tempfile.mkdtemp(prefix="call-", dir=root)


def exceeds(path: str, max_bytes: int, max_inodes: int) -> bool:
    """Whether the tree holds more than it may. Polled, so it bounds a runaway and not a burst."""
    total_bytes = num_inodes = 0
    try:
        for _, directories, files, fd in os.fwalk(path, follow_symlinks=False):
            num_inodes += len(directories) + len(files)
            for name in files:
                try:
                    total_bytes += os.stat(name, dir_fd=fd, follow_symlinks=False).st_blocks * 512
                except OSError:
                    continue
            if total_bytes > max_bytes or num_inodes > max_inodes:
                return True
    except (OSError, RecursionError):
        return False
    return False


def remove(path: str) -> None:
    """Remove the tree at ``path``, however deep, whatever its modes."""
    try:
        root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        pending, number = _empty(root, root, [], 0)
        while pending:
            name = pending.pop()
            fd = _open_directory(root, name)
            if fd is None:
                continue
            try:
                pending, number = _empty(fd, root, pending, number)
            finally:
                os.close(fd)
            try:
                os.rmdir(name, dir_fd=root)
            except OSError:
                continue
    finally:
        os.close(root)
    try:
        os.rmdir(path)
    except OSError:
        pass


def _empty(fd: int, root: int, pending: list[str], number: int) -> tuple[list[str], int]:
    """Unlink the files in ``fd`` and move its directories to ``root`` under fresh names."""
    for name in os.listdir(fd):
        try:
            if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                number += 1
                fresh = f".rm-{number}"
                os.chmod(name, 0o700, dir_fd=fd)
                os.rename(name, fresh, src_dir_fd=fd, dst_dir_fd=root)
                pending.append(fresh)
            else:
                os.unlink(name, dir_fd=fd)
        except OSError:
            continue
    return pending, number


def _open_directory(root: int, name: str) -> int | None:
    try:
        os.chmod(name, 0o700, dir_fd=root)
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
    except OSError:
        return None
