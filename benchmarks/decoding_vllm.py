"""The part of ``decoding.py`` that runs in vLLM's own environment: vLLM's CPU build on the same prompts, one thread.

    PYTHON benchmarks/decoding_vllm.py < JOB

JOB is a JSON object: ``model`` (folder), ``prompts`` (token ids), ``tokens`` (of each row), ``dtype``. Prints the tokens of
each row, and the CPU seconds of the process up to the first tokens and for the others, as one JSON line after vLLM's own.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ |= {
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": os.environ.get("VLLM_CPU_OMP_THREADS_BIND", "0"),
    "VLLM_CPU_KVCACHE_SPACE": "2",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # two processes poll each other without a pause
    "VLLM_LOGGING_LEVEL": "ERROR",
}

from vllm import LLM, SamplingParams


def main() -> None:
    """Measure and print."""
    job = json.load(sys.stdin)
    engine = LLM(
        model=job["model"],
        dtype=job["dtype"],
        max_model_len=2048,
        max_num_seqs=len(job["prompts"]),
        enable_prefix_caching=False,
        distributed_executor_backend="uni",
    )
    prompts = [{"prompt_token_ids": ids} for ids in job["prompts"]]

    def timed(count: int) -> tuple[list[list[int]], float]:
        started = time.process_time()
        wanted = SamplingParams(temperature=0.0, max_tokens=count, min_tokens=count, ignore_eos=True, detokenize=False)
        found = engine.generate(prompts, wanted, use_tqdm=False)
        return [list(one.outputs[0].token_ids) for one in found], time.process_time() - started

    timed(2)  # compiles what it compiles
    _, prefill_s = timed(1)
    ids, seconds = timed(job["tokens"])
    print("\n" + json.dumps({"ids": ids, "prefill_s": prefill_s, "decode_s": seconds - prefill_s}))


if __name__ == "__main__":
    main()
