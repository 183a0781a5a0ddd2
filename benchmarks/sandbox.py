"""Speed of the sandbox against what it would replace, in one run: the ratios count, not the milliseconds.

``python benchmarks/sandbox.py --json`` prints one JSON object: ``ratios`` (each with its baseline, rounds, spread and the bar it
has to meet) and ``milliseconds`` per method and script. Rounds interleave all methods, so a busy machine hits all alike;
a ratio is the median of its rounds.

Methods: ``ours`` (a one-shot call, a spare ready), ``session`` (the next cell of a live session), ``fork`` (bare fork and pipe
in a process with the same modules loaded, no isolation), ``cold`` (``python -c``), ``bwrap`` (bubblewrap round ``python -c``,
where installed), ``jupyter`` (a kernel restarted for the call, where ipykernel and jupyter_client are installed).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selftaught.sandbox import Sandbox, SandboxSettings

SCRIPTS = {
    "bare": "print(pow(7, 2023, 1000))",
    "sympy": "import sympy\nprint(sympy.factorint(10**15 + 37))",
    "numpy": "import numpy as np\nprint(np.arange(1000).sum())",
}
SOURCE = Path(__file__).resolve().parents[1] / "src"
# One thread for every method: otherwise the native libraries' pools would be what is measured.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "LANG": "C.UTF-8"}

FORK_SERVER = f"""
import json, os, resource, sys, time
sys.path.insert(0, {str(SOURCE)!r})
from selftaught.sandbox.inside import zygote
zygote.preload(sys.argv[1:])
def cpu():
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
for line in sys.stdin:
    code, num_calls = json.loads(line)
    walls, before = [], cpu()
    for _ in range(num_calls):
        start = time.perf_counter()
        read_fd, write_fd = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.dup2(write_fd, 1)
            exec(compile(code, "<cell>", "exec"), {{"__name__": "__main__"}})
            sys.stdout.flush()
            os._exit(0)
        os.close(write_fd)
        while os.read(read_fd, 65536): pass
        os.close(read_fd)
        os.waitpid(pid, 0)
        walls.append(time.perf_counter() - start)
    sys.stderr.write(json.dumps([walls, cpu() - before]) + chr(10))
    sys.stderr.flush()
"""

Sample = tuple[list[float], float]
"""Wall seconds of each call, CPU seconds of all together."""


class ForkServer:
    """The floor: a process with the same modules that forks for each call and does nothing else."""

    def __init__(self, modules: list[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORK_SERVER, *modules], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
        )  # fmt: skip

    def measure(self, code: str, num_calls: int) -> Sample:
        """Run ``code`` so many times."""
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        print(json.dumps([code, num_calls]), file=self._process.stdin, flush=True)
        walls, cpu_s = json.loads(self._process.stderr.readline())
        return walls, cpu_s

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def children_cpu_s() -> float:
    """CPU of all children waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def own_cpu_s() -> float:
    """CPU of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure_program(command: list[str], num_calls: int) -> Sample:
    """Start a program so many times."""
    walls, before = [], children_cpu_s()
    for _ in range(num_calls):
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=ENVIRONMENT)
        walls.append(time.perf_counter() - start)
    return walls, children_cpu_s() - before


class Ours:
    """The sandbox, its zygote's CPU read from outside."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._pools = [sandbox._pool, *sandbox._light]
        self._zygote_pids = []
        for pool in self._pools:
            assert pool.zygote is not None
            assert pool.zygote._process is not None
            guardian = pool.zygote._process.pid
            children = Path(f"/proc/{guardian}/task/{guardian}/children").read_text().split()
            self._zygote_pids.append(int(children[0]))

    def _cpu_s(self) -> float:
        ticks = 0
        for pid in self._zygote_pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += sum(int(field) for field in fields[11:15])  # own and reaped children, user and system
        return own_cpu_s() + ticks / os.sysconf("SC_CLK_TCK")

    async def calls(self, code: str, num_calls: int) -> Sample:
        """One-shot calls, each with a spare ready."""
        walls: list[float] = []
        await self._quiet()
        before = self._cpu_s()
        for _ in range(num_calls):
            await self._quiet()
            start = time.perf_counter()
            result = await self._sandbox.run(code)
            walls.append(time.perf_counter() - start)
            assert result.status == "ok", result
        await self._quiet()
        return walls, self._cpu_s() - before

    async def cells(self, code: str, num_calls: int) -> Sample:
        """Cells of one live session."""
        async with self._sandbox.session() as session:
            await session.run(code)
            walls, before = [], self._cpu_s()
            for _ in range(num_calls):
                start = time.perf_counter()
                await session.run(code)
                walls.append(time.perf_counter() - start)
            return walls, self._cpu_s() - before

    async def _quiet(self) -> None:
        """Until the spares are up and the ended are gone; asleep, so that waiting costs nothing."""
        await asyncio.sleep(0.01)
        while any(not spare.ready.done() for pool in self._pools for spare in pool.spares):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.01)


def measure_jupyter(code: str, num_calls: int) -> Sample | None:
    """A kernel restarted before each call; None where Jupyter is not installed."""
    if not all(importlib.util.find_spec(name) for name in ("jupyter_client", "ipykernel")):
        return None
    from jupyter_client.manager import KernelManager

    manager = KernelManager()
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    walls = []
    for _ in range(num_calls):
        start = time.perf_counter()
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=60)
        client.execute_interactive(code, timeout=60, output_hook=lambda _: None)
        walls.append(time.perf_counter() - start)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    return walls, float("nan")


