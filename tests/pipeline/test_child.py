"""A stage dies with its scheduler, also as a child of the fork server."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

SCRIPT = """
import multiprocessing, os, pathlib, sys, time

sys.path.insert(0, {source!r})


def stage(note, pipe):
    from selftaught.pipeline.child import die_with_reader
    from selftaught.parent import die_with_parent

    die_with_parent()
    die_with_reader(pipe)
    pipe.send("here")
    pathlib.Path(note).write_text(str(os.getpid()))
    time.sleep(300)


if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=stage, args=({note!r}, sender))
    process.start()
    sender.close()
    process.join()
"""


def test_a_killed_scheduler_leaves_no_stage_that_writes_on(tmp_path: Path) -> None:
    source, note = str(Path(__file__).parents[2] / "src"), tmp_path / "pid"
    script = tmp_path / "scheduler.py"
    script.write_text(SCRIPT.format(source=source, note=str(note)))
    scheduler = subprocess.Popen([sys.executable, str(script)])
    try:
        wait_until(lambda: note.is_file() and note.read_text() != "")
        stage = int(note.read_text())
        time.sleep(0.2)
        assert is_alive(stage)
        scheduler.send_signal(signal.SIGKILL)
        scheduler.wait()
        wait_until(lambda: not is_alive(stage))
    finally:
        scheduler.kill()
        scheduler.wait()


def is_alive(pid: int) -> bool:
    """A zombie that nobody has waited for is dead, too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(done: object, patience_s: float = 60.0) -> None:
    assert callable(done)
    deadline = time.monotonic() + patience_s
    while not done():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
