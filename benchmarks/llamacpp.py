"""Decoding speed of llama.cpp's server beside the local engine: the same model folder, the same prompts, one thread each.

    python benchmarks/to_gguf.py FOLDER model-f16.gguf F16
    python benchmarks/llamacpp.py --server PATH/llama-server --model FOLDER --gguf model-f16.gguf [OTHER.gguf …] --json

For each number of slots, all servers and the local engine are ready at the same time and take turns; the order turns from
run to run. A turn: as many sequences as slots read a prompt each (not counted), and then draw ``--tokens`` tokens, greedily,
through the package's own engine. With ``--bare`` a plain client asks the first server for as many tokens in one request each:
the difference is what it costs that a request asks for 96 tokens only.

Counted are tokens per second of wall time, and per second of processor time of the process that computes: the server's from
``/proc``, our own for the local engine. On a busy machine only the second means something.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import httpx2
import torch

from selftaught.engines import SampleRequest, SamplingParams, SequenceKey
from selftaught.engines.http import HttpEngine
from selftaught.engines.local import LocalEngine
from selftaught.tokens import resolve_model

READY_S = 600.0
"""Longest wait for a server."""
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A ``llama-server`` of ours on a free port."""

    def __init__(self, program: str, gguf: Path, slots: int, context: int, more: list[str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [program, "-m", str(gguf), "--port", str(self.port), "--threads", "1", "--threads-batch", "1"]
        command += ["-np", str(slots), "-c", str(slots * context), "--cache-ram", "0", *more]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{self.port}"
        started = time.monotonic()
        while time.monotonic() - started < READY_S:
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended with {self.process.returncode}: {' '.join(command)}")
            try:
                if httpx2.get(f"{self.url}/health", timeout=3.0).status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            time.sleep(0.5)
        raise SystemExit(f"no server at {self.url} within {READY_S:g} s")

    def cpu_s(self) -> float:
        """Processor time of the server so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


async def through(engine: LocalEngine | HttpEngine, prompts: list[list[int]], num_tokens: int, cpu: Any) -> Any:
    """Wall and processor seconds of the drawing alone, and what was drawn."""
    none = engine.codec.token_set("none", lambda: ())
    rows = [engine.open(SequenceKey(0, str(at)), SamplingParams()) for at in range(len(prompts))]
    for row, prompt in zip(rows, prompts, strict=True):
        row.extend(prompt)
    await asyncio.gather(*(row.sample(SampleRequest(1, none)) for row in rows))
    before, started = cpu(), time.perf_counter()
    found = await asyncio.gather(*(draw(row, num_tokens, none) for row in rows))
    seconds = time.perf_counter() - started, cpu() - before
    for row in rows:
        row.close()
    return *seconds, found


async def draw(row: Any, num_tokens: int, none: Any) -> list[int]:
    """As a rollout asks: 96 at a time."""
    ids: list[int] = []
    while len(ids) < num_tokens:
        ids += (await row.sample(SampleRequest(min(96, num_tokens - len(ids)), none))).token_ids
    return ids


async def bare(server: Server, prompts: list[list[int]], num_tokens: int) -> Any:
    """The same by one request each."""
    async with httpx2.AsyncClient(timeout=httpx2.Timeout(900.0)) as client:

        async def one(prompt: list[int], count: int) -> list[int]:
            body = {"prompt": prompt, "n_predict": count, "temperature": 0.0, "samplers": ["temperature"]}
            body |= {"return_tokens": True, "cache_prompt": True, "ignore_eos": True}
            ids: list[int] = (await client.post(f"{server.url}/completion", json=body)).json()["tokens"]
            return ids

        firsts = await asyncio.gather(*(one(prompt, 1) for prompt in prompts))
        before, started = server.cpu_s(), time.perf_counter()
        longer = [[*prompt, *first] for prompt, first in zip(prompts, firsts, strict=True)]
        found = await asyncio.gather(*(one(prompt, num_tokens) for prompt in longer))
        return time.perf_counter() - started, server.cpu_s() - before, found


def measure(arguments: argparse.Namespace, slots: int) -> dict[str, Any]:
    """Tokens per second of all, in turns."""
    folder = resolve_model(arguments.model)
    context = arguments.prompt + arguments.tokens + 64
    local = LocalEngine(folder, max_rows=slots)
    generator = random.Random(0)
    size = len(local.codec.token_bytes)
    plain = [one for one in range(min(size, 20_000)) if one not in local.codec.control_ids]
    prompts = [generator.choices(plain, k=arguments.prompt) for _ in range(slots)]
    servers = {
        gguf.name: Server(arguments.server, gguf, slots, context, arguments.more.split()) for gguf in arguments.gguf
    }
    first = next(iter(servers))
    names = ["local", *servers, *(["bare"] if arguments.bare else [])]
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    said: dict[str, list[list[int]]] = {}

    async def turn(name: str) -> None:
        if name == "local":
            wall, cpu, ids = await through(local, prompts, arguments.tokens, time.process_time)
        elif name == "bare":
            wall, cpu, ids = await bare(servers[first], prompts, arguments.tokens)
        else:
            server = servers[name]
            engine = HttpEngine([server.url], tokenizer=str(folder), max_rows=slots)
            wall, cpu, ids = await through(engine, prompts, arguments.tokens, server.cpu_s)
            await engine.aclose()
        said[name] = ids
        number = arguments.tokens * slots
        found[name].append((number / wall, number / cpu))

    try:
        with asyncio.Runner() as runner:
            for run in range(arguments.runs + arguments.uncounted):
                for name in names[run % len(names) :] + names[: run % len(names)]:
                    runner.run(turn(name))
                    print(slots, run, name, [round(one, 1) for one in found[name][-1]], file=sys.stderr)
    finally:
        for server in servers.values():
            server.stop()
    result: dict[str, Any] = {"slots": slots}
    for name in names:
        wall, cpu = zip(*found[name][arguments.uncounted :], strict=True)
        result[name] = {
            "tokens_per_s": round(statistics.median(wall), 1),
            "tokens_per_cpu_s": round(statistics.median(cpu), 1),
            "spread_cpu": [round(min(cpu), 1), round(max(cpu), 1)],
            "rows_as_local": sum(ours == theirs for ours, theirs in zip(said["local"], said[name], strict=True)),
        }
        pairs = zip(found[name][arguments.uncounted :], found["local"][arguments.uncounted :], strict=True)
        ratios = [one[1] / other[1] for one, other in pairs]
        result[name]["cpu_ratio_to_local"] = round(statistics.median(ratios), 2)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the program llama-server")
    parser.add_argument("--model", default="toy", help="the folder for the local engine and the tokenizer")
    parser.add_argument("--gguf", nargs="+", type=Path, required=True, help="files to serve, the first one by bare too")
    parser.add_argument("--slots", nargs="+", type=int, default=[8, 16, 32])
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--prompt", type=int, default=32)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--uncounted", type=int, default=1, help="rounds before those that count")
    parser.add_argument("--more", default="", help="further options of the servers, in one word")
    parser.add_argument("--bare", action="store_true", help="a plain client too")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = [measure(arguments, slots) for slots in arguments.slots]
    print(json.dumps({"benchmark": "llamacpp", "runs": arguments.runs, "measures": found}, indent=2))


if __name__ == "__main__":
    main()
