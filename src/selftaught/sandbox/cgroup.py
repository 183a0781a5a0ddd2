"""The second wall round memory and threads: one control group for all processes of a sandbox, where one can be had.

Limits of a process (RLIMIT_AS) bound each child. They do not see what the kernel holds for it outside its mappings (path
names looked up, buffers of pipes, page tables), nor all children together. A control group (cgroup version 2) counts all
of it and is enforced by the kernel.

It is had where this user may make a group: in a container with a writable ``/sys/fs/cgroup``, as root, in a systemd user
session (from a plain login shell: ``systemd-run --user --scope -p Delegate=yes selftaught …``). The group is made below
our own or beside it, and holds the sandbox's processes only, since a group cannot both hold processes and divide memory.
A process is put in before it has started anything, so all that it starts is in there, too.

Nothing here may keep a sandbox from starting: that there is no group is usual, and ``doctor`` says so.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

_MARK = "selftaught-"
_NUM_REMOVE_ATTEMPTS = 50
_REMOVE_PAUSE_S = 0.01
_numbers = itertools.count(1)


@dataclass
class ControlGroup:
    """A group of our own. Made by ``make``; ``close`` removes it."""

    directory: Path
    memory_bytes: int
    num_tasks: int
    stands: bool = True
    """Whether every process that was to be in the group is in it."""
    _seen_kills: int = field(default=0, repr=False)

    def add(self, pid: int) -> None:
        """Move a process, and with it all that it will start. Where the kernel refuses, ``stands`` becomes false."""
        try:
            (self.directory / "cgroup.procs").write_text(str(pid))
        except OSError:
            self.stands = False

    def killed_one(self) -> bool:
        """Whether the kernel has killed a process of the group for memory since this was last asked."""
        num_kills = 0
        with contextlib.suppress(OSError, ValueError):
            for line in (self.directory / "memory.events").read_text().splitlines():
                if line.startswith("oom_kill "):
                    num_kills = int(line.split()[1])
        before, self._seen_kills = self._seen_kills, num_kills
        return num_kills > before

    def close(self) -> None:
        """Remove the group. Its processes have been killed; the kernel may take a moment to count them out."""
        for _ in range(_NUM_REMOVE_ATTEMPTS):
            try:
                self.directory.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(_REMOVE_PAUSE_S)
            else:
                return

    @property
    def words(self) -> str:
        """For ``doctor``."""
        return f"cgroup with {self.memory_bytes >> 20} MiB and {self.num_tasks} threads for all processes together"


def make(memory_bytes: int, num_tasks: int, proc: Path = Path("/proc/self")) -> ControlGroup | None:
    """A new group with these limits, or None where there is none to be had. ``proc`` is where to read which is ours."""
    name = f"{_MARK}{os.getpid()}-{next(_numbers)}"
    for place in _places(proc):
        _remove_left_behind(place)
        directory = place / name
        try:
            directory.mkdir()
        except OSError:
            continue
        try:
            _limit(directory, memory_bytes, num_tasks)
        except OSError:
            with contextlib.suppress(OSError):
                directory.rmdir()
            continue
        group = ControlGroup(directory, memory_bytes, num_tasks)
        group.killed_one()
        return group
    return None


def _limit(directory: Path, memory_bytes: int, num_tasks: int) -> None:
    """Set the limits of a new group. Raises OSError where its parent cannot hand on the control of memory."""
    if not (directory / "memory.max").exists():
        # asks the parent to divide its memory; refused while the parent holds processes itself
        (directory.parent / "cgroup.subtree_control").write_text("+memory +pids")
    (directory / "memory.max").write_text(str(memory_bytes))
    for name, value in (("memory.swap.max", 0), ("pids.max", num_tasks)):
        with contextlib.suppress(OSError):  # a kernel without swap, a parent that controls memory only
            (directory / name).write_text(str(value))


def _places(proc: Path) -> list[Path]:
    """Folders in which a group may be made: in our own group, then beside it, as far as we may write and can see."""
    try:
        mounts = (proc / "mountinfo").read_text().splitlines()
        groups = (proc / "cgroup").read_text().splitlines()
    except OSError:
        return []
    for line in mounts:
        before, _, after = line.partition(" - ")
        if after.split()[0] != "cgroup2":
            continue
        root, point = before.split()[3:5]
        path = next((line.removeprefix("0::") for line in groups if line.startswith("0::")), root)
        below = os.path.relpath(path, root)
        own = (
            Path(point) if below.startswith("..") else Path(point) / below
        )  # what lies outside a container is not seen
        places = [own] if own == Path(point) else [own, own.parent]
        # to move a process takes the right to write to the group above both the old place and the new one
        return [place for place in places if all(os.access(each, os.W_OK) for each in (place, place / "cgroup.procs"))]
    return []


def _remove_left_behind(place: Path) -> None:
    """Remove the empty groups of callers that were killed and could not."""
    with contextlib.suppress(OSError):
        for directory in place.glob(f"{_MARK}*"):
            owner = directory.name.removeprefix(_MARK).split("-")[0]
            if owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
                with contextlib.suppress(OSError):
                    directory.rmdir()  # the kernel refuses while a process is in it
