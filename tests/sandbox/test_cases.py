"""The abuse cases at every tier that is to be had here, as this user and as uid 1000, and a control without isolation.

All of them at tier 1 are part of the suite; those of the other tiers and users are ``exhaustive`` (``make test-all``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
OWN = HERE / "cases.jsonl"
GIVEN = HERE.parents[2] / "shared" / "cases"
WORKERS = "8"
# Harmless even when they succeed, so they may run without isolation.
CONTROL = (
    "own-net-tcp|own-net-udp|own-net-unix-path|own-net-listen|own-net-socketpair|own-fs-passwd|own-fs-symlink"
    "|own-fs-dotdot|own-sec-memory|own-sec-host|own-proc-system"
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def battery(*arguments: str, around: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run the battery in a process of its own; return its report."""
    surround = [sys.executable, str(HERE / "surround.py"), *around] if around else []
    command = [
        *surround,
        sys.executable,
        str(HERE / "battery.py"),
        "--workers",
        WORKERS,
        "--timeout",
        "2.5",
        *arguments,
    ]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1] / "src")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def files() -> list[str]:
    return [str(path) for path in (OWN, GIVEN / "sandbox.jsonl", GIVEN / "attacks.jsonl") if path.exists()]


@pytest.mark.slow
def test_tier_1_holds_every_case() -> None:
    report = battery("--tier", "1", *files())
    assert report["failed"] == {}
    assert report["tier"] == 1


@needs_root
@pytest.mark.exhaustive
def test_tier_1_holds_every_case_as_another_user_in_sessions() -> None:
    report = battery("--tier", "1", "--as-sessions", *files(), around=("--uid", "1000"))
    assert report["failed"] == {}
    assert report["tier"] == 1


@pytest.mark.exhaustive
def test_tier_2_holds_every_case_under_a_filter_like_dockers() -> None:
    report = battery("--tier", "2", *files(), around=("--docker",))
    assert report["failed"] == {}
    assert report["tier"] == 2


@needs_root
@pytest.mark.exhaustive
def test_tier_2_holds_every_case_as_another_user() -> None:
    report = battery("--tier", "2", "--as-sessions", *files(), around=("--uid", "1000", "--docker"))
    assert report["failed"] == {}
    assert report["uid"] == 1000


def test_a_few_cases_of_each_kind_at_tier_2() -> None:
    """The quick form of the exhaustive ones, for every run of the suite."""
    quick = "tcp$|fs-passwd|fs-chmod|sec-frames|proc-fork|ctl-calls|res-fds|res-output|fake-done|leak-files|sess-crash|sympy$"
    around = ("--uid", "1000", "--docker") if os.geteuid() == 0 else ("--docker",)
    report = battery("--tier", "2", "--as-sessions", "--only", quick, str(OWN), around=around)
    assert report["ran"] >= 12
    assert report["tier"] == 2
    assert report["failed"] == {}


def test_detectors_fire_without_isolation() -> None:
    """Every control case must fail where nothing holds it: a battery that cannot fail proves nothing."""
    report = battery("--control", "--only", f"^({CONTROL})$", str(OWN))
    assert report["tier"] == 0
    wanted = {name for name in CONTROL.split("|") if name not in {"own-sec-host", "own-fs-passwd"}}
    assert wanted <= report["failed"].keys()
    assert {"listener-tcp", "listener-udp", "listener-unix"} <= report["failed"].keys()


def test_every_kind_has_cases() -> None:
    cases = [json.loads(line) for line in OWN.read_text(encoding="utf-8").splitlines()]
    assert len({case["id"] for case in cases}) == len(cases)
    assert {case["category"] for case in cases} == {
        "network", "files", "secrets", "process", "control", "resource", "channel", "leak", "session", "language",
    }  # fmt: skip
