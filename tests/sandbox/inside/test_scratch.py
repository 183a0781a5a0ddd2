"""Scratch directories without a mount namespace: measured and removed whatever model code built in them."""

from __future__ import annotations

import os
from pathlib import Path

from selftaught.sandbox.inside import scratch


def test_a_hostile_tree_is_removed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text("x")
    root = scratch.make(str(tmp_path))
    os.symlink(outside, f"{root}/link")
    os.symlink("/", f"{root}/root")
    os.mkdir(f"{root}/closed")
    Path(f"{root}/closed/file").write_text("x")
    os.chmod(f"{root}/closed", 0)
    here = os.getcwd()
    try:
        os.chdir(root)
        for _ in range(1500):  # deeper than PATH_MAX and than the recursion limit
            os.mkdir("d" * 20)
            os.chdir("d" * 20)
        Path("bottom").write_text("x")
    finally:
        os.chdir(here)
    scratch.remove(root)
    assert not os.path.lexists(root)
    assert (outside / "keep").read_text() == "x"


def test_size_and_number_are_measured(tmp_path: Path) -> None:
    root = scratch.make(str(tmp_path))
    assert scratch.measure(root, 10) == (0, 0)
    Path(f"{root}/big").write_bytes(b"x" * 100_000)
    num_bytes, num_inodes = scratch.measure(root, 10)
    assert (num_bytes >= 100_000, num_inodes) == (True, 1)
    for number in range(11):
        Path(f"{root}/{number}").touch()
    assert scratch.measure(root, 10)[1] > 10
    scratch.remove(root)
    scratch.remove(root)


def test_files_below_many_folders_are_measured(tmp_path: Path) -> None:
    root = scratch.make(str(tmp_path))
    here = os.getcwd()
    os.chdir(root)
    try:
        for _ in range(1200):  # deeper than the recursion limit and than a path may be long
            os.mkdir("folder")
            os.chdir("folder")
        Path("bottom").write_bytes(b"x" * 1_000_000)
    finally:
        os.chdir(here)
    num_bytes, num_inodes = scratch.measure(root, 4096)
    assert num_bytes >= 1_000_000
    assert num_inodes == 1201
    assert scratch.measure(root, 100)[1] > 100
    before = len(os.listdir("/proc/self/fd"))
    scratch.measure(root, 4096)
    assert len(os.listdir("/proc/self/fd")) == before
    scratch.remove(root)
    assert not os.path.lexists(root)
