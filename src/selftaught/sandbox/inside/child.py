"""A child's way from the zygote's fork to the first line of model code: every door is shut here, in a fixed order.

Descriptors, mounts, directory, user namespace, death signal, capabilities, limits, Landlock, seccomp last. Any step that
fails ends the child with a message: a child never runs code with a wall missing.
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
_LEAST_BYTES = 64 << 20  # what a child may add to the zygote's address space, whatever its limit
ZYGOTE_PID_IN_NAMESPACE = 1


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


def enter(plan: Plan, cpu_s: int, control_fd: int, out_fd: int, err_fd: int, scratch: str | None) -> None:
    """In a fresh fork: isolate, tell the parent, serve. Never returns."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
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


def _isolate(plan: Plan, cpu_s: int, scratch: str | None) -> None:
    if plan.tier == 1:
        namespaces.mount_scratch(plan.scratch_bytes, plan.num_scratch_inodes)
        os.chdir(namespaces.SCRATCH)
        # A user namespace of its own gives RLIMIT_NPROC a count of its own and leaves no rights over the zygote's.
        system.unshare(system.CLONE_NEWUSER)
    elif scratch is not None:
        os.chdir(scratch)
        os.environ["HOME"] = os.environ["TMPDIR"] = scratch
    system.prctl(system.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != plan.zygote_pid:
        os._exit(wire.EXIT_SETUP)
    if plan.tier:
        system.drop_capabilities()
        system.prctl(system.PR_SET_DUMPABLE, 0)
    _limit(plan, cpu_s)
    if plan.tier:
        if plan.tier == 1:
            landlock.restrict_self(RULESET_FD)
            os.close(RULESET_FD)
        else:
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
    if plan.tier == 1:
        resource.setrlimit(resource.RLIMIT_NPROC, (plan.num_threads, plan.num_threads))
