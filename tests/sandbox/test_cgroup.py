"""The control group: where it is made, what it limits, that it goes away. A folder stands in for the kernel's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from selftaught.sandbox import Sandbox, SandboxSettings, cgroup


def stand_in(tmp_path: Path, own: str, root: str = "/") -> Path:
    """A ``/proc/self`` of a process in the group ``own``; the groups' tree lies in ``tmp_path / "tree"``."""
    proc, tree = tmp_path / "proc", tmp_path / "tree"
    proc.mkdir()
    (proc / "mountinfo").write_text(
        f"22 1 0:20 / /proc rw - proc proc rw\n30 1 0:28 {root} {tree} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
    )
    (proc / "cgroup").write_text(f"0::{own}\n")
    group = tree / own.removeprefix(root).lstrip("/")
    group.mkdir(parents=True, exist_ok=True)
    for each in (group, *group.parents):
        if each.is_relative_to(tree):
            (each / "cgroup.procs").touch()
    return proc


def test_a_group_is_made_below_our_own_with_both_limits(tmp_path: Path) -> None:
    group = cgroup.make(1 << 30, 300, stand_in(tmp_path, "/user.slice/mine.scope"))
    assert group is not None
    assert group.directory.parent == tmp_path / "tree/user.slice/mine.scope"
    assert (group.directory.parent / "cgroup.subtree_control").read_text() == "+memory +pids"
    limits = {path.name: path.read_text() for path in group.directory.iterdir()}
    assert limits == {"memory.max": str(1 << 30), "memory.swap.max": "0", "pids.max": "300"}
    group.add(4242)
    assert (group.directory / "cgroup.procs").read_text() == "4242"
    assert "1024 MiB and 300 threads" in group.words


def test_a_group_is_made_beside_our_own_where_that_holds_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc = stand_in(tmp_path, "/app.slice/mine.scope")
    write_text = Path.write_text

    def refuse(path: Path, text: str) -> int:  # as the kernel does for a group with processes in it
        if path == tmp_path / "tree/app.slice/mine.scope/cgroup.subtree_control":
            raise OSError(16, "Device or resource busy")
        return write_text(path, text)

    monkeypatch.setattr(Path, "write_text", refuse)
    group = cgroup.make(1 << 30, 300, proc)
    assert group is not None
    assert group.directory.parent == tmp_path / "tree/app.slice"
    assert [path.name for path in (tmp_path / "tree/app.slice/mine.scope").iterdir()] == ["cgroup.procs"]


def test_a_container_sees_a_part_of_the_tree(tmp_path: Path) -> None:
    group = cgroup.make(1 << 30, 300, stand_in(tmp_path, "/docker/abc", root="/docker/abc"))
    assert group is not None
    assert group.directory.parent == tmp_path / "tree"


def test_no_group_where_there_is_no_tree_or_no_right(tmp_path: Path) -> None:
    assert cgroup.make(1, 1, tmp_path) is None
    proc = stand_in(tmp_path, "/gone")
    shutil.rmtree(tmp_path / "tree")
    assert cgroup.make(1, 1, proc) is None


async def test_a_group_that_takes_no_process_is_no_wall_and_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = cgroup.ControlGroup(tmp_path / "gone", 1 << 30, 300)
    monkeypatch.setattr(cgroup, "make", lambda memory_bytes, num_tasks: group)
    async with Sandbox(SandboxSettings(preload=())) as sandbox:
        assert (await sandbox.run("1")).output == "1\n"
        assert not sandbox.has_cgroup
        assert "no cgroup" in sandbox.memory_wall


def test_what_killed_callers_left_is_removed(tmp_path: Path) -> None:
    proc = stand_in(tmp_path, "/")
    left, theirs = tmp_path / "tree/selftaught-999999999-1", tmp_path / "tree/selftaught-1-1"
    left.mkdir()
    theirs.mkdir()
    assert cgroup.make(1 << 30, 300, proc) is not None
    assert not left.exists()
    assert theirs.exists()


def test_kills_for_memory_are_noticed_once(tmp_path: Path) -> None:
    group = cgroup.make(1 << 30, 300, stand_in(tmp_path, "/"))
    assert group is not None
    (group.directory / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert group.killed_one()
    assert not group.killed_one()


async def test_a_sandbox_says_which_wall_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "make", lambda memory_bytes, num_tasks: None)
    async with Sandbox(SandboxSettings(preload=())) as sandbox:
        assert "no cgroup" in sandbox.memory_wall
        assert (await sandbox.run("1")).output == "1\n"


async def test_a_sandbox_runs_in_its_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proc, make = stand_in(tmp_path, "/"), cgroup.make
    monkeypatch.setattr(cgroup, "make", lambda memory_bytes, num_tasks: make(memory_bytes, num_tasks, proc))
    async with Sandbox(SandboxSettings(preload=(), workers=3, memory_bytes=1 << 30)) as sandbox:
        (directory,) = (tmp_path / "tree").glob("selftaught-*")
        assert (directory / "memory.max").read_text() == str(5 << 30)
        assert int((directory / "cgroup.procs").read_text()) > 1
        assert "5120 MiB" in sandbox.memory_wall
        # a kill by the kernel is told apart from one that the code asked for
        killed = "import os\nos.kill(os.getpid(), 9)"
        assert (await sandbox.run(killed)).status == "crash"
        (directory / "memory.events").write_text("oom_kill 1\n")
        result = await sandbox.run(killed)
        assert (result.status, result.limit) == ("memory", "memory")
