"""The seccomp filter: an allow-list of system calls, compiled to classic BPF here.

What is not named below gives EPERM. Numbers newer than the table give ENOSYS, so that a new C library falls back; a
foreign architecture or the x32 table kills the process. There are no sockets, no exec, no fork (only threads), no
io_uring, memfd, SysV IPC, ptrace, mount, keys or bpf. Calls that name a process may name the caller only, so each child
gets a filter with its own pid in it (``for_process``): compiled once, the constants patched.

**Why an allow-list**: a kernel gains calls every year, and one that nobody has looked at must be denied. Why EPERM and
not a kill: libraries try calls that they can do without, and a model learns more from an exception than from a corpse.

**Memory**: RLIMIT_AS counts mappings, so whatever holds memory without a mapping must not be had. A *shared* anonymous
mapping is a file without a name: shrink the mapping and its pages stay, uncounted. Record locks are kernel memory, a
hundred bytes each, without any limit; among the threads of one process they never conflict, so to set one does nothing
and succeeds, which is exactly what a program of one process can see of them (sqlite needs that).

The filter sees registers and no memory: a path, or whose file a descriptor is, cannot be told here. That is Landlock's.
The number tests form a binary tree, since the kernel runs the filter over the whole table when it is installed to find
the calls that are always allowed.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from . import system

CONTROL_FD = 3
"""Descriptor of a child's control socket. Model code cannot write to it; it may read its own next cell."""

Instruction = tuple[int, int, int, int]

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOMEM, EINVAL, ENOTTY, ENOSYS, ENOTSUP = 1, 12, 22, 25, 38, 95
_OWN_PID = 0x7EADBEEF  # placeholder, replaced by for_process()

_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_NEWEST = 451  # numbers from here up get ENOSYS

# name: (x86_64, aarch64); -1 where the architecture has no such call
_ALLOWED = {
    "read": (0, 63), "readv": (19, 65), "pread64": (17, 67), "preadv": (295, 69), "preadv2": (327, 286),
    "pwrite64": (18, 68), "pwritev": (296, 70), "close": (3, 57), "close_range": (436, 436),
    "stat": (4, -1), "lstat": (6, -1), "fstat": (5, 80), "newfstatat": (262, 79), "statx": (332, 291),
    "lseek": (8, 62), "poll": (7, -1), "ppoll": (271, 73), "select": (23, -1), "pselect6": (270, 72),
    "mprotect": (10, 226), "munmap": (11, 215), "mremap": (25, 216), "madvise": (28, 233),
    "brk": (12, 214), "mincore": (27, 232), "msync": (26, 227), "membarrier": (324, 283), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136), "rt_sigsuspend": (130, 133),
    "rt_sigtimedwait": (128, 137), "sigaltstack": (131, 132), "pause": (34, -1), "alarm": (37, -1),
    "setitimer": (38, 103), "getitimer": (36, 102), "restart_syscall": (219, 128), "nanosleep": (35, 101),
    "gettimeofday": (96, 169), "time": (201, -1), "times": (100, 153), "getrusage": (98, 165), "sysinfo": (99, 179),
    "getcpu": (309, 168), "getpid": (39, 172), "gettid": (186, 178), "getppid": (110, 173), "getpgrp": (111, -1),
    "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177),
    "getresuid": (118, 148), "getresgid": (120, 150), "getgroups": (115, 158), "umask": (95, 166),
    "uname": (63, 160), "getcwd": (79, 17), "chdir": (80, 49), "fchdir": (81, 50), "rename": (82, -1),
    "renameat": (264, 38), "renameat2": (316, 276), "mkdir": (83, -1), "mkdirat": (258, 34), "rmdir": (84, -1),
    "unlink": (87, -1), "unlinkat": (263, 35), "symlink": (88, -1), "symlinkat": (266, 36), "readlink": (89, -1),
    "readlinkat": (267, 78), "open": (2, -1), "openat": (257, 56), "creat": (85, -1), "access": (21, -1),
    "faccessat": (269, 48), "faccessat2": (439, 439), "chmod": (90, -1), "fchmod": (91, 52), "fchmodat": (268, 53),
    "truncate": (76, 45), "ftruncate": (77, 46), "fallocate": (285, 47), "fadvise64": (221, 223), "utime": (132, -1),
    "utimes": (235, -1), "futimesat": (261, -1), "utimensat": (280, 88), "flock": (73, 32), "fsync": (74, 82),
    "fdatasync": (75, 83), "getdents": (78, -1), "getdents64": (217, 61), "statfs": (137, 43), "fstatfs": (138, 44),
    "pipe": (22, -1), "pipe2": (293, 59), "copy_file_range": (326, 285), "epoll_create": (213, -1),
    "epoll_create1": (291, 20), "epoll_ctl": (233, 21), "epoll_wait": (232, -1), "epoll_pwait": (281, 22),
    "futex": (202, 98), "set_robust_list": (273, 99), "rseq": (334, 293), "set_tid_address": (218, 96),
    "arch_prctl": (158, -1), "sched_yield": (24, 124),
    "sched_get_priority_max": (146, 125), "sched_get_priority_min": (147, 126),
    "getrandom": (318, 278), "exit": (60, 93), "exit_group": (231, 94), "getrlimit": (97, 163),
}  # fmt: skip
_NOT_ON_CONTROL = {"write": (1, 64), "writev": (20, 66), "sendfile": (40, 71), "dup": (32, 23), "dup2": (33, -1),
                   "dup3": (292, 24)}  # fmt: skip
