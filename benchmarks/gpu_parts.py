"""The parts of ``gpu.py``. Each takes a `Job` and notes rows: plain dictionaries of what was measured and its figures."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from gpu_job import Job, first_that_fits, matmul_tflops, now, peak_gb, sheet_tflops
from gpu_sft import sft

# ---------------------------------------------------------------------------------------------------------------- machine


def machine(job: Job) -> None:
    """The chip, and what it does at best."""
    name = torch.cuda.get_device_name() if job.device == "cuda" else "CPU"
    job.note(what="device", value=name)
    job.note(what="torch", value=f"{torch.__version__}, CUDA {torch.version.cuda}")
    job.note(what="CPU cores", value=os.cpu_count())
    if job.device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        job.note(what="memory, GB", value=round(properties.total_memory / 1e9, 1))
        job.note(what="compute capability", value=f"{properties.major}.{properties.minor}")
    job.note(what="matrix products in bfloat16, TFLOP/s, measured", value=round(matmul_tflops(job), 4))
    job.note(what="the same, TFLOP/s, by the data sheet", value=sheet_tflops(name) or "not known")
    count = (1 << 20) if job.small else (1 << 29)
    source = torch.zeros(count, dtype=torch.bfloat16, device=job.device)
    target = torch.empty_like(source)
    target.copy_(source)
    started = now()
    for _ in range(10):
        target.copy_(source)
    job.note(what="copying memory, GB/s read and written", value=round(10 * 4 * count / (now() - started) / 1e9, 1))


# ----------------------------------------------------------------------------------------------------------------- engine


def engine(job: Job) -> None:
    """Prefill and decoding of the local engine in bfloat16, and transformers' ``generate`` beside it."""
    rows_of = (1, 4) if job.small else (1, 32, 256)
    for name, folder in (("embedded", job.toy()), job.large()):
        for rows in rows_of:
            if not job.has_time(15):
                job.note(model=name, size=rows, left_out="no time left")
                continue
            sizes = [rows >> shift for shift in range(4) if rows >> shift] if rows > 1 else [1]
            first_that_fits(job, sizes, lambda size: engine_speed(job, name, folder, size), model=name)  # noqa: B023
    if job.has_time(20):
        rows = rows_of[1]
        first_that_fits(
            job, [rows, rows // 2], lambda size: generate_speed(job, name, folder, size), model=f"{name}, generate"
        )


def lengths(job: Job) -> tuple[int, int]:
    """Tokens of a prompt, and tokens decoded after it."""
    return (24, 9) if job.small else (512, 129)


def engine_speed(job: Job, name: str, folder: Path, rows: int) -> None:
    """One row of the table: tokens a second of both kinds over ``rows`` sequences that start together."""
    from selftaught.engines.base import SampleRequest, SamplingParams, SequenceKey
    from selftaught.engines.local import LocalEngine

    num_prompt, num_new = lengths(job)
    engine = LocalEngine(folder, max_rows=rows, dtype="bfloat16", device=job.device)
    none = engine.codec.token_set("none", lambda: ())

    async def timed() -> tuple[float, float]:
        opened = [engine.open(SequenceKey(0, str(index)), SamplingParams()) for index in range(rows)]
        for index, row in enumerate(opened):
            row.extend([(index * 7 + at) % 300 for at in range(num_prompt)])
        started = now()
        await asyncio.gather(*(row.sample(SampleRequest(1, none)) for row in opened))
        middle = now()
        await asyncio.gather(*(row.sample(SampleRequest(num_new - 1, none)) for row in opened))
        ended = now()
        for row in opened:
            row.close()
        return middle - started, ended - middle

    asyncio.run(timed())  # kernels are chosen and the cache grows in the first pass
    prefill_s, decode_s = asyncio.run(timed())
    job.note(
        model=name,
        rows=rows,
        prefill_tokens_per_s=round(rows * num_prompt / prefill_s, 1),
        decode_tokens_per_s=round(rows * (num_new - 1) / decode_s, 1),
        ms_per_step=round(1000 * decode_s / (num_new - 1), 2),
        memory_gb=peak_gb(),
    )


def generate_speed(job: Job, name: str, folder: Path, rows: int) -> None:
    """The same of transformers' ``generate``: the seconds of one token are taken off those of all."""
    from transformers import AutoModelForCausalLM

    num_prompt, num_new = lengths(job)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).to(job.device).eval()
    model.generation_config.eos_token_id = None
    ids = torch.tensor([[(index * 7 + at) % 300 for at in range(num_prompt)] for index in range(rows)])
    ids = ids.to(job.device)

    def seconds(count: int) -> float:
        started = now()
        with torch.inference_mode():
            model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=count,
                min_new_tokens=count,
                do_sample=False,
                pad_token_id=0,
            )
        return now() - started

    seconds(2)
    prefill_s = seconds(1)
    decode_s = max(seconds(num_new) - prefill_s, 1e-9)
    job.note(
        model=f"{name}, transformers generate",
        rows=rows,
        prefill_tokens_per_s=round(rows * num_prompt / prefill_s, 1),
        decode_tokens_per_s=round(rows * (num_new - 1) / decode_s, 1),
        ms_per_step=round(1000 * decode_s / (num_new - 1), 2),
        memory_gb=peak_gb(),
    )


