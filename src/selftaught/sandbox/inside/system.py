"""System calls that Python lacks, through ctypes, for x86_64 and aarch64 Linux.

Python 3.11 has neither ``os.unshare`` nor any wrapper for mounts, Landlock or seccomp. Every call raises ``OSError``
with the call's name when the kernel says no. Sources: ``include/uapi`` of Linux 6.12.
"""

from __future__ import annotations

import ctypes
import os
import struct

MACHINE = os.uname().machine  # not by `platform`, which would keep the host's name for the children to read

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_NEWTIME = 0x00000080

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECUREBITS = 28
PR_SET_NO_NEW_PRIVS = 38

MOUNT_ATTR_RDONLY = 1
MOUNT_ATTR_NOSUID = 2
MOUNT_ATTR_NODEV = 4

_NUMBERS = {
    "pivot_root": (155, 41),
    "capset": (126, 91),
    "seccomp": (317, 277),
    "close_range": (436, 436),
    "mount_setattr": (442, 442),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
}
_COLUMN = {"x86_64": 0, "aarch64": 1}.get(MACHINE)

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_HUGE_BYTES = 2 << 20
_MADV_COLLAPSE = 25
_SECUREBITS_ALL = 0x2F  # no root, no setuid fix-up, both locked; keep-caps off and locked

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.argtypes = [ctypes.c_long] * 7
_libc.syscall.restype = ctypes.c_long
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.unshare.argtypes = [ctypes.c_int]
_libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4


def supported_machine() -> bool:
    """Whether system call numbers are known for this processor."""
    return _COLUMN is not None


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(name: str, *args: int) -> int:
    """Call ``name`` by number with integer (or address) arguments."""
    if _COLUMN is None:
        raise OSError(38, f"{name}: no system call table for {MACHINE}")
    padded = args + (0,) * (6 - len(args))
    return _check(_libc.syscall(_NUMBERS[name][_COLUMN], *padded), name)


def unshare(flags: int) -> None:
    """Leave the shared namespaces named by ``flags``."""
    _check(_libc.unshare(flags), f"unshare({flags:#x})")


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """``mount(2)``."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    _check(_libc.mount(encoded[0], encoded[1], encoded[2], flags, encoded[3]), f"mount {target}")


def umount(target: str) -> None:
    """Detach the mount at ``target`` and everything under it."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def pivot_root(new_root: str, put_old: str) -> None:
    """Make ``new_root`` the root and hang the old one at ``put_old``."""
    first, second = (
        ctypes.create_string_buffer(os.fsencode(new_root)),
        ctypes.create_string_buffer(os.fsencode(put_old)),
    )
    syscall("pivot_root", ctypes.addressof(first), ctypes.addressof(second))


def restrict_mount(target: str, attributes: int, recursive: bool = True) -> None:
    """Add read-only, nosuid, … to a mount and all mounts under it in one step (Linux 5.12)."""
    path = ctypes.create_string_buffer(os.fsencode(target))
    attr = ctypes.create_string_buffer(struct.pack("<QQQQ", attributes, 0, 0, 0), 32)
    flags = _AT_RECURSIVE if recursive else 0
    syscall("mount_setattr", _AT_FDCWD, ctypes.addressof(path), flags, ctypes.addressof(attr), 32)


def prctl(option: int, value: int) -> None:
    """``prctl(2)`` with one argument."""
    _check(_libc.prctl(option, value, 0, 0, 0), f"prctl({option})")


_cap_header = ctypes.create_string_buffer(struct.pack("<Ii", 0x20080522, 0), 8)
_cap_none = ctypes.create_string_buffer(24)


def drop_capabilities() -> None:
    """Give up every capability for good: secure bits first where we may, then the three sets."""
    try:
        prctl(PR_SET_SECUREBITS, _SECUREBITS_ALL)
    except OSError:
        pass  # without CAP_SETPCAP there is nothing that the bits would stop
    syscall("capset", ctypes.addressof(_cap_header), ctypes.addressof(_cap_none))


def flush_c_streams() -> None:
    """Write out what native code printed through the C library."""
    _libc.fflush(None)


def close_from(lowest_fd: int) -> None:
    """Close every descriptor from ``lowest_fd`` up, in one call."""
    close_range(lowest_fd, 0x7FFFFFFF)


def close_range(lowest_fd: int, highest_fd: int) -> None:
    """Close all descriptors between two numbers, both included."""
    syscall("close_range", lowest_fd, highest_fd, 0)


def collapse_memory(proc_fd: int) -> int:
    """Put this process's private memory into huge pages where the kernel can (Linux 6.1); return how many.

    A fork copies one entry per page: with huge pages it copies 512 times fewer, and most of what a zygote holds is
    never touched again by itself or by its children.
    """
    num_collapsed = 0
    fd = os.open("self/maps", os.O_RDONLY, dir_fd=proc_fd)
    with os.fdopen(fd, encoding="ascii", errors="replace") as file:
        lines = file.readlines()
    for line in lines:
        fields = line.split()
        if fields[1] != "rw-p" or fields[5:] not in ([], ["[heap]"]):
            continue
        start, end = (int(text, 16) for text in fields[0].split("-"))
        for address in range(-(-start // _HUGE_BYTES) * _HUGE_BYTES, end - _HUGE_BYTES + 1, _HUGE_BYTES):
            num_collapsed += _libc.madvise(address, _HUGE_BYTES, _MADV_COLLAPSE) == 0
    return num_collapsed


def install_seccomp(program: bytes) -> None:
    """Install a classic BPF filter on this thread and all it will make. Needs no_new_privs."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer)), 16)
    # SECCOMP_SET_MODE_FILTER with SPEC_ALLOW: no Spectre store-bypass penalty on older kernels.
    syscall("seccomp", 1, 4, ctypes.addressof(header))