async def measure(num_rounds: int, num_calls: int) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Script → method → one row a round: median and least wall, mean CPU, in milliseconds."""
    rows: dict[str, dict[str, list[dict[str, float]]]] = {script: {} for script in SCRIPTS}
    bwrap = shutil.which("bwrap")
    num_programs = max(2, num_calls // 8)

    def note(script: str, method: str, sample: Sample | None) -> None:
        if sample is not None:
            walls, cpu_s = sample
            row = {
                "wall_ms": statistics.median(walls) * 1e3,
                "least_wall_ms": min(walls) * 1e3,
                "cpu_ms": cpu_s / len(walls) * 1e3,
            }
            rows[script].setdefault(method, []).append(row)

    # The floor of a script is a fork with the modules of the zygote that serves it.
    forks = {"bare": ForkServer([]), "sympy": ForkServer(["numpy", "sympy", "mpmath"])}
    forks["numpy"] = forks["sympy"]
    async with Sandbox(SandboxSettings(workers=1, spares=2, timeout_s=60)) as sandbox:
        await asyncio.gather(*sandbox._light_start)
        ours = Ours(sandbox)
        for script, code in SCRIPTS.items():
            await ours.calls(code, 3)
            forks[script].measure(code, 3)
        for _ in range(num_rounds):
            for script, code in SCRIPTS.items():
                note(script, "ours", await ours.calls(code, num_calls))
                note(script, "fork", forks[script].measure(code, num_calls))
                note(script, "session", await ours.cells(code, num_calls))
                note(script, "cold", measure_program([sys.executable, "-c", code], num_programs))
                if bwrap:
                    wrapped = [
                        bwrap,
                        "--ro-bind",
                        "/",
                        "/",
                        "--tmpfs",
                        "/run",
                        "--dev",
                        "/dev",
                        "--unshare-all",
                        sys.executable,
                        "-c",
                    ]
                    walls, _ = measure_program([*wrapped, code], num_programs)  # its inner process escapes rusage
                    note(script, "bwrap", (walls, float("nan")))
        tier = int(sandbox.tier)
    forks["bare"].close()
    forks["sympy"].close()
    for script, code in SCRIPTS.items():
        note(script, "jupyter", measure_jupyter(code, 3))
    rows["tier"] = {"tier": [{"tier": tier}]}
    return rows


BARS: list[tuple[str, str, str, str, str, Callable[[float], bool], str]] = [
    # name, script, measure, above the line, below it, test, bar in words
    ("cpu_cold_over_ours_sympy", "sympy", "cpu_ms", "cold", "ours", lambda value: value >= 30, "≥ 30"),
    ("cpu_cold_over_ours_numpy", "numpy", "cpu_ms", "cold", "ours", lambda value: value >= 8, "≥ 8"),
    ("cpu_cold_over_ours_bare", "bare", "cpu_ms", "cold", "ours", lambda value: value >= 1.5, "≥ 1.5"),
    ("cpu_ours_over_fork_bare", "bare", "cpu_ms", "ours", "fork", lambda value: value <= 2.2, "≤ 2.2"),
    ("cpu_ours_over_fork_sympy", "sympy", "cpu_ms", "ours", "fork", lambda value: value <= 2.2, "≤ 2.2"),
    ("cpu_ours_over_fork_numpy", "numpy", "cpu_ms", "ours", "fork", lambda value: value <= 2.2, "≤ 2.2"),
    ("wall_ours_over_fork_bare", "bare", "wall_ms", "ours", "fork", lambda value: value < 1, "< 1"),
    ("wall_ours_over_fork_sympy", "sympy", "wall_ms", "ours", "fork", lambda value: value < 1, "< 1"),
    ("wall_session_over_fork_bare", "bare", "wall_ms", "session", "fork", lambda value: value <= 0.2, "≤ 0.2"),
    ("wall_session_over_fork_sympy", "sympy", "wall_ms", "session", "fork", lambda value: value <= 0.2, "≤ 0.2"),
    ("wall_bwrap_over_ours_sympy", "sympy", "wall_ms", "bwrap", "ours", lambda value: True, ""),
    ("wall_cold_over_ours_sympy", "sympy", "wall_ms", "cold", "ours", lambda value: True, ""),
    ("wall_jupyter_over_ours_sympy", "sympy", "wall_ms", "jupyter", "ours", lambda value: True, ""),
]


def ratios(rows: dict[str, dict[str, list[dict[str, float]]]]) -> dict[str, Any]:
    """Every ratio that can be formed: the median over rounds, with its spread."""
    result: dict[str, Any] = {}
    for name, script, key, above, below, test, bar in BARS:
        if above not in rows[script]:
            continue
        pairs = zip(rows[script][above], rows[script][below], strict=False)
        values = [upper[key] / lower[key] for upper, lower in pairs if lower[key] > 0]
        value = statistics.median(values)
        result[name] = {
            "value": round(value, 3), "baseline": below if above == "ours" else above, "runs": len(values),
            "spread": [round(min(values), 3), round(max(values), 3)],
        }  # fmt: skip
        if below != "ours":
            result[name]["baseline"] = below
        if bar:
            result[name] |= {"bar": bar, "held": test(value)}
    return result


def main() -> int:
    """Command line. Exit 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=40, help="calls per round, method and script")
    options = parser.parse_args()
    rows = asyncio.run(measure(options.rounds, options.calls))
    tier = int(rows.pop("tier")["tier"][0]["tier"])
    milliseconds = {
        script: {
            method: {key: round(statistics.median(row[key] for row in found), 3) for key in found[0]}
            for method, found in methods.items()
        }
        for script, methods in rows.items()
    }
    found = ratios(rows)
    report = {"tier": tier, "load": os.getloadavg()[0], "ratios": found, "milliseconds": milliseconds}
    print(json.dumps(report, indent=None if options.json else 2, ensure_ascii=False).replace("NaN", "null"))
    return 0 if all(row.get("held", True) for row in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
