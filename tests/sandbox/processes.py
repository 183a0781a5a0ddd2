"""Looking at processes from outside."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """Living descendants of ``pid``, parents before children; zombies are not counted."""
    parents: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{name}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents.setdefault(int(fields[1]), []).append(int(name))
    found: list[int] = []
    todo = [pid]
    while todo:
        children = parents.get(todo.pop(0), [])
        found += children
        todo += children
    return found


def sandbox_processes(pid: int, before: Collection[int] = ()) -> list[int]:
    """Descendants of ``pid`` that run the sandbox's own main file, without those that stood ``before``.

    Rollout workers of an earlier test may live on with sandboxes of their own.
    """
    found = []
    for each in descendants(pid):
        try:
            command = Path(f"/proc/{each}/cmdline").read_bytes()
        except OSError:
            continue
        if each not in before and b"sandbox/inside/__main__.py" in command:
            found.append(each)
    return found


def living(pids: Collection[int]) -> list[int]:
    """Those of ``pids`` that are there and no zombies: in a container, process 1 may never collect those."""
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if state != "Z":
            found.append(pid)
    return found
