"""Memory of worker processes that hold one model and many long rows: summed PSS, stage by stage.

    python benchmarks/memory.py MODEL [--workers 2] [--rows 32] [--columns 2048] [--dtype auto] [--json]

Each worker opens the model as rollouts do (two workers of a model whose weights take 16 bits: a copy each; otherwise one
shared copy), lets the cache grow as far as rows of ``--columns`` tokens would make it, writes into every column, and decodes
one token of each row. PSS counts a page that n processes share 1/n for each, so its sum counts every page once; the mean of
the parts below says where it goes. Linux only. Exit code 1 when the sum at the end is above ``--bar-gb``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

STAGES = ("imports", "model loaded", "cache filled", "one step decoded")


def pss_gb() -> dict[str, float]:
    """This process's PSS in GB, and its anonymous part."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    fields = {line.partition(":")[0]: line.split()[1] for line in lines[1:]}
    return {name: int(fields[name]) * 1024 / 1e9 for name in ("Pss", "Pss_Anon", "Pss_File", "Pss_Shmem")}


def worker(model: str, rows: int, columns: int, dtype: str, share: str | None, together: Any, found: Any) -> None:
    """One worker: its PSS after each stage, all workers being at the same stage."""
    import torch

    from selftaught.engines import load_engine
    from selftaught.engines.bands import Band
    from selftaught.engines.local import LocalEngine

    def stage(name: str) -> None:
        together.wait()
        found.put((name, pss_gb()))
        together.wait()

    stage("imports")
    engine = load_engine(model, max_rows=rows, dtype=dtype, share=share)
    assert isinstance(engine, LocalEngine)
    stage("model loaded")
    slots = engine.model
    filled = 0
    with torch.inference_mode():
        while filled < columns:
            end = min(columns, slots.capacity)
            for keys, values in zip(slots._keys_SKDN, slots._values_SKND, strict=True):
                keys[..., filled:end] = 0.5
                values[:, :, filled:end] = 0.5
            filled = end
            if filled < columns:
                slots.reserve(filled + 1)
    stage("cache filled")
    bands = [Band(low, min(low + 16, rows), columns) for low in range(0, rows, 16)]
    slots.step(list(range(rows)), [1] * rows, [columns - 1] * rows, bands)
    stage("one step decoded")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--columns", type=int, default=2048)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--bar-gb", type=float, default=5.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    from selftaught.engines.dtype import resolve_dtype, takes_two_bytes
    from selftaught.tokens import resolve_model

    folder = resolve_model(options.model)
    dtype = resolve_dtype(options.dtype, folder, "cpu")
    share = None
    if options.workers > 1 and not (options.workers == 2 and takes_two_bytes(folder, dtype)):
        share = f"/proc/{os.getpid()}/fd/{os.memfd_create('selftaught-weights')}"
    context = multiprocessing.get_context("spawn")
    together, found = context.Barrier(options.workers), context.Queue()
    arguments = (str(folder), options.rows, options.columns, dtype, share, together, found)
    children = [context.Process(target=worker, args=arguments, daemon=True) for _ in range(options.workers)]
    for child in children:
        child.start()
    sums: dict[str, dict[str, float]] = {}
    for name in STAGES:
        readings = [found.get(timeout=600) for _ in children]
        assert all(reading[0] == name for reading in readings)
        sums[name] = {part: round(sum(one[part] for _, one in readings), 2) for part in readings[0][1]}
        print(name, " ".join(f"{part} {value}" for part, value in sums[name].items()), file=sys.stderr)
    for child in children:
        child.join(30)
    total = sums[STAGES[-1]]["Pss"]
    result = {"dtype": dtype, "shared": share is not None, "sum_gb": total, "bar_gb": options.bar_gb, "stages": sums}
    print(json.dumps(result, indent=None if options.json else 1))
    return 0 if total <= options.bar_gb else 1


if __name__ == "__main__":
    sys.exit(main())
