"""What the server costs beyond the rollouts that it makes, and how it bears a crowd. Each ratio against a baseline of the same run.

    python benchmarks/serving.py --json [--only overhead first_byte crowd] [--problems 96] [--runs 3]

overhead    tokens per CPU-second of 32 streams of ``serve`` against the same greedy rollouts with hints and Python by the
            runner, one worker of 32 rows; all CPU time of either side's processes after a first round that warms them
            (sandbox included, the client's not); sides alternate, the ratio is the median over runs
first_byte  seconds from a request's last byte to the first byte of thinking, less the same by the engine alone in a
            process that does nothing else; one stream at a time, median and largest
crowd       64 clients at once, a tenth hanging up in mid-answer, a tenth whose code is replaced by hostile code (forks, memory,
            endless loops and output, signals, a crash): the answers of all others are as alone, and no process, interpreter
            or answer is left behind
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

NUM_STREAMS = 32
_TICKS = os.sysconf("SC_CLK_TCK")

_RUNNER = """
import json, sys, tempfile
from pathlib import Path
from selftaught.problems import load_problems
from selftaught.rollouts.runner import run_rollout
from selftaught.rollouts.settings import RolloutSettings
settings = RolloutSettings(hints="auto", workers=1, max_rows=32, sandbox_workers=4)
for line in sys.stdin:
    first, last = json.loads(line)
    problems = list(load_problems("toy-dev", limit=last))[first:]
    with tempfile.TemporaryDirectory() as folder:
        summary = run_rollout(problems, "toy", Path(folder), settings)
    print(json.dumps({"tokens": summary.model_tokens, "seconds": summary.seconds}), flush=True)
"""
"""Rolls ranges of problems out, as told on its input; its worker stays warm."""


def tree(root: int) -> list[int]:
    """``root`` and all processes below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [root]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def cpu_seconds(root: int) -> float:
    """CPU time of a process and everything below it, those that have ended included."""
    total = 0
    for process in tree(root):
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / _TICKS


