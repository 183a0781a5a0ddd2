"""Endurance of the sandbox: many calls with hostile ones among them, many callers at once, many sessions.

``python benchmarks/sandbox_soak.py [--calls 20000] [--callers 64] [--sessions 200] --json`` prints one JSON object with what
was lost, what was left behind and how long short calls waited. Exit 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from selftaught.sandbox import Sandbox, SandboxSettings

HOSTILE = {
    "loop": ("while True: pass", {"timeout"}),
    "memory": ("x = []\nwhile True: x.append(bytes(10**7))", {"memory", "timeout"}),
    "output": ("while True: print('x' * 10**5)", {"output", "timeout"}),
    "segfault": ("import ctypes\nctypes.string_at(0)", {"crash"}),
    "abort": ("import os\nos.abort()", {"crash"}),
    "kill": ("import os\nos.kill(os.getpid(), 9)", {"crash"}),
    "close": ("import os\nos.closerange(0, 4096)", {"ok", "error"}),
    "exit": ("import os\nos._exit(3)", {"error"}),
    "fork": ("import os\nos.fork()", {"error"}),
    "files": ("for i in range(10**6): open(f'f{i}', 'w').write('x' * 4096)", {"error", "timeout"}),
    "descriptors": ("import os\nwhile True: os.pipe()", {"error"}),
    "threads": (
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
        {"error"},
    ),
    "stop": ("import os\nos.kill(os.getpid(), 19)", {"timeout"}),
    "signals": (
        "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\ntime.sleep(60)",
        {"timeout"},
    ),
}


def descendants(pid: int) -> list[int]:
    """All living descendants of ``pid``."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path(f"/proc/{name}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(name))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def memory_kib(pid: int, key: str) -> int:
    """One line of a process's smaps_rollup, in KiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def private_kib(pid: int) -> int:
    """Memory that goes away with the process."""
    return memory_kib(pid, "Private_Clean") + memory_kib(pid, "Private_Dirty")


def count_mounts(pid: int | str) -> int:
    """Mounts in a process's namespace."""
    return len(Path(f"/proc/{pid}/mountinfo").read_text().splitlines())


def snapshot(sandbox: Sandbox) -> dict[str, int]:
    """What could leak, now."""
    gc.collect()
    pids = descendants(os.getpid())
    zygote = max(pids[:3], key=lambda pid: memory_kib(pid, "Rss")) if pids else os.getpid()
    return {
        "processes": len(pids),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "mounts": count_mounts("self"),
        "zygote_mounts": count_mounts(zygote),
        "parent_rss_kib": memory_kib(os.getpid(), "Rss"),
        "zygote_private_kib": private_kib(zygote),
        "zygote_descriptors": len(os.listdir(f"/proc/{zygote}/fd")),
    }


async def soak(num_calls: int, seed: int) -> dict[str, Any]:
    """``num_calls`` calls, a tenth of them hostile, from eight callers."""
    rng = random.Random(seed)
    settings = SandboxSettings(workers=8, timeout_s=20.0, memory_bytes=400 << 20, file_bytes=1 << 20)
    wrong: list[str] = []
    counts: dict[str, int] = {}
    async with Sandbox(settings) as sandbox:

        async def one(number: int) -> None:
            if rng.random() < 0.1:
                name = rng.choice(list(HOSTILE))
                code, allowed = HOSTILE[name]
                result = await sandbox.run(code, timeout_s=0.3)
                if name not in ("loop", "stop", "signals") and str(result.status) == "timeout":
                    allowed = allowed | {"timeout"}  # 0.3 s may be too short on a busy machine
            else:
                name, allowed = "friendly", {"ok"}
                result = await sandbox.run(f"print({number} * 2)")
                if result.output != f"{number * 2}\n":
                    wrong.append(f"{number}: {result.status} {result.output[:80]!r}")
            counts[str(result.status)] = counts.get(str(result.status), 0) + 1
            if str(result.status) not in allowed:
                wrong.append(f"{number} {name}: {result.status} {result.output[:80]!r}")

        async def caller(first: int) -> None:
            for number in range(first, num_calls, 8):
                await one(number)

        for number in range(200):
            await one(number)
        counts.clear()
        await asyncio.sleep(1.0)
        before = snapshot(sandbox)
        started = time.monotonic()
        await asyncio.gather(*(caller(first) for first in range(8)))
        elapsed_s = time.monotonic() - started
        await asyncio.sleep(2.0)
        after = snapshot(sandbox)
    left = descendants(os.getpid())
    return {
        "calls": num_calls, "statuses": counts, "lost": num_calls - sum(counts.values()), "wrong": wrong[:10],
        "num_wrong": len(wrong), "before": before, "after": after, "left_after_close": len(left),
        "descriptors_after_close": len(os.listdir("/proc/self/fd")), "seconds": round(elapsed_s, 1),
    }  # fmt: skip


