"""Decoding of a real model by the local engine and by transformers' ``generate``, in one process, on one thread.

    python benchmarks/decoding.py MODEL [--problems FILE] [--rows 32] [--tokens 17] [--dtype auto] [--runs 1]
                                  [--vllm PYTHON]

``--vllm`` names the Python of an environment with vLLM's CPU build (``served.py`` says how to make one): it decodes the same
prompts in its own process, compiled, in the order ours, ``generate``, vLLM.

Prints tokens per CPU-second of the process, so that other load decides little, how much of the text is the same, and the
logit gap where it is not. MODEL is a folder, a GGUF file or a hub id that transformers can load. FILE is JSON Lines with
``problem`` or ``question``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch

from selftaught.engines import SampleRequest, SamplingParams, SequenceKey, load_engine
from selftaught.engines.local import LocalEngine
from selftaught.tokens import resolve_model


async def ours(engine: LocalEngine, prompts: list[list[int]], num_tokens: int) -> tuple[list[list[int]], float, float]:
    """What the engine says, and its CPU seconds up to the first tokens and for the others."""
    none = engine.codec.token_set("none", lambda: ())
    rows = [engine.open(SequenceKey(0, str(index)), SamplingParams()) for index in range(len(prompts))]
    for row, prompt in zip(rows, prompts, strict=True):
        row.extend(prompt)
    started = time.process_time()
    first = await asyncio.gather(*(row.sample(SampleRequest(1, none)) for row in rows))
    middle = time.process_time()
    rest = await asyncio.gather(*(row.sample(SampleRequest(num_tokens - 1, none)) for row in rows))
    ids = [[*a.token_ids, *b.token_ids] for a, b in zip(first, rest, strict=True)]
    ended = time.process_time()
    for row in rows:
        row.close()  # or the next round would wait for room for ever
    return ids, middle - started, ended - middle


def left_padded(prompts: list[list[int]], pad: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask of the prompts as ``generate`` wants them, [rows, longest prompt]."""
    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    return ids, mask


def theirs(model: Any, prompts: list[list[int]], num_tokens: int) -> tuple[list[list[int]], float, float]:
    """The same of ``generate``: rows are padded on the left."""
    ids, mask = left_padded(prompts)
    seconds = []
    for count in (1, num_tokens):
        started = time.process_time()
        with torch.inference_mode():
            found = model.generate(
                ids,
                attention_mask=mask,
                max_new_tokens=count,
                min_new_tokens=count,
                do_sample=False,
                eos_token_id=None,
                pad_token_id=0,
            )
        seconds.append(time.process_time() - started)
    return found[:, ids.shape[1] :].tolist(), seconds[0], seconds[1] - seconds[0]


def of_vllm(python: str, model: str, prompts: list[list[int]], num_tokens: int, dtype: str) -> tuple[Any, float, float]:
    """The same of vLLM, in an environment of its own."""
    job = json.dumps({"model": model, "prompts": prompts, "tokens": num_tokens, "dtype": dtype})
    script = str(Path(__file__).with_name("decoding_vllm.py"))
    done = subprocess.run([python, script], input=job, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.strip().split("\n")[-1])
    return found["ids"], found["prefill_s"], found["decode_s"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--problems", type=Path)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=17)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--runs", type=int, default=1, help="rounds; a figure is their median")
    parser.add_argument("--vllm", metavar="PYTHON", help="compare with vLLM of this environment, too")
    args = parser.parse_args()
    from transformers import AutoModelForCausalLM

    lines = args.problems.read_text("utf-8").split("\n") if args.problems else []
    rows = [json.loads(line) for line in lines if line.strip()]
    asked = [row.get("problem") or row["question"] for row in rows]
    asked = sorted(asked, key=len)[: args.rows] or [f"What is {17 * index} + {index}?" for index in range(args.rows)]
    engine = load_engine(args.model, max_rows=args.rows, dtype=args.dtype)
    assert isinstance(engine, LocalEngine)
    prompts = [engine.codec.encode_chat(question) for question in asked]
    num_decoded = len(prompts) * (args.tokens - 1)
    folder = resolve_model(args.model)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, engine.dtype)).eval()
    rounds = []
    for _ in range(args.runs):
        found = {
            "ours": asyncio.run(ours(engine, prompts, args.tokens)),
            "generate": theirs(model, prompts, args.tokens),
        }
        if args.vllm:
            found["vllm"] = of_vllm(args.vllm, str(folder), prompts, args.tokens, engine.dtype)
        rounds.append(found)
        said = {name: round(num_decoded / decode_s, 1) for name, (_, _, decode_s) in found.items()}
        print(f"decoded per CPU-second: {said}", file=sys.stderr)
    mine = rounds[0]["ours"][0]
    gaps = []
    for prompt, one, two in zip(prompts, mine, rounds[0]["generate"][0], strict=True):
        at = next((i for i, (a, b) in enumerate(zip(one, two, strict=True)) if a != b), None)
        if at is not None:
            with torch.inference_mode():
                logits = model(torch.tensor([prompt + two[:at]])).logits[0, -1].float()
            gaps.append(round(float(logits[two[at]] - logits[one[at]]), 6))
    others = [name for name in rounds[0] if name != "ours"]
    result = {
        "dtype": engine.dtype,
        "rows": len(prompts),
        "prompt_tokens": sum(map(len, prompts)),
        "identical": len(prompts) - len(gaps),
        "logit_gaps_where_different": sorted(gaps),
        "decoded_per_cpu_second": {
            name: statistics.median(num_decoded / one[name][2] for one in rounds) for name in rounds[0]
        },
        "decode_ratio": {name: _ratios([one[name][2] / one["ours"][2] for one in rounds]) for name in others},
        "prefill_ratio": {name: _ratios([one[name][1] / one["ours"][1] for one in rounds]) for name in others},
    }
    print(json.dumps(result, indent=1))


def _ratios(found: list[float]) -> dict[str, float]:
    """Median and spread over the rounds; above 1 we are faster."""
    return {"median": statistics.median(found), "least": min(found), "most": max(found)}


if __name__ == "__main__":
    main()
