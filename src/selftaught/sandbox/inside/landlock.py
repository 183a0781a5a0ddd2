"""Landlock: which files a process may touch, decided by the kernel per inode (Linux 5.13; network 6.7; scopes 6.12).

At tier 1 it stands behind ``pivot_root``; at tier 2 it is the file barrier. Everything that the running kernel can
restrict is restricted; rights that are granted are listed here and nowhere else.

A ruleset names what it *handles* and denies all of that but its rules, so rights must be handled to be denied: which ones
a kernel knows depends on its version, and asking for one that it does not know fails. It is checked when a file is
opened, not when it is used: what a child is to have no part in must not be open when it starts.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from . import system

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << bit for bit in range(6))
_MAKE_DIR, _MAKE_REG, _MAKE_SYM = 1 << 7, 1 << 8, 1 << 12
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15

READ = _READ_FILE | _READ_DIR
DEVICE = _READ_FILE | _WRITE_FILE
READ_ONLY_DEVICE = _READ_FILE
"""For /dev/zero: a *shared* mapping of it that can be written is memory that no limit counts. Without the right to open
it for writing there is none."""
DEVICES = {"null": DEVICE, "zero": READ_ONLY_DEVICE, "urandom": READ_ONLY_DEVICE, "random": READ_ONLY_DEVICE}
SCRATCH = READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM | _REFER | _TRUNCATE

_FILE_ONLY = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_ALL_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_ALL_NEWEST = (1 << 16) - 1
_RULE_PATH_BENEATH = 1


def abi() -> int:
    """Version of Landlock in the running kernel; 0 when it is absent or switched off."""
    try:
        return system.syscall("landlock_create_ruleset", 0, 0, 1)
    except OSError:
        return 0


def make_ruleset(rules: Iterable[tuple[str, int]]) -> int:
    """Make a ruleset that denies all but ``rules`` (path, rights); return its descriptor.

    All TCP, foreign abstract unix sockets and signals to outside are denied where the kernel can.
    A path that does not exist is left out.
    """
    version = abi()
    if version < 1:
        raise OSError(95, "landlock: not available in this kernel")
    handled = _ALL_BY_ABI.get(version, _ALL_NEWEST)
    attr = struct.pack("<QQQ", handled, 3, 3)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    buffer = ctypes.create_string_buffer(attr, len(attr))
    ruleset = system.syscall("landlock_create_ruleset", ctypes.addressof(buffer), len(attr), 0)
    for path, rights in rules:
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            granted = rights & handled
            if not os.path.isdir(path):
                granted &= _FILE_ONLY
            rule = ctypes.create_string_buffer(struct.pack("<Qi", granted, fd), 12)
            system.syscall("landlock_add_rule", ruleset, _RULE_PATH_BENEATH, ctypes.addressof(rule), 0)
        finally:
            os.close(fd)
    return ruleset


def restrict_self(ruleset: int) -> None:
    """Put this thread under ``ruleset`` for good. Needs no_new_privs."""
    system.syscall("landlock_restrict_self", ruleset, 0)