# --------------------------------------------------------------------------------------------------------------- rollouts


def rollouts(job: Job) -> None:
    """`rollout.hinted_vs_plain` on the wall clock: tools answer after 20 ms, so that the sandbox does not decide."""
    from rollout import hinted_vs_plain, on_wall_clock

    models = [("embedded", job.toy())] + ([job.large()] if job.given else [])
    for name, folder in models:
        for rows in (2,) if job.small else (32, 256):
            if not job.has_time(20):
                job.note(model=name, size=rows, left_out="no time left")
                continue

            def work(size: int, name: str = name, folder: Path = folder) -> None:
                found = hinted_vs_plain(
                    folder,
                    size,
                    1 if job.small else 3,
                    timed=on_wall_clock,
                    dtype="bfloat16",
                    max_tokens=60 if job.small else 600,
                )
                job.note(
                    model=name,
                    rows=size,
                    all_tokens_over_plain=found["ratio"],
                    sampled_tokens_over_plain=found["sampled_tokens_only"],
                    rows_as_long_as_trajectories=found["each_as_long_as_its_trajectory"],
                    sampled_tokens_per_s=found["sampled_per_s"],
                    trajectories=found["trajectories"],
                    calls=found["calls"],
                )

            first_that_fits(job, [rows, max(1, rows // 4)], work, model=name)


# ----------------------------------------------------------------------------------------------------------------- parity


def parity(job: Job) -> None:
    """The GPU's tokens against the CPU's, and right answers in both number types. The development split."""
    from rollout import problems

    from selftaught.problems import render_question

    folder = job.toy()
    asked = problems(8 if job.small else 100)
    num_tokens = 16 if job.small else 96
    found: dict[str, list[list[int]]] = {}
    prompts: list[list[int]] = []
    for device in ("cpu", job.device):
        from selftaught.engines.local import LocalEngine

        engine = LocalEngine(folder, max_rows=64, dtype="float32", device=device)
        prompts = [engine.codec.encode_chat(render_question(problem)) for problem in asked]
        found[device if device not in found else "cpu again"] = asyncio.run(greedy(engine, prompts, num_tokens))
    one, other = found.values() if len(found) == 2 else [*found.values()] * 2
    gaps = [gap for gap in first_gaps(folder, prompts, one, other) if gap is not None]
    job.note(
        compared=f"float32, {job.device} against cpu, {num_tokens} tokens",
        problems=len(asked),
        identical=len(asked) - len(gaps),
        near_ties=sum(gap <= 1e-4 for gap in gaps),
        largest_gap=max(gaps, default=0.0),
    )
    for dtype in ("float32",) if job.small else ("float32", "bfloat16"):
        if job.has_time(15):
            accuracy(job, folder, dtype)
        else:
            job.note(accuracy_of=dtype, left_out="no time left")


def accuracy(job: Job, folder: Path, dtype: str) -> None:
    """Right answers of the embedded reasoner with hints and tools on its development problems."""
    from rollout import problems

    import selftaught

    asked = problems(3 if job.small else 200)
    out = job.scratch / f"accuracy-{dtype}"
    cheap: dict[str, Any] = {"preload": (), "max_tokens": 40} if job.small else {"max_tokens": 900}
    started = now()
    selftaught.rollout(
        asked, model=str(folder), out=out, hints="auto", dtype=dtype, device=job.device, quiet=True, **cheap
    )
    (graded,) = selftaught.grade_run(out, problems=asked, workers=1)
    job.note(
        accuracy_of=f"embedded with hints, {dtype}, {job.device}",
        problems=len(asked),
        right=round(graded.accuracy * len(asked)),
        seconds=round(now() - started, 1),
    )


async def greedy(engine: Any, prompts: list[list[int]], num_tokens: int) -> list[list[int]]:
    """So many greedy tokens after each prompt."""
    from selftaught.engines.base import SampleRequest, SamplingParams, SequenceKey

    none = engine.codec.token_set("none", lambda: ())

    async def one(index: int) -> list[int]:
        row = engine.open(SequenceKey(0, str(index)), SamplingParams())
        row.extend(prompts[index])
        ids: list[int] = (await row.sample(SampleRequest(num_tokens, none))).token_ids
        row.close()
        return ids

    return list(await asyncio.gather(*(one(index) for index in range(len(prompts)))))


def first_gaps(
    folder: Path, prompts: list[list[int]], ours: list[list[int]], others: list[list[int]]
) -> list[float | None]:
    """For each prompt, how far apart the logits of the first two different tokens are (transformers, CPU); None if none is."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    gaps: list[float | None] = []
    for prompt, one, other in zip(prompts, ours, others, strict=True):
        at = next((at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), None)
        if at is None:
            gaps.append(None)
            continue
        with torch.inference_mode():
            logits = model(torch.tensor([prompt + one[:at]])).logits[0, -1]
        gaps.append(abs(float(logits[one[at]] - logits[other[at]])))
    return gaps


# ------------------------------------------------------------------------------------------------------------------- demo


def demo(job: Job) -> None:
    """``selftaught demo``, cut so that it ends within the time on a fast machine; each stage is noted when it is done.

    The small one has so few tokens that the loop ends with its first data set, which is empty, and with a report.
    """
    cut = (4, 4, 8) if job.small else (400, 100, 900)
    overrides = [f"pool.limit={cut[0]}", f"test.limit={cut[1]}", f"defaults.max_tokens={cut[2]}"]
    overrides += ["evaluate.scaling_rounds=1", "parallel_stages=1"]
    run = job.scratch / "demo"
    job.note(command="selftaught demo " + " ".join(f"--set {override}" for override in overrides))
    started = time.monotonic()
    if job.small:
        overrides.append("defaults.preload=[]")
        from selftaught.pipeline.execute import execute
        from selftaught.pipeline.load import load_recipe

        execute(load_recipe("demo", overrides), run, num_cores=1, quiet=True, start_method="fork")  # no new imports
        note_stages(job, run, set())
    else:
        run_demo(job, run, overrides)
    job.note(total="all stages", seconds=round(time.monotonic() - started, 1))


def run_demo(job: Job, run: Path, overrides: list[str]) -> None:
    """The command as users give it, in a process of its own."""
    words = [sys.executable, "-m", "selftaught", "demo", "--out", str(run)]
    words += [word for override in overrides for word in ("--set", override)]
    noted: set[str] = set()
    with (job.scratch / "demo.log").open("wb") as log:
        child = subprocess.Popen(words, stdout=log, stderr=log)
        while child.poll() is None:
            time.sleep(0.5)
            note_stages(job, run, noted)
    note_stages(job, run, noted)
    if child.returncode:
        last = (job.scratch / "demo.log").read_text("utf-8", "replace").strip().splitlines()[-1:]
        raise RuntimeError(f"selftaught demo ended with code {child.returncode}: {''.join(last)[:200]}")


def note_stages(job: Job, run: Path, noted: set[str]) -> None:
    """Note the stages that have become complete."""
    for path in sorted((run / "stages").glob("*.json"), key=lambda path: path.stat().st_mtime):
        if path.name not in noted:
            noted.add(path.name)
            marker = json.loads(path.read_text("utf-8"))
            job.note(stage=marker["name"], seconds=round(marker["seconds"], 1), tokens=marker["tokens"])


PARTS: dict[str, Callable[[Job], None]] = {
    "machine": machine,
    "engine": engine,
    "rollouts": rollouts,
    "parity": parity,
    "sft": sft,
    "demo": demo,
}
