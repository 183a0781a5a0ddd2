"""The seccomp filter, run by a small BPF interpreter: both architectures are checked wherever the tests run."""

from __future__ import annotations

import struct

import pytest

from selftaught.sandbox.inside import seccomp

ALLOW, KILL, EPERM, ENOSYS, ENOTTY, ENOMEM, EINVAL = (
    0x7FFF0000, 0x80000000, 0x50001, 0x50026, 0x50019, 0x5000C, 0x50016)  # fmt: skip
DONE_WITHOUT_DOING = 0x50000
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
COLUMN = {"x86_64": 0, "aarch64": 1}
OWN_PID = 4242


def decide(program: bytes, machine: str, number: int, *args: int) -> int:
    """What the filter says to one system call."""
    padded = [*args, *[0] * (6 - len(args))]
    data = struct.pack("<iIQ6Q", number, ARCH[machine], 0, *(value & 0xFFFFFFFFFFFFFFFF for value in padded))
    accumulator, position = 0, 0
    while True:
        code, jump_true, jump_false, value = struct.unpack_from("<HBBI", program, 8 * position)
        position += 1
        if code == 0x06:
            return value
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif code == 0x05:
            position += value
        else:
            met = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            position += jump_true if met else jump_false


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def compiled(machine: str, **options: bool) -> bytes:
    return seccomp.for_process(seccomp.compile_filter(machine, **options), OWN_PID)


def numbers(machine: str, **named: tuple[int, int]) -> dict[str, int]:
    return {name: pair[COLUMN[machine]] for name, pair in named.items() if pair[COLUMN[machine]] >= 0}


def test_every_number_of_the_table_is_decided(machine: str) -> None:
    program = compiled(machine)
    allowed = {pair[COLUMN[machine]] for pair in seccomp._ALLOWED.values()} - {-1}
    for number in range(600):
        verdict = decide(program, machine, number)
        assert verdict in (ALLOW, EPERM, ENOSYS, ENOTTY, 0x5005F)
        if number in allowed:
            assert verdict == ALLOW


def test_what_must_never_be_allowed(machine: str) -> None:
    program = compiled(machine)
    table = numbers(
        machine, socket=(41, 198), socketpair=(53, 199), connect=(42, 203), execve=(59, 221), execveat=(322, 281),
        fork=(57, -1), vfork=(58, -1), ptrace=(101, 117), mount=(165, 40), unshare=(272, 97), setns=(308, 268),
        pivot_root=(155, 41), io_uring_setup=(425, 425), memfd_create=(319, 279), bpf=(321, 280), keyctl=(250, 219),
        shmget=(29, 194), seccomp=(317, 277), landlock_restrict_self=(446, 446), process_vm_readv=(310, 270),
        pidfd_open=(434, 434), setrlimit=(160, 164), setpriority=(141, 140), sched_setaffinity=(203, 122),
        link=(86, -1), linkat=(265, 37), mknodat=(259, 33), chroot=(161, 51), sendmsg=(46, 211), setuid=(105, 146),
        perf_event_open=(298, 241), userfaultfd=(323, 282), timer_create=(222, 107), setsid=(112, 157),
    )  # fmt: skip
    assert {name for name, number in table.items() if decide(program, machine, number) != EPERM} == set()


def test_foreign_tables_kill(machine: str) -> None:
    program = compiled(machine)
    other = "aarch64" if machine == "x86_64" else "x86_64"
    assert decide(program, other, 0) == KILL
    if machine == "x86_64":
        assert decide(program, machine, 0x40000000 + 39) == KILL
    assert decide(program, machine, 460) == ENOSYS


def test_signals_reach_oneself_only(machine: str) -> None:
    program = compiled(machine)
    kill = (62, 129)[COLUMN[machine]]
    assert decide(program, machine, kill, OWN_PID, 9) == ALLOW
    for pid in (0, 1, -1, OWN_PID + 1, -OWN_PID):
        assert decide(program, machine, kill, pid, 9) == EPERM


def test_threads_but_no_processes(machine: str) -> None:
    program = compiled(machine)
    clone = (56, 220)[COLUMN[machine]]
    assert decide(program, machine, clone, 0x3D0F00) == ALLOW  # what pthread_create passes
    assert decide(program, machine, clone, 0x11) == EPERM  # fork
    assert decide(program, machine, clone, 0x3D0F00 | 0x10000000) == EPERM  # a user namespace
    assert decide(program, machine, 435) == ENOSYS


