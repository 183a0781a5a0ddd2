"""Tier 1's walls, put up once per zygote: namespaces, and a root that holds only what Python needs to run.

Two ways in. As root with CAP_SYS_ADMIN the new root is built first, because the Python prefix may lie under a home that
only root can enter; then the uid is dropped and the user namespace made. As anyone else the user namespace comes first
and gives the right to build the root. Both end in the same place: uid 65534, a read-only tmpfs as root with recursive
read-only binds, no ``/proc``, no network device but a downed loopback, capabilities in this user namespace only.

Why ``pivot_root`` and not ``chroot``: after it the old root is unmounted, so there is no way back even for a process that
may mount. Why once per zygote: making these namespaces takes longer than a call; what must be each child's own (scratch,
the count of threads) is made after the fork. The pid namespace is common to the children of a zygote, since as process
1 of its own a child could not even kill itself; that they cannot touch each other is seccomp's and Landlock's doing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from . import landlock, system

NOBODY = 65534
SCRATCH_PARENT = "/sandbox"
SCRATCH = "/sandbox/tmp"

_ALL = (
    system.CLONE_NEWUSER
    | system.CLONE_NEWNS
    | system.CLONE_NEWPID
    | system.CLONE_NEWNET
    | system.CLONE_NEWIPC
    | system.CLONE_NEWUTS
    | system.CLONE_NEWCGROUP
)
_BASE = "/tmp"
_OLD = "/.old"


def enter(read_paths: Sequence[str], proc_fd: int) -> None:
    """Move this single-threaded process into the namespaces; the next fork is process 1 of the new pid namespace.

    ``proc_fd`` is an open ``/proc``, needed for the uid map after the old root has gone. Raises OSError naming the step.
    """
    uid, gid = os.geteuid(), os.getegid()
    root_built = False
    if uid == 0:
        try:
            system.unshare(system.CLONE_NEWNS)
            _build_root(read_paths)
            root_built = True
        except PermissionError:
            pass  # root without CAP_SYS_ADMIN: go the way of everyone else
    if root_built:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        system.prctl(system.PR_SET_DUMPABLE, 1)  # else uid_map belongs to root
        uid = gid = NOBODY
    system.unshare(_ALL)
    _write(proc_fd, "self/setgroups", "deny")
    _write(proc_fd, "self/uid_map", f"{NOBODY} {uid} 1")
    _write(proc_fd, "self/gid_map", f"{NOBODY} {gid} 1")
    if not root_built:
        _build_root(read_paths)
    socket.sethostname("sandbox")


def device_rules() -> list[tuple[str, int]]:
    """Landlock rules for the devices."""
    return [(f"/dev/{name}", rights) for name, rights in landlock.DEVICES.items()]


def mount_scratch(size_bytes: int, num_inodes: int) -> None:
    """In a child: a mount namespace of its own with an empty, size-limited tmpfs at ``SCRATCH``."""
    system.unshare(system.CLONE_NEWNS)
    flags = system.MS_NOSUID | system.MS_NODEV | system.MS_NOEXEC
    system.mount("scratch", SCRATCH, "tmpfs", flags, f"size={size_bytes},nr_inodes={num_inodes},mode=700")


def _build_root(read_paths: Sequence[str]) -> None:
    system.mount(None, "/", None, system.MS_REC | system.MS_PRIVATE)
    system.mount("root", _BASE, "tmpfs", system.MS_NOSUID | system.MS_NODEV, "size=1m,mode=755")
    os.mkdir(_BASE + _OLD)
    system.pivot_root(_BASE, _BASE + _OLD)
    os.chdir("/")
    for path in read_paths:
        _bind_path(path)
    os.makedirs("/dev", exist_ok=True)
    for name in landlock.DEVICES:
        if os.path.exists(f"{_OLD}/dev/{name}"):
            os.close(os.open(f"/dev/{name}", os.O_CREAT | os.O_WRONLY, 0o644))
            system.mount(f"{_OLD}/dev/{name}", f"/dev/{name}", None, system.MS_BIND)
    os.makedirs(SCRATCH)
    system.umount(_OLD)
    os.rmdir(_OLD)
    system.restrict_mount("/", system.MOUNT_ATTR_RDONLY | system.MOUNT_ATTR_NOSUID)


def _bind_path(path: str) -> None:
    """Bind ``path`` of the old root to the same place in the new one; a symbolic link is copied as a link."""
    old = _OLD + path
    if not os.path.lexists(old):
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.islink(old):
        if not os.path.lexists(path):
            os.symlink(os.readlink(old), path)
        return
    if os.path.isdir(old):
        os.makedirs(path, exist_ok=True)
    elif not os.path.exists(path):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    system.mount(old, path, None, system.MS_BIND | system.MS_REC)


def _write(proc_fd: int, name: str, text: str) -> None:
    fd = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc_fd)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        raise OSError(error.errno, f"write {name}: {error.strerror}") from None
    finally:
        os.close(fd)
