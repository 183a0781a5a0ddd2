"""What a child can do to its caller's event loop by sending: floods from native threads on every channel that it has.

``python benchmarks/sandbox_flood.py [--attackers 4] [--timeout 2] --json`` prints one JSON object. For each flood: the longest
time that the event loop stood still (bar: 100 ms), how much longer than its limit a hostile call lasted (bar: 0.5 s), and
how long innocent calls took beside it. ``spin`` is the baseline: as many native threads that send nothing, so what it
shows is the price of a full machine and not of the floods. Exit 1 when a bar is missed by more than that price.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import time
from typing import Any

from selftaught.sandbox import Sandbox, SandboxSettings

LAG_BAR_S, OVERRUN_BAR_S = 0.1, 0.5

# 31 threads that never hold Python's lock: x86_64 code that makes one system call for ever.
NATIVE = """
import ctypes, mmap, struct, sys, time
def native(number, fd, data, num_threads=31):
    page, text = mmap.mmap(-1, 4096, prot=7), ctypes.create_string_buffer(data, max(1, len(data)))
    loop = b'\\xbf' + struct.pack('<I', fd) + b'\\x48\\xbe' + struct.pack('<Q', ctypes.addressof(text))
    loop += b'\\xba' + struct.pack('<I', len(data)) + b'\\x45\\x31\\xd2\\x45\\x31\\xc0\\x45\\x31\\xc9'
    loop += b'\\xb8' + struct.pack('<I', number) + b'\\x0f\\x05'
    loop += b'\\xeb' + struct.pack('<b', -len(loop) - 2)
    page.write(loop)
    start = ctypes.addressof(ctypes.c_char.from_buffer(page))
    libc, handle = ctypes.CDLL(None), ctypes.c_ulong()
    for _ in range(num_threads):
        libc.pthread_create(ctypes.byref(handle), None, ctypes.c_void_p(start), None)
    keep.append((page, text))
keep = []
"""
NONCE = """
frame = sys._getframe()
while frame and 'nonce' not in frame.f_locals: frame = frame.f_back
nonce = frame.f_locals['nonce']
"""
WAIT = "time.sleep(600)"
FLOODS = {
    "spin": f"{NATIVE}native(39, 0, b'x')\n{WAIT}",
    "small packets": f"{NATIVE}native(44, 3, b'x')\n{WAIT}",
    "empty packets": f"{NATIVE}native(44, 3, b'')\n{WAIT}",
    "large packets": f"{NATIVE}native(44, 3, bytes(60000))\n{WAIT}",
    "unknown tags under the right nonce": f"{NATIVE}{NONCE}native(44, 3, nonce + b'z')\n{WAIT}",
    "pieces of a result": f"{NATIVE}{NONCE}native(44, 3, nonce + b'j1')\n{WAIT}",
    "output, a byte at a time": f"{NATIVE}native(1, 1, b'x')\n{WAIT}",
    "output, lines": f"{NATIVE}native(1, 1, b'x' * 4095 + bytes([10]))\n{WAIT}",
}


class LoopWatch:
    """Notes how late the event loop is."""

    def __init__(self) -> None:
        self.lags_s: list[float] = []
        self._task = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            self.lags_s.append(time.perf_counter() - before - 0.005)

    def stop(self) -> float:
        """The longest lag, in seconds."""
        self._task.cancel()
        return max(self.lags_s, default=0.0)


async def innocent_calls(sandbox: Sandbox) -> list[float]:
    """Short calls one after another until cancelled; how long each took."""
    walls: list[float] = []
    try:
        while True:
            started = time.perf_counter()
            result = await sandbox.run("print(6 * 7)", timeout_s=60)
            walls.append(time.perf_counter() - started)
            assert result.output == "42\n", result
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        return walls


async def measure_flood(code: str, num_attackers: int, timeout_s: float) -> dict[str, Any]:
    """One flood: ``num_attackers`` calls at once, innocent calls beside them."""
    settings = SandboxSettings(preload=(), workers=num_attackers + 1, timeout_s=timeout_s)
    async with Sandbox(settings) as sandbox:
        await sandbox.run("1")
        watch = LoopWatch()
        innocents = asyncio.ensure_future(innocent_calls(sandbox))
        started = time.perf_counter()
        cpu_before = time.process_time()
        results = await asyncio.gather(*(sandbox.run(code) for _ in range(num_attackers)))
        wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_before
        innocents.cancel()
        walls = await innocents
        return {
            "status": sorted({str(result.status) for result in results}),
            "longest_lag_ms": round(watch.stop() * 1e3, 1),
            "overrun_s": round(max(0.0, max(result.wall_s for result in results) - timeout_s), 3),
            "innocent_median_ms": round(statistics.median(walls) * 1e3, 1) if walls else None,
            "innocent_most_ms": round(max(walls) * 1e3, 1) if walls else None,
            "caller_cpu_share": round(cpu_s / wall_s, 3),
        }


def main() -> int:
    """Command line. Exit 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--attackers", type=int, default=4)
    parser.add_argument("--timeout", type=float, default=2.0)
    options = parser.parse_args()
    if platform.machine() != "x86_64":
        print("the floods are x86_64 code", file=sys.stderr)
        return 2
    floods = {
        name: asyncio.run(measure_flood(code, options.attackers, options.timeout)) for name, code in FLOODS.items()
    }
    price_ms, price_s = floods["spin"]["longest_lag_ms"], floods["spin"]["overrun_s"]
    held = all(
        flood["longest_lag_ms"] <= max(LAG_BAR_S * 1e3, 1.5 * price_ms)
        and flood["overrun_s"] <= max(OVERRUN_BAR_S, 1.5 * price_s)
        for flood in floods.values()
    )
    report = {"attackers": options.attackers, "load": os.getloadavg()[0], "held": held, "floods": floods}
    print(json.dumps(report, indent=None if options.json else 2))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
