"""Scratch directories where no mount namespace gives a tmpfs: made, measured and removed by the zygote.

The tree was written by model code, so nothing here follows a link or trusts a depth: directories are taken apart through
descriptors, each subdirectory being moved up to the root first, so no path ever gets longer than two names.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def make(root: str) -> str:
    """A new private directory under ``root``."""
    return tempfile.mkdtemp(prefix="call-", dir=root)


def measure(path: str, max_inodes: int) -> tuple[int, int]:
    """Bytes on disk and number of names in the tree at ``path``. Polled, so it bounds a runaway and not a burst.

    Goes down through descriptors, however deep, and stops once there are more than ``max_inodes`` names, so the work is
    bounded as well. A tree too deep for our descriptors counts as one name too many.
    """
    total_bytes = num_inodes = 0
    open_folders: list[tuple[int, list[str]]] = []
    try:
        folder = os.open(path, _FOLDER)
        while True:
            below: list[str] = []
            open_folders.append((folder, below))
            names = os.listdir(folder)
            num_inodes += len(names)
            for name in names[: max_inodes + 1]:
                try:
                    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                except OSError:
                    continue  # it has just gone
                total_bytes += status.st_blocks * 512
                if stat.S_ISDIR(status.st_mode):
                    below.append(name)
            if num_inodes > max_inodes:
                break
            next_folder = _next_folder(open_folders)
            if next_folder is None:
                break
            folder = next_folder
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            num_inodes = max_inodes + 1
    finally:
        for fd, _ in open_folders:
            os.close(fd)
    return total_bytes, num_inodes


def _next_folder(open_folders: list[tuple[int, list[str]]]) -> int | None:
    """Open the next folder that has not been looked into; close those that have been, all the way down."""
    while open_folders:
        fd, below = open_folders[-1]
        while below:
            try:
                return os.open(below.pop(), _FOLDER, dir_fd=fd)
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    raise
        os.close(fd)
        open_folders.pop()
    return None


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
