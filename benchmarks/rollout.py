"""Speed of rollouts, each ratio against a baseline measured in the same run.

    python benchmarks/rollout.py --json [--model FOLDER] [--runs 3] [--rows 64] [--only NAME …]

Without ``--model`` the embedded reasoner is used, or a random model of its shape. Compute ratios are taken in CPU-seconds of
this process, one thread, so that a busy machine does not decide them.
Baseline and ours alternate; a ratio is the median over runs, ``spread`` its smallest and largest.

hinted_vs_plain       64 rows with hints, tools and everything that a rollout does, against plain decoding of as many tokens
                      after the prompt by the same engine; calls are answered after 20 ms by a stand-in, so that the sandbox's
                      share of a busy machine does not decide (virtual clock). The baseline's rows are all equally long, so
                      none runs on alone at the end; ``each_as_long_as_its_trajectory`` is against rows of our lengths
slot_vs_lockstep      the same virtual trajectories (pieces, pauses of 0.05 to 2 s for tools, insertions), each on its own
                      clock, against a loop in which all rows stop, all tools run, all resume (seconds on a clock that counts
                      this process's CPU time plus all waits: the wall time of an otherwise idle machine)
local_vs_transformers decoding as many tokens at the same batch in fp32 against transformers generate (CPU)
fork_vs_full          prefill and decode work of one prefix forked into 4, against 4 full rollouts (tokens computed)
parity                100 greedy problems against transformers: identical, or the first difference at a near-tie
memory                resident memory with 5,000 queued trajectories against 500 (ratio of growth)
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch

from selftaught.engines import SampleRequest, SamplingParams, SequenceKey, load_engine
from selftaught.engines.local import LocalEngine
from selftaught.engines.tiny import make_tiny_model
from selftaught.errors import SelftaughtError
from selftaught.hints import load_library
from selftaught.problems import render_question
from selftaught.records import ExecStatus, Problem
from selftaught.rollouts.loop import Rollout
from selftaught.rollouts.settings import RolloutSettings
from selftaught.rollouts.tools import CellResult, ToolBox
from selftaught.rollouts.worker import Finished, Setup, Task, TaskDone, WorkerCore

NEW_TOKENS = 160


def model_folder(given: str | None, scratch: Path) -> Path:
    """The model to measure with."""
    from selftaught.tokens import resolve_model

    if given:
        return resolve_model(given)
    try:
        return resolve_model("toy")
    except SelftaughtError:
        print("no embedded model: a random one of its shape", file=sys.stderr)
        return make_tiny_model(
            scratch / "model",
            hidden=192,
            num_layers=4,
            num_heads=6,
            num_kv_heads=2,
            inner=512,
            max_context=2048,
            spread=0.05,
        )


def problems(count: int) -> list[Problem]:
    """Questions of the embedded reasoner's development split."""
    from selftaught.toy.problems import generate

    return generate("dev", count)


def open_engine(folder: Path, rows: int, dtype: str = "auto") -> LocalEngine:
    engine = load_engine(str(folder), max_rows=rows, dtype=dtype)
    assert isinstance(engine, LocalEngine)
    return engine


def summary(name: str, baseline: str, unit: str, ratios: list[float], **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "baseline": baseline,
        "unit": unit,
        "ratio": round(statistics.median(ratios), 3),
        "spread": [round(min(ratios), 3), round(max(ratios), 3)],
        "runs": len(ratios),
        **more,
    }


async def plain(engine: LocalEngine, prompts: list[list[int]], num_tokens: int | list[int]) -> float:
    """Decode ``num_tokens`` a row (or as many as the list says for each); CPU-seconds."""
    none = engine.codec.token_set("none", lambda: ())

    async def one(index: int, prompt: list[int]) -> None:
        row = engine.open(SequenceKey(0, str(index)), SamplingParams())
        row.extend(prompt)
        left = num_tokens if isinstance(num_tokens, int) else num_tokens[index]
        while left > 0:
            left -= len((await row.sample(SampleRequest(min(96, left), none))).token_ids)
        row.close()

    started = time.process_time()
    await asyncio.gather(*(one(index, prompt) for index, prompt in enumerate(prompts)))
    return time.process_time() - started


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a virtual clock: CPU time of this process, plus waits, which are skipped instead of slept."""

    def __init__(self) -> None:
        super().__init__()
        self._skipped_s = 0.0
        plain_select = self._selector.select

        def select(timeout: float | None = None) -> Any:
            if timeout is not None and timeout > 0:
                self._skipped_s += timeout
            return plain_select(0)

        self._selector.select = select

    def time(self) -> float:
        return time.process_time() + getattr(self, "_skipped_s", 0.0)


def on_virtual_clock(work: Callable[[], Any]) -> float:
    """Seconds that ``work`` takes on the virtual clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:

        async def timed() -> float:
            loop = asyncio.get_running_loop()
            started = loop.time()
            await work()
            return loop.time() - started

        return runner.run(timed())