def test_the_control_socket_cannot_be_written_or_copied(machine: str) -> None:
    program = compiled(machine)
    column = COLUMN[machine]
    for name, pair in seccomp._NOT_ON_CONTROL.items():
        if pair[column] >= 0:
            assert decide(program, machine, pair[column], seccomp.CONTROL_FD) == EPERM, name
            assert decide(program, machine, pair[column], 1) == ALLOW, name
    for name, pair in seccomp._ONLY_ON_CONTROL.items():
        assert decide(program, machine, pair[column], seccomp.CONTROL_FD) == ALLOW, name
        assert decide(program, machine, pair[column], 5) == EPERM, name
    fcntl = seccomp._FCNTL[column]
    assert decide(program, machine, fcntl, 3, 0) == EPERM
    assert decide(program, machine, fcntl, 4, 0) == ALLOW
    assert decide(program, machine, fcntl, 4, 8) == EPERM
    assert decide(program, machine, fcntl, 3, 3) == ALLOW


def test_no_shared_memory_without_a_file(machine: str) -> None:
    for options in ({}, {"own_root": False}):
        program = compiled(machine, **options)
        mmap = seccomp._MMAP[COLUMN[machine]]
        for flags in (
            0x21,
            0x23,
            0x21 | 0x40000,
            0x21 | 0x8000,
            0x21 | 0x20000,
        ):  # shared, validated, huge, populated, a stack
            assert decide(program, machine, mmap, 0, 8 << 20, 3, flags) == EPERM, hex(flags)
        for flags in (0x22, 0x02, 0x01, 0x20022):  # private, private and shared mappings of a file, a stack
            assert decide(program, machine, mmap, 0, 8 << 20, 3, flags) == ALLOW, hex(flags)


def test_record_locks_take_no_memory(machine: str) -> None:
    program = compiled(machine)
    fcntl = seccomp._FCNTL[COLUMN[machine]]
    assert {decide(program, machine, fcntl, 5, command) for command in (6, 7)} == {DONE_WITHOUT_DOING}
    assert {decide(program, machine, fcntl, 5, command) for command in (37, 38)} == {EINVAL}
    assert {decide(program, machine, fcntl, 5, command) for command in (1, 2, 3, 4, 5, 36, 1032, 1034)} == {ALLOW}
    for command in (
        8,
        9,
        10,
        11,
        15,
        16,
        1024,
        1025,
        1026,
        1031,
        1033,
    ):  # owners, signals, leases, notices, pipe sizes, seals
        assert decide(program, machine, fcntl, 5, command) == EPERM, command


def test_clocks_and_priorities_of_others_cannot_be_read(machine: str) -> None:
    program = compiled(machine)
    for name, pair in seccomp._CLOCKS.items():
        number = pair[COLUMN[machine]]
        assert {decide(program, machine, number, clock) for clock in range(12)} == {ALLOW}, name
        for pid in (1, 2, OWN_PID, 1 << 20):
            for kind in range(8):
                assert decide(program, machine, number, (~pid << 3) | kind) == EINVAL, (name, pid, kind)
    getpriority = seccomp._GETPRIORITY[COLUMN[machine]]
    assert decide(program, machine, getpriority, 0, 0) == ALLOW
    assert decide(program, machine, getpriority, 0, OWN_PID) == ALLOW
    assert [decide(program, machine, getpriority, which, 0) for which in (1, 2)] == [EPERM, EPERM]
    assert decide(program, machine, getpriority, 0, 1) == EPERM
    affinity = (204, 123)[COLUMN[machine]]
    assert [decide(program, machine, affinity, pid) for pid in (0, OWN_PID, 1)] == [ALLOW, ALLOW, EPERM]


def test_limits_can_be_read_not_set(machine: str) -> None:
    program = compiled(machine)
    prlimit = seccomp._PRLIMIT[COLUMN[machine]]
    assert decide(program, machine, prlimit, 0, 9, 0, 0x7FFF00000000) == ALLOW
    assert decide(program, machine, prlimit, OWN_PID, 9, 0, 1) == ALLOW
    assert decide(program, machine, prlimit, 0, 9, 0x7FFF00000000, 0) == EPERM
    assert decide(program, machine, prlimit, 1, 9, 0, 1) == EPERM


def test_tier_2_guards_what_landlock_does_not(machine: str) -> None:
    program = compiled(machine, own_root=False, guard_truncation=True)
    column = COLUMN[machine]
    for name, pair in seccomp._METADATA.items():
        if pair[column] >= 0:
            assert decide(program, machine, pair[column]) == EPERM, name
    openat = seccomp._OPENAT[column]
    assert decide(program, machine, openat, -100, 0, 0o1000) == EPERM  # O_RDONLY | O_TRUNC
    assert decide(program, machine, openat, -100, 0, 0o1001) == ALLOW
    assert decide(program, machine, openat, -100, 0, 0) == ALLOW
    mmap = seccomp._MMAP[column]
    assert decide(program, machine, mmap, 0, 65536, 0, 0x20022) == ENOMEM
    assert decide(program, machine, mmap, 0, 8 << 20, 0, 0x20022) == ALLOW
    assert decide(program, machine, mmap, 0, 5 << 32, 0, 0x20022) == ALLOW
    assert decide(program, machine, mmap, 0, 65536, 3, 0x22) == ALLOW
