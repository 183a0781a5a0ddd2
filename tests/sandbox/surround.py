"""Runs a command as another user, or under a system call filter like Docker's default, or both.

``python surround.py [--uid 1000] [--docker] COMMAND…``; needs root for ``--uid``. The Python prefix may lie under a home
that only root can enter, so the other user gets a mount namespace in which the way to it is open; nothing changes on the
host.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "src"))

from selftaught.sandbox.inside import seccomp, system  # noqa: E402

# What Docker's default profile denies without extra capabilities, as far as it matters here: (x86_64, aarch64).
DENIED = {
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "mount_setattr": (442, 442), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "quotactl": (179, 60), "acct": (163, 89), "reboot": (169, 142), "kexec_load": (246, 104),
    "init_module": (175, 105), "open_by_handle_at": (304, 265), "io_uring_setup": (425, 425),
}  # fmt: skip
CLONE, CLONE3 = (56, 220), (435, 435)


def docker_like_filter() -> bytes:
    """Allow everything but ``DENIED`` and the making of namespaces."""
    column = ("x86_64", "aarch64").index(system.MACHINE)
    allow, deny = [seccomp._ret(seccomp._ALLOW)], seccomp._errno(seccomp.EPERM)
    blocks = {numbers[column]: deny for numbers in DENIED.values()}
    load = (seccomp._LD, 0, 0, 16)
    blocks[CLONE[column]] = [load, (seccomp._JSET, 1, 0, seccomp._CLONE_NAMESPACES), *allow, *deny]
    blocks[CLONE3[column]] = seccomp._errno(seccomp.ENOSYS)
    return seccomp.assemble(system.MACHINE, blocks, otherwise=allow, newer=allow)


def open_the_way(paths: list[str]) -> None:
    """In a mount namespace of our own, make ``paths`` reachable for everybody."""
    closed = {path: blocker for path in paths if (blocker := _first_closed(Path(path))) is not None}
    if not closed:
        return
    system.unshare(system.CLONE_NEWNS)
    system.mount(None, "/", None, system.MS_REC | system.MS_PRIVATE)
    stage = tempfile.mkdtemp(prefix="stage-")
    system.mount("stage", stage, "tmpfs", 0)
    for number, path in enumerate(closed):
        os.mkdir(f"{stage}/{number}")
        system.mount(path, f"{stage}/{number}", None, system.MS_BIND | system.MS_REC)
    for blocker in set(closed.values()):
        system.mount("open", str(blocker), "tmpfs", 0, "mode=755")
    for number, path in enumerate(closed):
        os.makedirs(path, exist_ok=True)
        system.mount(f"{stage}/{number}", path, None, system.MS_BIND | system.MS_REC)
    system.umount(stage)
    os.rmdir(stage)


def _first_closed(path: Path) -> Path | None:
    for part in [*reversed(path.parents), path]:
        if not part.stat().st_mode & 0o001:
            return part
    return None


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--uid", type=int)
    parser.add_argument("--docker", action="store_true")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.uid is not None:
        open_the_way([sys.prefix, os.path.realpath(sys.base_prefix), str(REPOSITORY)])
        os.setgroups([])
        os.setresgid(options.uid, options.uid, options.uid)
        os.setresuid(options.uid, options.uid, options.uid)
        os.environ["HOME"] = tempfile.gettempdir()
    if options.docker:
        system.prctl(system.PR_SET_NO_NEW_PRIVS, 1)
        system.install_seccomp(docker_like_filter())
    os.execv(options.command[0], options.command)


if __name__ == "__main__":
    main()
