"""What the zygote reads of other processes, tried on this one."""

from __future__ import annotations

import ctypes
import mmap
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from selftaught.sandbox.inside import inspection

FILE_BYTES = 8 << 20
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


@pytest.fixture
def proc_fd() -> Iterator[int]:
    fd = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def test_files_without_a_name_are_found_open_or_mapped(proc_fd: int, tmp_path: Path) -> None:
    def held(mapped: bool) -> int:
        return inspection.nameless_bytes(proc_fd, os.getpid(), FILE_BYTES, mapped)

    before, before_mapped = held(False), held(True)
    with tempfile.TemporaryFile(dir=tmp_path) as file:
        file.write(bytes(1 << 20))
        file.flush()
        copy = os.dup(file.fileno())  # the same file is counted once
        assert held(False) - before >= 1 << 20
        assert held(False) - before < 2 << 20
        address = libc.mmap(
            None, 4096, mmap.PROT_READ, mmap.MAP_PRIVATE, file.fileno(), 0
        )  # Python's keeps a copy of the descriptor
        assert held(True) - before_mapped < 2 << 20
        os.close(copy)
    assert held(False) == before
    assert held(True) - before_mapped == FILE_BYTES  # one page is mapped, and the whole file is held
    libc.munmap(address, 4096)
    assert held(True) == before_mapped


def test_memory_files_of_ours_do_not_count(proc_fd: int) -> None:
    before = inspection.nameless_bytes(proc_fd, os.getpid(), FILE_BYTES, True)
    fd = os.memfd_create("in")
    os.write(fd, bytes(1 << 20))
    assert inspection.nameless_bytes(proc_fd, os.getpid(), FILE_BYTES, True) == before
    os.close(fd)


def test_threads_are_counted(proc_fd: int) -> None:
    before = inspection.count_threads(proc_fd, os.getpid())
    done = threading.Event()
    threads = [threading.Thread(target=done.wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert inspection.count_threads(proc_fd, os.getpid()) == before + 5
    assert inspection.count_tasks(proc_fd) >= before + 5
    done.set()
    for thread in threads:
        thread.join()
    assert inspection.count_threads(proc_fd, 1 << 30) == 0
    assert inspection.address_space_bytes(proc_fd) > 1 << 20
