"""Start of the zygote's process: ``python -s -P __main__.py FD`` with one JSON line of settings on that socket.

It walls itself in first, then forks once (process 1 of the new pid namespace at tier 1) and imports inside the walls, so
what children will need is proven to be reachable there. The first process only waits, so that nobody inherits an orphan.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

# Run by path, not as part of ``selftaught``: that package's imports are not wanted in here.
_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(_HERE))
from inside import child, compat, figures, inspection, landlock, namespaces, scratch, seccomp, system, zygote  # noqa: E402

sys.path.pop(0)

_LOWEST_KEPT_FD = 10
_MAX_WAITS, _WAIT_S = 50, 0.01


def main() -> None:
    """Read the settings, isolate, fork, import, serve."""
    start_fd = int(sys.argv[1])
    os.dup2(start_fd, seccomp.CONTROL_FD)
    system.close_from(seccomp.CONTROL_FD + 1)
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=seccomp.CONTROL_FD)
    settings = json.loads(control.recv(65536))
    # kept for good, so out of the way of the descriptors that children number
    proc_fd = fcntl.fcntl(os.open("/proc", os.O_PATH | os.O_DIRECTORY), fcntl.F_DUPFD_CLOEXEC, _LOWEST_KEPT_FD)
    system.close_range(seccomp.CONTROL_FD + 1, _LOWEST_KEPT_FD - 1)
    tier = settings["tier"]
    zygote.raise_descriptor_limit()
    system.prctl(system.PR_SET_NO_NEW_PRIVS, 1)
    os.umask(0o022)
    scratch_root = None
    try:
        if tier == 1:
            namespaces.enter(settings["read_paths"], proc_fd)
        else:
            scratch_root = _leave_root(settings["scratch_root"], settings["read_paths"], tier)
    except OSError as error:
        zygote.die(control, str(error))
    pid = os.fork()
    if pid:
        _wait(control, pid, scratch_root)
    system.prctl(system.PR_SET_PDEATHSIG, signal.SIGKILL)
    _serve(control, settings, proc_fd, scratch_root)


def _leave_root(scratch_root: str, read_paths: list[str], tier: int) -> str:
    """Below tier 1: give up root where the Python files stay readable, and every capability in any case."""
    root = scratch.make(scratch_root)
    if tier and os.geteuid() == 0:
        try:
            directories = [path for path in read_paths if os.path.isdir(path)]
            pid = os.fork()
            if pid == 0:
                os.setresgid(namespaces.NOBODY, namespaces.NOBODY, namespaces.NOBODY)
                os.setresuid(namespaces.NOBODY, namespaces.NOBODY, namespaces.NOBODY)
                readable = all(os.access(path, os.R_OK | os.X_OK) for path in directories)
                os._exit(0 if readable else 1)
            if os.waitpid(pid, 0)[1] == 0:
                os.chown(root, namespaces.NOBODY, namespaces.NOBODY)
                os.setgroups([])
                os.setresgid(namespaces.NOBODY, namespaces.NOBODY, namespaces.NOBODY)
                os.setresuid(namespaces.NOBODY, namespaces.NOBODY, namespaces.NOBODY)
                system.prctl(system.PR_SET_DUMPABLE, 1)
        except PermissionError:
            pass
    return root


def _wait(control: socket.socket, pid: int, scratch_root: str | None) -> None:
    """The first process: wait for the zygote and end as it ended."""
    control.close()
    while True:
        try:
            _, status = os.waitpid(pid, 0)
            break
        except InterruptedError:
            continue
    if scratch_root:
        scratch.remove(scratch_root)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


@contextlib.contextmanager
def _writable(tier: int, scratch_root: str | None) -> Iterator[None]:
    """A place to write to while modules are imported: matplotlib makes its list of fonts there. It is empty and gone after."""
    if tier == 1:
        place = namespaces.SCRATCH
        system.mount("scratch", place, "tmpfs", system.MS_NOSUID | system.MS_NODEV, "size=16m,mode=700")
    else:
        place = scratch.make(scratch_root or "/tmp")
    kept = {name: os.environ.get(name, "") for name in ("HOME", "TMPDIR", "MPLCONFIGDIR")}
    os.environ.update(dict.fromkeys(kept, place))
    try:
        yield
    finally:
        os.environ.update(kept)
        system.umount(place) if tier == 1 else scratch.remove(place)


def _is_alone(proc_fd: int) -> bool:
    """Whether no thread but this one is there. One that an import started and has told to end gets a moment."""
    for _ in range(_MAX_WAITS):
        if inspection.count_threads(proc_fd) == 1:
            return True
        time.sleep(_WAIT_S)
    return False


def _filter(tier: int) -> bytes:
    if tier == 0:
        return b""
    return seccomp.compile_filter(own_root=tier == 1, guard_truncation=tier != 1 and landlock.abi() < 3)


def _serve(control: socket.socket, settings: dict[str, Any], proc_fd: int, scratch_root: str | None) -> None:
    tier = settings["tier"]
    sys.set_int_max_str_digits(settings["int_max_str_digits"])
    os.environ.clear()
    os.environ.update(settings["environment"])
    compat.set_up_interpreter()
    with _writable(tier, scratch_root) if "matplotlib" in settings["preload"] else contextlib.nullcontext():
        there, missing = zygote.preload(settings["preload"])
    figures.FIGURES.set_up(settings["max_images"], settings["max_image_bytes"])
    sys.path.insert(0, "")  # from here on as in a script or a notebook: what the code wrote can be imported
    if not _is_alone(proc_fd):
        zygote.die(control, "a preloaded module started a thread; take it out of sandbox.preload")
    system.collapse_memory(proc_fd)
    base_bytes = inspection.address_space_bytes(proc_fd)
    rules = [(path, landlock.READ) for path in settings["read_paths"]] + namespaces.device_rules()
    plan = child.Plan(
        tier=tier,
        zygote_pid=os.getpid(),
        memory_bytes=settings["memory_bytes"],
        base_bytes=base_bytes,
        file_bytes=settings["file_bytes"],
        scratch_bytes=settings["scratch_bytes"],
        num_scratch_inodes=settings["num_scratch_inodes"],
        num_files=settings["num_files"],
        num_threads=settings["num_threads"],
        session_cpu_s=math.ceil(settings["session_cpu_s"]),
        seed=settings["seed"],
        int_max_str_digits=settings["int_max_str_digits"],
        program=_filter(tier),
        read_rules=rules,
    )
    try:
        if tier == 1:
            # Rights add up along a path: the devices' own rules are on their inodes, not on what lies above them.
            walls = [("/", landlock.READ), (namespaces.SCRATCH_PARENT, landlock.SCRATCH), *namespaces.device_rules()]
            ruleset = landlock.make_ruleset(walls)
            os.dup2(ruleset, child.RULESET_FD)
            if ruleset != child.RULESET_FD:
                os.close(ruleset)
        else:
            null_fd = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null_fd, child.RULESET_FD)  # keeps the number taken, so that every child closes the same
            if null_fd != child.RULESET_FD:
                os.close(null_fd)
            if tier == 2 and landlock.abi() < 1:
                zygote.die(control, "Landlock is not available, and without user namespaces nothing else guards files")
    except OSError as error:
        zygote.die(control, str(error))
    control.send(json.dumps({"ready": True, "tier": tier, "modules": there, "missing": missing,
                             "landlock_abi": landlock.abi() if tier else 0, "uid": os.getuid()}).encode())  # fmt: skip
    zygote.Zygote(control, plan, scratch_root, proc_fd).run()
    os._exit(0)


if __name__ == "__main__":
    main()
