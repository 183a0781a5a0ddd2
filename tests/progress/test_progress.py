"""Snapshots: what they say, and how speed and time left are measured."""

from __future__ import annotations

from selftaught.progress import Meter, Progress, counted, duration


def test_a_line_says_what_is_known_and_no_more() -> None:
    assert Progress("grading").line() == "grading"
    assert Progress("rollout", 0, 60, notes=("loading toy",)).line() == "rollout · 0/60 · loading toy"
    full = Progress("rollout", 3, 1200, 0.5, 12_345, 678.9, 125.0, ("calls 40%",))
    assert full.line() == "rollout · 3/1,200 · right 50.0% · calls 40% · 12,345 tokens · 679 tokens/s · 2 min 5 s left"
    assert "left" not in Progress("x", 3, 3, left_s=0.0, finished=True).line()


def test_speed_and_time_left_come_from_the_last_seconds() -> None:
    now = [100.0]
    meter = Meter("x", 100, resumed=40, clock=lambda: now[0])
    first = meter.at(40)
    assert first.left_s is None and first.tokens_per_s is None
    now[0] += 10
    after = meter.at(50, tokens=1000)
    assert after.tokens_per_s == 100 and after.left_s == 50, "what was done before does not count"
    for _ in range(60):
        now[0] += 1
        after = meter.at(50, tokens=1000)
    assert after.tokens_per_s == 0 and after.left_s is None, "nothing moved for a minute"


def test_a_counter_reports() -> None:
    seen: list[Progress] = []
    count = counted(seen.append, "training")
    count(1, 2)
    count(2, 2)
    assert [(now.what, now.done, now.total, now.finished) for now in seen] == [
        ("training", 1, 2, False),
        ("training", 2, 2, True),
    ]


def test_duration() -> None:
    assert [duration(s) for s in (0.2, 59.4, 125, 3840)] == ["0 s", "59 s", "2 min 5 s", "1 h 4 min"]
