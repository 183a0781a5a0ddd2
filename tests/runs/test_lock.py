"""The writer's lock: one holder, named to the second; it dies with its process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from selftaught.errors import ConfigError
from selftaught.runs.folders import Folder
from selftaught.runs.lock import WriterLock

HOLD = """
import sys, time
from pathlib import Path
from selftaught.runs.lock import WriterLock
with WriterLock(Path(sys.argv[1]), "rollout"):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    lock = Folder(tmp_path / "new").lock
    process = holder(lock)
    try:
        with pytest.raises(ConfigError) as caught, WriterLock(lock, "rollout"):
            pass
        message = str(caught.value)
        assert f"process {process.pid} on {socket.gethostname()} (selftaught rollout, since " in message
        assert caught.value.exit_code == 2 and "\n" not in message
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with WriterLock(lock, "rollout"):
        pass


def test_it_is_refused_inside_one_process_too(tmp_path: Path) -> None:
    lock = Folder(tmp_path).lock
    with (
        WriterLock(lock, "curate"),
        pytest.raises(ConfigError, match=f"process {os.getpid()} on"),
        WriterLock(lock, "train"),
    ):
        pass
    with WriterLock(lock, "train"):
        pass


def test_a_predecessor_is_waited_for(tmp_path: Path) -> None:
    lock = Folder(tmp_path).lock
    process = holder(lock)
    process.send_signal(signal.SIGKILL)
    with WriterLock(lock, "run", wait_s=10):
        pass
    process.wait()


def test_a_child_does_not_keep_its_parents_lock(tmp_path: Path) -> None:
    lock = Folder(tmp_path).lock
    with WriterLock(lock, "rollout"):
        child = os.fork()
        if child == 0:
            time.sleep(30)
            os._exit(0)
    try:
        with WriterLock(lock, "rollout"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_replaced_lock_file_counts_as_new(tmp_path: Path) -> None:
    lock = Folder(tmp_path).lock
    with WriterLock(lock, "rollout"):
        lock.unlink()
        with WriterLock(lock, "rollout"):
            pass


def test_no_place_for_a_lock(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"), WriterLock(Folder(tmp_path / "file").lock, "rollout"):
        pass