class Served:
    """A server of the embedded reasoner in a process of its own."""

    def __init__(self, *options: str, program: tuple[str, ...] = ("-m", "selftaught")) -> None:
        command = [sys.executable, *program, "serve", "--model", "toy", "--port", "0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def close(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def questions(first: int, last: int) -> list[str]:
    """The questions of some development problems, as the runner asks them."""
    from selftaught.manner import Manner
    from selftaught.problems import load_problems, render_question

    return [render_question(one, Manner(question="plain")) for one in load_problems("toy-dev", limit=last)][first:]


def body(question: str, model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": question}], **more}


async def read_stream(client: Any, url: str, request: dict[str, Any]) -> dict[str, Any]:
    """One stream to its end: when its first text came, its texts, its usage."""
    started = time.perf_counter()
    first, texts, usage = None, {"reasoning": "", "content": ""}, {}
    async with client.stream("POST", f"{url}/chat/completions", json=request) as response:
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            chunk = json.loads(line[6:])
            usage = chunk.get("usage") or usage
            for choice in chunk.get("choices") or ():
                for name in texts:
                    text = choice["delta"].get(name)
                    if text:
                        first = first or time.perf_counter() - started
                        texts[name] += text
    return {"first": first, "usage": usage, **texts}


async def stream_all(url: str, asked: list[str], model: str, at_once: int) -> int:
    """Sampled tokens of all streams."""
    import httpx2

    gate = asyncio.Semaphore(at_once)
    tokens = 0

    async with httpx2.AsyncClient(timeout=600) as client:

        async def one(question: str) -> None:
            nonlocal tokens
            async with gate:
                request = body(question, model, stream=True, stream_options={"include_usage": True})
                done = await read_stream(client, url, request)
                tokens += done["usage"]["completion_tokens"]

        await asyncio.gather(*map(one, asked))
    return tokens


def overhead(num_problems: int, runs: int) -> dict[str, Any]:
    runner = subprocess.Popen(
        [sys.executable, "-c", _RUNNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.DEVNULL,
    )
    served = Served("--max-rows", str(NUM_STREAMS), "--sandbox-workers", "4")
    try:

        def roll(first: int, last: int) -> tuple[int, float]:
            assert runner.stdin is not None and runner.stdout is not None
            before = cpu_seconds(runner.pid)
            runner.stdin.write(json.dumps([first, last]) + "\n")
            runner.stdin.flush()
            answer = json.loads(runner.stdout.readline())
            return answer["tokens"], cpu_seconds(runner.pid) - before

        def serve(first: int, last: int) -> tuple[int, float]:
            before = cpu_seconds(served.process.pid)
            tokens = asyncio.run(stream_all(served.url, questions(first, last), "toy:hint", NUM_STREAMS))
            return tokens, cpu_seconds(served.process.pid) - before

        roll(0, 8), serve(0, 8)
        rows = []
        for run in range(runs):
            first, last = 8 + run * num_problems, 8 + (run + 1) * num_problems
            sides = [("runner", roll), ("serve", serve)]
            measured: dict[str, tuple[int, float]] = {}
            for name, side in sides if run % 2 == 0 else reversed(sides):
                measured[name] = side(first, last)
            speeds = {name: tokens / seconds for name, (tokens, seconds) in measured.items()}
            rows.append({**{f"{name}_tokens_per_cpu_s": round(speed) for name, speed in speeds.items()},
                         "tokens": [measured[name][0] for name, _ in sides],
                         "ratio": speeds["serve"] / speeds["runner"]})  # fmt: skip
            print(rows[-1], file=sys.stderr)
    finally:
        served.close()
        runner.kill()
        runner.wait()
    ratios = [row["ratio"] for row in rows]
    return {"ratio": statistics.median(ratios), "spread": [min(ratios), max(ratios)], "runs": rows}


def first_byte(num_problems: int) -> dict[str, Any]:
    from selftaught.hints import load_library
    from selftaught.records import Problem, ProblemKind
    from selftaught.rollouts.loop import Rollout
    from selftaught.rollouts.opening import open_engine
    from selftaught.rollouts.settings import RolloutSettings

    asked = questions(0, num_problems)
    settings = RolloutSettings(max_rows=1, tools=False, max_tokens=8)
    engine = open_engine(settings, "toy")

    async def alone() -> list[float]:
        found = []
        for number, question in enumerate(asked):
            problem = Problem(id=str(number), problem=question, kind=ProblemKind.MATH)
            started, first = time.perf_counter(), []

            def watch(event: Any, started: float = started, first: list[float] = first) -> None:
                if not first:
                    first.append(time.perf_counter() - started)

            rollout = Rollout(
                engine, settings, load_library(), "none", None, lambda one: one.problem, lambda one: None, watch
            )
            await rollout.run(problem, 0)
            found += first
        await engine.aclose()
        return found

    async def served_ones(url: str) -> list[float]:
        import httpx2

        found = []
        async with httpx2.AsyncClient(timeout=60) as client:
            for question in asked:
                done = await read_stream(client, url, body(question, "toy", stream=True, max_tokens=8))
                found.append(done["first"])
        return found

    base = asyncio.run(alone())
    served = Served()
    try:
        asyncio.run(served_ones(served.url))
        ours = asyncio.run(served_ones(served.url))
    finally:
        served.close()
    beyond = [a - b for a, b in zip(ours, base, strict=True)]
    return {"engine_s": statistics.median(base), "served_s": statistics.median(ours),
            "beyond_s": statistics.median(beyond), "largest_beyond_s": max(beyond)}  # fmt: skip


MARKED = "What is the remainder when 7^2023 is divided by 1000?"
"""What the hostile clients ask. The server of this part runs hostile code where the model's program has the number 2023."""

_CROWD_SERVER = r"""
import itertools, sys
from selftaught.cli.app import main
from selftaught.rollouts.tools import Interpreter
hostile = itertools.cycle([
    "import os\nwhile True: os.fork()",
    "x = []\nwhile True: x.append(bytearray(1 << 24))",
    "while True: pass",
    "while True: print('x' * 10_000)",
    "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    "import ctypes\nctypes.string_at(0)",
])
run = Interpreter.run
async def marked(self, code):
    return await run(self, next(hostile) if "2023" in code else code)
Interpreter.run = marked
sys.exit(main(sys.argv[1:]))
"""


def crowd(num_clients: int) -> dict[str, Any]:
    served = Served("--tool-timeout", "3", "--max-rows", "64", program=("-c", _CROWD_SERVER))
    rng = random.Random(7)
    asked = questions(0, num_clients)
    kinds = ["gone"] * (num_clients // 10 + 1) + ["hostile"] * (num_clients // 10 + 1)
    kinds += ["plain"] * (num_clients - len(kinds))
    rng.shuffle(kinds)
    try:
        alone = asyncio.run(_answers(served.url, asked[:8]))
        before = set(tree(served.process.pid))
        together = asyncio.run(_crowd(served.url, asked, kinds, rng))
        after = _settled(lambda: set(tree(served.process.pid)), lambda now: len(now) <= len(before))
        right = [together[at] == alone[at] for at in range(8) if kinds[at] == "plain"]
        health = asyncio.run(_page(served.url.removesuffix("/v1") + "/metrics"))
        running = next(line for line in health.splitlines() if line.startswith("start_answers_running"))
        return {"clients": num_clients, "kinds": {kind: kinds.count(kind) for kind in set(kinds)},
                "plain_answered": sum(together[at] is not None for at, kind in enumerate(kinds) if kind == "plain"),
                "same_as_alone": f"{sum(right)}/{len(right)}",
                "processes_before": len(before), "processes_after": len(after), "still_running": running.split()[-1],
                "exit_code": served.close()}  # fmt: skip
    finally:
        if served.process.poll() is None:
            served.process.kill()


def _settled(read: Callable[[], set[int]], is_done: Callable[[set[int]], bool], patience_s: float = 20.0) -> set[int]:
    until = time.monotonic() + patience_s
    while not is_done(now := read()) and time.monotonic() < until:
        time.sleep(0.2)
    return now


async def _page(url: str) -> str:
    import httpx2

    async with httpx2.AsyncClient(timeout=60) as client:
        return (await client.get(url)).text


async def _answers(url: str, asked: list[str]) -> list[str]:
    import httpx2

    async with httpx2.AsyncClient(timeout=600) as client:
        return [(await read_stream(client, url, body(one, "toy:hint", stream=True)))["content"] for one in asked]


async def _crowd(url: str, asked: list[str], kinds: list[str], rng: random.Random) -> list[str | None]:
    import httpx2

    delays = [rng.random() for _ in asked]

    async with httpx2.AsyncClient(timeout=600, limits=httpx2.Limits(max_connections=None)) as client:

        async def one(at: int) -> str | None:
            if kinds[at] == "plain":
                return (await read_stream(client, url, body(asked[at], "toy:hint", stream=True)))["content"]
            question = MARKED if kinds[at] == "hostile" else asked[at]
            async with client.stream(
                "POST", f"{url}/chat/completions", json=body(question, "toy:hint", stream=True)
            ) as response:
                async for _ in response.aiter_bytes():
                    if kinds[at] == "gone":
                        await asyncio.sleep(delays[at])
                        break
            return None

        return await asyncio.gather(*map(one, range(len(asked))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", nargs="*", default=["overhead", "first_byte", "crowd"])
    parser.add_argument("--problems", type=int, default=96)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    parts = {
        "overhead": lambda: overhead(given.problems, given.runs),
        "first_byte": lambda: first_byte(min(given.problems, 24)),
        "crowd": lambda: crowd(64),
    }
    found = {name: parts[name]() for name in given.only}
    print(json.dumps(found, indent=None if given.json else 2))


if __name__ == "__main__":
    main()
