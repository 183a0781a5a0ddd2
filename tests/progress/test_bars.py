"""The look of progress: plain lines in a pipe, bars on a terminal, nothing glued to what follows."""

from __future__ import annotations

import io
import re
import time

import pytest

from selftaught.progress import Progress
from selftaught.progress.bars import _Lines, bars


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_plain_lines() -> None:
    page = io.StringIO()
    with bars(page) as show:
        show(Progress("rollout", 0, 9, notes=("loading toy",)))
        for done in range(1, 9):
            show(Progress("rollout", done, 9))
        show(Progress("rollout", 9, 9, finished=True))
        show.say("done")
    assert page.getvalue().splitlines() == ["rollout · 0/9 · loading toy", "rollout · 9/9", "done"]


def test_a_line_comes_by_itself_while_the_work_is_silent() -> None:
    page = io.StringIO()
    with _Lines(page, every_s=0.05, first_s=0.02) as show:
        show(Progress("rollout", 0, 9, notes=("loading",)))
        show(Progress("rollout", 0, 9, tokens=512))
        deadline = time.monotonic() + 5
        while page.getvalue().count("512 tokens") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert page.getvalue().count("rollout · 0/9 · 512 tokens\n") >= 2


def test_several_works_share_a_line() -> None:
    page = io.StringIO()
    with _Lines(page, every_s=0.05, first_s=0.02) as show:
        show(Progress("stages", 1, 3))
        show(Progress("grade", 2, 5))
        show(Progress("gone"))
        show.drop("gone")
        time.sleep(0.2)
    assert "stages · 1/3   grade · 2/5\n" in page.getvalue() and "gone" not in page.getvalue()


def test_bars_leave_no_half_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    page = Terminal()
    with pytest.raises(KeyboardInterrupt), bars(page) as show:
        show(Progress("rollout", 0, 9, notes=("loading toy",)))
        show(Progress("rollout", 3, 9, right=0.5, tokens=100, tokens_per_s=9.0))
        show.say("a line that stays")
        raise KeyboardInterrupt
    page.write("selftaught: stopped by SIGINT.\n")
    text = page.getvalue()
    assert "a line that stays\n" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    before = text[: text.index("selftaught: stopped")]
    assert re.search(r"(\n|\r|\x1b\[2K|\x1b\[\?25h)$", before), "the cursor stands at the start of a line"


def test_quiet_says_nothing() -> None:
    page = io.StringIO()
    with bars(page, quiet=True) as show:
        show(Progress("x"))
        show.say("y")
        show.drop("x")
    assert page.getvalue() == ""