_ONLY_ON_CONTROL = {"sendto": (44, 206), "recvfrom": (45, 207), "recvmsg": (47, 212)}
_ONLY_SELF = {"kill": (62, 129), "tgkill": (234, 131)}
_ONLY_SELF_OR_ZERO = {"getpgid": (121, 155), "getsid": (124, 156), "sched_getparam": (143, 121),
                      "sched_getscheduler": (145, 120), "sched_getaffinity": (204, 123)}  # fmt: skip
_CLOCKS = {"clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115)}
_NUM_CLOCKS = 16  # of the machine and of the caller; a clock of another process has a number near 2**32
_GETPRIORITY, _PRLIMIT, _CLONE, _MMAP = (140, 141), (302, 261), (56, 220), (9, 222)
_PRCTL, _IOCTL, _FCNTL = (157, 167), (16, 29), (72, 25)
_ABSENT = {"clone3": (435, 435), "openat2": (437, 437), "futex_waitv": (449, 449), "pwritev2": (328, 287)}
_UNSUPPORTED = {"setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "getxattr": (191, 8),
                "lgetxattr": (192, 9), "fgetxattr": (193, 10), "listxattr": (194, 11), "llistxattr": (195, 12),
                "flistxattr": (196, 13), "removexattr": (197, 14), "lremovexattr": (198, 15),
                "fremovexattr": (199, 16)}  # fmt: skip

_METADATA = {"chmod": (90, -1), "fchmod": (91, 52), "fchmodat": (268, 53), "utime": (132, -1), "utimes": (235, -1),
             "futimesat": (261, -1), "utimensat": (280, 88)}  # fmt: skip
_OPEN, _CREAT, _OPENAT, _TRUNCATE = (2, -1), (85, -1), (257, 56), (76, 45)
_O_ACCMODE, _O_TRUNC = 3, 0x200

_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = 0x7E020080
_MAP_SHARED, _MAP_ANONYMOUS, _MAP_STACK = 1, 0x20, 0x20000
_MIN_STACK_BYTES = 1 << 20
_PRCTL_OPTIONS = (15, 16)  # set and get the thread's name
_IOCTL_REQUESTS = (0x5421, 0x541B, 0x5450, 0x5451)  # FIONBIO, FIONREAD, FIONCLEX, FIOCLEX
_FCNTL_COMMANDS = (1, 2, 3, 4, 5, 36, 1032, 1034)  # flags, look at locks, sizes; no owner, signal, lease, notify
_FCNTL_SET_LOCK, _FCNTL_SET_OFD_LOCK = (6, 7), (37, 38)
_FCNTL_DUP = (0, 1030)

_LD, _JEQ, _JGE, _JSET, _JA, _RET = 0x20, 0x15, 0x35, 0x45, 0x05, 0x06


def _ret(value: int) -> Instruction:
    return (_RET, 0, 0, value)


def _errno(number: int) -> list[Instruction]:
    return [_ret(_ERRNO | number)]


def _load(argument: int, high: bool = False) -> Instruction:
    return (_LD, 0, 0, 16 + 8 * argument + (4 if high else 0))


def _one_of(argument: int, values: Sequence[int], otherwise: int = EPERM) -> list[Instruction]:
    """Allow when the low half of an argument is one of ``values``."""
    tests = [(_JEQ, len(values) - index, 0, value) for index, value in enumerate(values)]
    return [_load(argument), *tests, *_errno(otherwise), _ret(_ALLOW)]


def _none_of(argument: int, values: Sequence[int]) -> list[Instruction]:
    tests = [(_JEQ, len(values) - index, 0, value) for index, value in enumerate(values)]
    return [_load(argument), *tests, _ret(_ALLOW), *_errno(EPERM)]


def _no_truncating_read(argument: int) -> list[Instruction]:
    """Deny O_TRUNC on an open for reading, which truncates all the same."""
    return [
        _load(argument), (_JSET, 0, 2, _O_TRUNC), (_JSET, 1, 0, _O_ACCMODE), *_errno(EPERM), _ret(_ALLOW),
    ]  # fmt: skip


def _fcntl() -> list[Instruction]:
    """Descriptor flags and copies, but no copy of the control socket; see the module for locks."""
    checks = [
        *[(value, _ret(_ALLOW)) for value in _FCNTL_COMMANDS],
        *[(value, _ret(_ERRNO)) for value in _FCNTL_SET_LOCK],  # an error of number 0: not done, and reported as done
        *[(value, _ret(_ERRNO | EINVAL)) for value in _FCNTL_SET_OFD_LOCK],  # as a kernel without them
    ]
    tests = [instruction for value, verdict in checks for instruction in ((_JEQ, 0, 1, value), verdict)]
    return [
        _load(1), *tests, (_JEQ, 2, 0, _FCNTL_DUP[0]), (_JEQ, 1, 0, _FCNTL_DUP[1]), *_errno(EPERM),
        _load(0), (_JEQ, 1, 0, CONTROL_FD), _ret(_ALLOW), *_errno(EPERM),
    ]  # fmt: skip


def _large_stack() -> list[Instruction]:
    """With the flags of ``mmap`` loaded: no thread stack under 1 MiB where RLIMIT_NPROC has no count of its own, so that
    the address space limit bounds the threads that come by way of the C library."""
    return [
        (_JSET, 0, 4, _MAP_STACK), _load(1, high=True), (_JEQ, 0, 2, 0), _load(1),
        (_JGE, 0, 1, _MIN_STACK_BYTES), _ret(_ALLOW), *_errno(ENOMEM),
    ]  # fmt: skip


def _actions(own_root: bool, guard_truncation: bool) -> dict[tuple[int, int], list[Instruction]]:
    """Block of instructions per system call."""
    allow = [_ret(_ALLOW)]
    table: dict[tuple[int, int], list[Instruction]] = {}
    for group, block in (
        (_ALLOWED, allow),
        (_NOT_ON_CONTROL, _none_of(0, [CONTROL_FD])),
        (_ONLY_ON_CONTROL, _one_of(0, [CONTROL_FD])),
        (_ONLY_SELF, _one_of(0, [_OWN_PID])),
        (_ONLY_SELF_OR_ZERO, _one_of(0, [0, _OWN_PID])),
        (_ABSENT, _errno(ENOSYS)),
        (_UNSUPPORTED, _errno(ENOTSUP)),
    ):
        table.update(dict.fromkeys(group.values(), block))
    known_clock = [_load(0), (_JGE, 0, 1, _NUM_CLOCKS), *_errno(EINVAL), _ret(_ALLOW)]
    table.update(dict.fromkeys(_CLOCKS.values(), known_clock))
    table[_GETPRIORITY] = [_load(0), (_JEQ, 1, 0, 0), *_errno(EPERM), *_one_of(1, [0, _OWN_PID])]
    table[_PRCTL] = _one_of(0, _PRCTL_OPTIONS)
    table[_IOCTL] = _one_of(1, _IOCTL_REQUESTS, otherwise=ENOTTY)
    # reading limits is fine, setting them (a new-limit pointer) is not
    table[_PRLIMIT] = [
        _load(2), (_JEQ, 0, 6, 0), _load(2, high=True), (_JEQ, 0, 4, 0),
        _load(0), (_JEQ, 1, 0, 0), (_JEQ, 0, 1, _OWN_PID), _ret(_ALLOW), *_errno(EPERM),
    ]  # fmt: skip
    table[_CLONE] = [
        _load(0), (_JSET, 2, 0, _CLONE_NAMESPACES), (_JSET, 0, 1, _CLONE_THREAD), _ret(_ALLOW), *_errno(EPERM),
    ]  # fmt: skip
    table[_FCNTL] = _fcntl()
    if not own_root:  # Landlock does not watch modes and times, and the files of the host are in reach
        table.update(dict.fromkeys(_METADATA.values(), _errno(EPERM)))
    if guard_truncation:
        table[_OPEN], table[_OPENAT] = _no_truncating_read(1), _no_truncating_read(2)
        table[_TRUNCATE] = _errno(EPERM)
    table[_MMAP] = [
        _load(3), (_JSET, 0, 2, _MAP_ANONYMOUS), (_JSET, 0, 1, _MAP_SHARED), *_errno(EPERM),
        *(allow if own_root else _large_stack()),
    ]  # fmt: skip
    return table


def _tree(cells: list[tuple[int, list[Instruction]]]) -> list[Instruction]:
    """Binary search over (lowest number, block) cells sorted by number, for the number in the accumulator."""
    if len(cells) == 1:
        return cells[0][1]
    middle = len(cells) // 2
    left, right = _tree(cells[:middle]), _tree(cells[middle:])
    boundary = cells[middle][0]
    if len(left) <= 255:
        return [(_JGE, len(left), 0, boundary), *left, *right]
    return [(_JGE, 0, 1, boundary), (_JA, 0, 0, len(left)), *left, *right]


def compile_filter(machine: str = system.MACHINE, own_root: bool = True, guard_truncation: bool = False) -> bytes:
    """The filter for ``machine``, with a placeholder where the child's own pid goes.

    ``own_root`` says that the child sees a root and a user namespace of its own (tier 1). Without, modes and times of
    files cannot be changed, since Landlock does not guard them, and thread stacks under 1 MiB are refused, which bounds
    the threads where RLIMIT_NPROC has no count of its own. ``guard_truncation`` covers for Landlock before version 3.
    """
    column = ("x86_64", "aarch64").index(machine)
    table = _actions(own_root, guard_truncation)
    blocks = {numbers[column]: block for numbers, block in table.items() if numbers[column] >= 0}
    return assemble(machine, blocks, otherwise=_errno(EPERM), newer=_errno(ENOSYS))


def assemble(
    machine: str, blocks: dict[int, list[Instruction]], otherwise: list[Instruction], newer: list[Instruction]
) -> bytes:
    """A filter from a block of instructions per system call number; ``newer`` is for numbers beyond the table."""
    cells: list[tuple[int, list[Instruction]]] = []
    for number in range(_NEWEST):
        block = blocks.get(number, otherwise)
        if not cells or cells[-1][1] != block:
            cells.append((number, block))
    cells.append((_NEWEST, newer))
    head: list[Instruction] = [(_LD, 0, 0, 4), (_JEQ, 1, 0, _ARCH[machine]), _ret(_KILL), (_LD, 0, 0, 0)]
    if machine == "x86_64":
        head += [(_JGE, 0, 1, 0x40000000), _ret(_KILL)]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in [*head, *_tree(cells)])


_PLACEHOLDER = struct.pack("<I", _OWN_PID)


def for_process(program: bytes, pid: int) -> bytes:
    """The same filter for the process whose own number is ``pid``."""
    return program.replace(_PLACEHOLDER, struct.pack("<I", pid))