def on_wall_clock(work: Callable[[], Any]) -> float:
    """Seconds that ``work`` takes by the wall clock: on a GPU, CPU time says nothing."""

    async def timed() -> float:
        started = time.perf_counter()
        await work()
        return time.perf_counter() - started

    return asyncio.run(timed())


# ----------------------------------------------------------------------------------------------------------- measures


class QuickTool:
    """Answers every call after 20 ms."""

    async def run(self, code: str, timeout_s: float | None = None) -> Any:
        await asyncio.sleep(0.02)
        return CellResult(ExecStatus.OK, "42\n", 0.02, False, "none")

    @contextlib.asynccontextmanager
    async def session(self, source: str | None = None) -> AsyncIterator[QuickTool]:
        yield self

    def covers(self, code: str) -> bool:
        return True


def hinted_vs_plain(
    folder: Path,
    rows: int,
    runs: int,
    *,
    timed: Callable[[Callable[[], Any]], float] = on_virtual_clock,
    dtype: str = "auto",
    max_tokens: int = 600,
    trajectories: int | None = None,
) -> dict[str, Any]:
    """``timed`` says by which clock; `on_wall_clock` for a GPU. Three trajectories a row unless it is said otherwise."""
    asked = problems(trajectories or rows * 3)
    settings = RolloutSettings(
        hints="auto", rounds=1, max_rows=rows, max_tokens=max_tokens, tool_timeout_s=1.0, preload=(), cache_tools=False
    )
    in_flight = Setup(str(folder), settings).in_flight
    counted = {"calls": 0, "sampled": 0, "all": 0}
    lengths: dict[str, int] = {}

    async def hinted() -> None:
        free = asyncio.Semaphore(in_flight)

        def send(message: object) -> None:
            if isinstance(message, TaskDone):
                free.release()
            elif isinstance(message, Finished):
                counted["calls"] += message.num_calls
                record = json.loads(message.line)
                spans = record["spans"][1:]
                lengths[record["problem_id"]] = sum(len(span["token_ids"]) for span in spans)
                counted["all"] += lengths[record["problem_id"]]
                counted["sampled"] += sum(len(span["token_ids"]) for span in spans if span["source"] == "model")

        core = WorkerCore(send=send)
        core.engine, core.rollout = engine, rollout
        rollout.emit = functools.partial(core._emit, is_plain=False)
        for problem in asked:
            await free.acquire()
            core.submit(Task(problem, 0))
        for _ in range(in_flight):
            await free.acquire()

    engine = open_engine(folder, rows, dtype)
    tools = ToolBox(QuickTool(), settings)
    rollout = Rollout(engine, settings, load_library(), "auto", tools, render_question, lambda one: None)
    prompts = [engine.codec.encode_chat(render_question(problem)) for problem in asked]
    ratios, same_lengths, sampled_only, sampled_per_s = [], [], [], []
    for _ in range(runs):
        counted.update(calls=0, sampled=0, all=0)
        ours_s = timed(hinted)
        sampled_per_s.append(counted["sampled"] / ours_s)
        share = max(1, counted["all"] // len(prompts))
        theirs_s = timed(lambda share=share: plain(engine, prompts, share))
        ratios.append((counted["all"] / ours_s) / (share * len(prompts) / theirs_s))
        sampled_only.append((counted["sampled"] / ours_s) / (share * len(prompts) / theirs_s))
        each = [lengths[problem.id] for problem in asked]
        ragged_s = timed(lambda each=each: plain(engine, prompts, each))
        same_lengths.append(ragged_s / ours_s)
    return summary(
        "hinted_vs_plain",
        "plain decoding of as many tokens after the prompt, same engine, same prompts",
        f"tokens after the prompt per second, {timed.__name__}",
        ratios,
        each_as_long_as_its_trajectory=round(statistics.median(same_lengths), 3),
        sampled_tokens_only=round(statistics.median(sampled_only), 3),
        sampled_per_s=round(statistics.median(sampled_per_s), 1),
        trajectories=len(asked),
        **counted,
    )


def slot_vs_lockstep(folder: Path, rows: int, runs: int) -> dict[str, Any]:
    def plan(index: int) -> list[tuple[int, float, list[int]]]:
        rng = random.Random(index)
        return [
            (rng.randint(20, 120), rng.uniform(0.05, 2.0), [rng.randrange(300) for _ in range(12)])
            for _ in range(rng.randint(1, 3))
        ]

    plans = [plan(index) for index in range(rows * 2)]
    prompts = [[(index * 7 + at) % 300 for at in range(60)] for index in range(rows * 2)]

    engine = open_engine(folder, rows)

    async def own_clock() -> None:
        none = engine.codec.token_set("none", lambda: ())
        free = asyncio.Semaphore(rows)

        async def one(index: int) -> None:
            async with free:
                row = engine.open(SequenceKey(0, str(index)), SamplingParams())
                row.extend(prompts[index])
                for num_tokens, pause_s, inserted in plans[index]:
                    await row.sample(SampleRequest(num_tokens, none))
                    await asyncio.sleep(pause_s)
                    row.extend(inserted)
                await row.sample(SampleRequest(30, none))
                row.close()

        await asyncio.gather(*(one(index) for index in range(len(plans))))

    async def lockstep() -> None:
        none = engine.codec.token_set("none", lambda: ())
        for first in range(0, len(plans), rows):
            batch = list(range(first, min(first + rows, len(plans))))
            open_rows = {index: engine.open(SequenceKey(0, str(index)), SamplingParams()) for index in batch}
            for index, row in open_rows.items():
                row.extend(prompts[index])
            for turn in range(3):
                live = [index for index in batch if turn < len(plans[index])]
                await asyncio.gather(
                    *(open_rows[index].sample(SampleRequest(plans[index][turn][0], none)) for index in live)
                )
                await asyncio.gather(*(asyncio.sleep(plans[index][turn][1]) for index in live))
                for index in live:
                    open_rows[index].extend(plans[index][turn][2])
            await asyncio.gather(*(row.sample(SampleRequest(30, none)) for row in open_rows.values()))
            for row in open_rows.values():
                row.close()

    ratios, ours, theirs = [], [], []
    for _ in range(runs):
        theirs.append(on_virtual_clock(lockstep))
        ours.append(on_virtual_clock(own_clock))
        ratios.append(theirs[-1] / ours[-1])
    return summary(
        "slot_vs_lockstep",
        "all rows stop, all tools run, all resume",
        "seconds on the virtual clock, baseline / ours",
        ratios,
        ours_s=round(statistics.median(ours), 2),
        theirs_s=round(statistics.median(theirs), 2),
    )


def local_vs_transformers(folder: Path, rows: int, runs: int) -> dict[str, Any]:
    from transformers import AutoModelForCausalLM

    theirs_model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    theirs_model.generation_config.eos_token_id = None
    prompts = [[(index * 7 + at) % 300 for at in range(32)] for index in range(rows)]
    batch = torch.tensor(prompts)
    ratios, ours, theirs = [], [], []
    for _ in range(runs):
        started = time.process_time()
        with torch.inference_mode():
            theirs_model.generate(
                batch, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=0
            )
        theirs.append(rows * NEW_TOKENS / (time.process_time() - started))
        engine = open_engine(folder, rows)
        ours.append(rows * NEW_TOKENS / asyncio.run(plain(engine, prompts, NEW_TOKENS)))
        ratios.append(ours[-1] / theirs[-1])
    return summary(
        "local_vs_transformers",
        f"transformers generate, batch {rows}, fp32, equal lengths",
        "tokens per CPU-second",
        ratios,
        ours=round(statistics.median(ours)),
        theirs=round(statistics.median(theirs)),
    )


def fork_vs_full(folder: Path, rows: int, runs: int) -> dict[str, Any]:
    """A prefix of 60 + 200 tokens, then 4 continuations of 60: what is computed once instead of four times."""

    async def work(fork: bool) -> tuple[int, float]:
        engine = open_engine(folder, rows)
        none = engine.codec.token_set("none", lambda: ())
        started = time.process_time()

        async def family(number: int) -> None:
            prompt = [(number * 7 + at) % 300 for at in range(60)]

            async def whole(branch: int) -> None:
                row = engine.open(SequenceKey(0, str(number)), SamplingParams())
                row.extend(prompt)
                await row.sample(SampleRequest(200, none))
                row.extend([branch] * 8)
                await row.sample(SampleRequest(60, none))
                row.close()

            if not fork:
                await asyncio.gather(*(whole(branch) for branch in range(4)))
                return
            trunk = engine.open(SequenceKey(0, str(number)), SamplingParams())
            trunk.extend(prompt)
            await trunk.sample(SampleRequest(200, none))
            branches = [trunk, *(trunk.fork() for _ in range(3))]
            for branch, row in enumerate(branches):
                row.extend([branch] * 8)
            await asyncio.gather(*(row.sample(SampleRequest(60, none)) for row in branches))
            for row in branches:
                row.close()

        await asyncio.gather(*(family(number) for number in range(rows // 4)))
        return engine.stats.prefill_tokens + engine.stats.decode_tokens, time.process_time() - started

    ratios, seconds = [], []
    for _ in range(runs):
        full, full_s = asyncio.run(work(False))
        forked, forked_s = asyncio.run(work(True))
        ratios.append(forked / full)
        seconds.append(forked_s / full_s)
    return summary(
        "fork_vs_full",
        "4 full rollouts",
        "tokens computed, ours / baseline",
        ratios,
        cpu_ratio=round(statistics.median(seconds), 3),
    )


def parity(folder: Path, rows: int, runs: int) -> dict[str, Any]:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    engine = open_engine(folder, rows)
    prompts = [engine.codec.encode_chat(render_question(problem)) for problem in problems(100)]
    none = engine.codec.token_set("none", lambda: ())

    async def all_of_them() -> list[list[int]]:
        async def one(index: int) -> list[int]:
            row = engine.open(SequenceKey(0, str(index)), SamplingParams())
            row.extend(prompts[index])
            ids = (await row.sample(SampleRequest(96, none))).token_ids
            row.close()
            return ids

        return await asyncio.gather(*(one(index) for index in range(len(prompts))))

    identical = near_ties = worst = 0.0
    for prompt, ids in zip(prompts, asyncio.run(all_of_them()), strict=True):
        with torch.inference_mode():
            logits = model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
        top = logits.max(-1).values
        gaps = [float(top[at] - logits[at, token_id]) for at, token_id in enumerate(ids)]
        first = next((gap for gap in gaps if gap > 0), 0.0)
        identical += first == 0.0
        near_ties += 0.0 < first <= 1e-4
        worst = max(worst, first)
    return {
        "name": "parity",
        "baseline": "transformers, greedy, fp32, 96 tokens",
        "problems": len(prompts),
        "identical": int(identical),
        "near_ties": int(near_ties),
        "largest_gap": worst,
        "ratio": (identical + near_ties) / len(prompts),
        "spread": None,
        "runs": 1,
    }


def memory(folder: Path, rows: int, runs: int) -> dict[str, Any]:
    """Peak resident memory of a child that rolls out 500 or 5,000 trajectories of 12 tokens."""
    import subprocess

    program = (
        "import resource, sys, tempfile\nfrom pathlib import Path\n"
        "from selftaught.records import Problem\nfrom selftaught.rollouts import RolloutSettings, run_rollout\n"
        "count, model = int(sys.argv[1]), sys.argv[2]\n"
        "asked = [Problem(id=str(n), problem='What is %d + 1?' % n, kind='math') for n in range(count)]\n"
        "with tempfile.TemporaryDirectory() as out:\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    run_rollout(asked, model, Path(out), RolloutSettings(tools=False, max_tokens=12))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )

    def grown(count: int) -> int:
        done = subprocess.run(
            [sys.executable, "-c", program, str(count), str(folder)], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    few, many = grown(500), grown(5000)
    return summary(
        "memory",
        "500 queued trajectories",
        "resident growth in KiB, 5,000 / 500",
        [many / few],
        few_kib=few,
        many_kib=many,
    )


MEASURES: dict[str, Callable[[Path, int, int], dict[str, Any]]] = {
    function.__name__: function
    for function in (hinted_vs_plain, slot_vs_lockstep, local_vs_transformers, fork_vs_full, parity, memory)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--model", help="a model folder; by default the embedded reasoner")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--only", nargs="*", choices=list(MEASURES))
    parser.add_argument("--trajectories", type=int, help="of hinted_vs_plain, for a large model; by default 3 a row")
    parser.add_argument("--max-tokens", type=int, default=600, help="of hinted_vs_plain")
    arguments = parser.parse_args()
    of_its_own = {"trajectories": arguments.trajectories, "max_tokens": arguments.max_tokens}
    measures = MEASURES | {"hinted_vs_plain": functools.partial(hinted_vs_plain, **of_its_own)}
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = model_folder(arguments.model, Path(scratch))
        for name in arguments.only or MEASURES:
            print(f"… {name}", file=sys.stderr)
            found[name] = measures[name](folder, arguments.rows, arguments.runs)
            if not arguments.json:
                print(name, json.dumps(found[name]))
    if arguments.json:
        print(
            json.dumps(
                {"benchmark": "rollout", "model": str(folder.name), "rows": arguments.rows, "ratios": found}, indent=2
            )
        )


if __name__ == "__main__":
    main()
