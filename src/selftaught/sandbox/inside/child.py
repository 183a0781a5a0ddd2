"""A child's way from the zygote's fork to the first line of model code: every door is shut here, in a fixed order.

Descriptors, mounts, directory, user namespace, death signal, capabilities, limits, Landlock, seccomp last. The order is
forced: each step needs what a later one takes away (mounts need capabilities, Landlock needs a system call that seccomp
denies). Any step that fails ends the child with a message: a child never runs code with a wall missing.

No open file may be shared with another child: an open file has flags, a position and locks of its own, and what one call
leaves there the next one reads. So descriptors 0 to 3 are the child's own and all others are closed.
"""

from __future__ import annotations

import gc
import os
import random
import resource
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass

from . import landlock, namespaces, runner, seccomp, system, wire

RULESET_FD = 4
_NUM_SIGNALS = 1024
_LEAST_BYTES = 64 << 20  # what a child may add to the zygote's address space, whatever its limit


@dataclass
class Plan:
    """What every child of one zygote has in common. Sizes in bytes, times in seconds."""

    tier: int
    zygote_pid: int
    memory_bytes: int
    """Address space of a child, what it has from the zygote included."""
    base_bytes: int
    """Address space of the zygote after its imports."""
    file_bytes: int
    scratch_bytes: int
    num_scratch_inodes: int
    num_files: int
    num_threads: int
    session_cpu_s: int
    """Hard limit of CPU time; the zygote moves the soft one below it."""
    seed: int
    int_max_str_digits: int
    program: bytes
    """Seccomp filter with the pid placeholder; empty below tier 2."""
    read_rules: list[tuple[str, int]]


def enter(plan: Plan, cpu_s: int, control_fd: int, out_fd: int, err_fd: int, scratch: str | None, proc_fd: int) -> None:
    """In a fresh fork: isolate, tell the parent, serve. Never returns. ``proc_fd`` is the zygote's open ``/proc``."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _volunteer(proc_fd)
        os.dup2(control_fd, seccomp.CONTROL_FD)
        os.dup2(out_fd, 1)
        os.dup2(err_fd, 2)
        system.close_from(RULESET_FD + 1)
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=seccomp.CONTROL_FD)
        serve = runner.Runner(control).serve
        _prepare(plan)
        _isolate(plan, cpu_s, scratch)
    except BaseException as error:
        try:
            os.write(seccomp.CONTROL_FD, wire.BROKEN + str(error).encode()[:1000])
        finally:
            os._exit(wire.EXIT_SETUP)
    serve()


def _prepare(plan: Plan) -> None:
    """Undo what the fork or the zygote's life changed in the interpreter."""
    random.seed(plan.seed)
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed(plan.seed % 2**32)
    tempfile.tempdir = None
    gc.enable()


def _volunteer(proc_fd: int) -> None:
    """Be the first to be killed when memory runs out, of the machine or of the cgroup, before the zygote or the caller."""
    try:
        fd = os.open("self/oom_score_adj", os.O_WRONLY, dir_fd=proc_fd)
    except OSError:
        return  # a container without a full /proc
    try:
        os.write(fd, b"1000")
    except OSError:
        pass
    finally:
        os.close(fd)


def _fresh_stdin() -> None:
    """An empty standard input that no other child has: a pipe that nobody writes to. Not ``/dev/null``, which is one inode
    for all, so that a lock on it would show in every child."""
    read_fd, write_fd = os.pipe()
    os.dup2(read_fd, 0)
    os.close(read_fd)
    os.close(write_fd)


def _isolate(plan: Plan, cpu_s: int, scratch: str | None) -> None:
    _fresh_stdin()
    if plan.tier == 1:
        namespaces.mount_scratch(plan.scratch_bytes, plan.num_scratch_inodes)
        os.chdir(namespaces.SCRATCH)
        # A user namespace of its own gives RLIMIT_NPROC a count of its own and leaves no rights over the zygote's.
        system.unshare(system.CLONE_NEWUSER)
    elif scratch is not None:
        os.chdir(scratch)
        os.environ["HOME"] = os.environ["TMPDIR"] = os.environ["MPLCONFIGDIR"] = scratch
    system.prctl(system.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != plan.zygote_pid:
        os._exit(wire.EXIT_SETUP)
    if plan.tier:
        system.drop_capabilities()
        # At tier 2 the zygote looks into /proc for files without a name, which it may not for a process that is not
        # dumpable; there seccomp (ptrace, process_vm_readv) and Landlock (/proc) keep children from each other.
        system.prctl(system.PR_SET_DUMPABLE, int(plan.tier == 2))
    _limit(plan, cpu_s)
    if plan.tier == 1:
        landlock.restrict_self(RULESET_FD)
    os.close(RULESET_FD)
    if plan.tier:
        if plan.tier == 2:
            ruleset = landlock.make_ruleset([*plan.read_rules, (scratch or "", landlock.SCRATCH)])
            landlock.restrict_self(ruleset)
            os.close(ruleset)
        system.install_seccomp(seccomp.for_process(plan.program, os.getpid()))


def _limit(plan: Plan, cpu_s: int) -> None:
    space = max(plan.memory_bytes, plan.base_bytes + _LEAST_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, plan.session_cpu_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (plan.file_bytes, plan.file_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (plan.num_files, plan.num_files))
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))  # 0 would still start a program that core_pattern pipes into
    resource.setrlimit(resource.RLIMIT_SIGPENDING, (_NUM_SIGNALS, _NUM_SIGNALS))  # each is memory of the kernel's
    if plan.tier == 1:
        resource.setrlimit(resource.RLIMIT_NPROC, (plan.num_threads, plan.num_threads))