async def crowd(num_callers: int) -> dict[str, Any]:
    """Every caller runs short calls with one 2 s loop among them; short calls must not wait for others' loops."""
    loop = "import time\nend = time.time() + 2\nwhile time.time() < end: time.sleep(0.01)"
    short: list[float] = []
    alone: list[float] = []
    async with Sandbox(SandboxSettings(workers=num_callers, timeout_s=60.0)) as sandbox:
        await asyncio.gather(*(sandbox.run("1") for _ in range(num_callers)))
        for _ in range(20):
            started = time.monotonic()
            await sandbox.run("1+1")
            alone.append(time.monotonic() - started)

        async def caller(number: int) -> None:
            for index in range(6):
                started = time.monotonic()
                if index == number % 6:
                    result = await sandbox.run(loop)
                else:
                    result = await sandbox.run("1+1")
                    short.append(time.monotonic() - started)
                assert result.status == "ok", result

        started = time.monotonic()
        await asyncio.gather(*(caller(number) for number in range(num_callers)))
        elapsed_s = time.monotonic() - started
    return {
        "callers": num_callers, "short_calls": len(short), "short_median_s": statistics.median(short),
        "short_max_s": max(short), "alone_median_s": statistics.median(alone), "seconds": round(elapsed_s, 2),
    }  # fmt: skip


async def sessions(num_sessions: int) -> dict[str, Any]:
    """Private memory of live sessions that have each run a sympy and a numpy cell."""
    async with Sandbox(SandboxSettings(workers=4, timeout_s=60.0)) as sandbox:
        opened = [sandbox.session() for _ in range(num_sessions)]
        live = [await each.__aenter__() for each in opened]
        for session in live:
            await session.run("import sympy, numpy as np\nx = sympy.factorint(360360)\ny = np.arange(100).sum()")
        results = [await session.run("x[2] + y") for session in live]
        assert all("4953" in result.output for result in results), results[0]
        children = sorted((private_kib(pid) for pid in descendants(os.getpid())), reverse=True)
        private = children[1 : num_sessions + 1]  # the zygote first; after the sessions, spares
        for each in opened:
            await each.__aexit__(None, None, None)
    return {
        "sessions": num_sessions, "private_mib_median": round(statistics.median(private) / 1024, 2),
        "private_mib_max": round(max(private) / 1024, 2), "measured": len(private),
    }  # fmt: skip


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report: dict[str, Any] = {}
    if options.sessions:
        report["sessions"] = asyncio.run(sessions(options.sessions))
    if options.callers:
        report["crowd"] = asyncio.run(crowd(options.callers))
    if options.calls:
        report["soak"] = asyncio.run(soak(options.calls, options.seed))
    print(json.dumps(report, indent=None if options.json else 2))
    return 0 if _held(report) else 1


def _held(report: dict[str, Any]) -> bool:
    """Whether every bar held."""
    held = True
    if "sessions" in report:
        held &= report["sessions"]["private_mib_median"] <= 5
    if "crowd" in report:
        held &= report["crowd"]["short_max_s"] < 2
    if "soak" in report:
        run = report["soak"]
        before, after = run["before"], run["after"]
        held &= run["lost"] == 0 and run["num_wrong"] == 0 and run["left_after_close"] == 0
        held &= all(after[key] <= before[key] for key in ("processes", "descriptors", "mounts", "zygote_mounts"))
        held &= after["parent_rss_kib"] - before["parent_rss_kib"] < 20_000
    return held


if __name__ == "__main__":
    sys.exit(main())
