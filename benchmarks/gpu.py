"""Everything that is planned for a GPU and not measured yet, in one command of about ten minutes on one GPU.

    python benchmarks/gpu.py [--out runs/gpu] [--minutes 10] [--only PART …] [--model FOLDER]
    python benchmarks/gpu.py --small            # a try on a CPU in under a minute: it shows that the command works

Parts, in this order; `gpu_parts` holds them:

machine   the chip, its matrix products in bfloat16 (measured and by its data sheet), its memory's speed
engine    prefill and decoding of the local engine in bfloat16, 1, 32 and 256 rows: embedded reasoner, random 1.5 B
rollouts  rollouts with hints and tools over plain decoding by the same engine: tokens a second, sampled ones alone too
parity    greedy tokens of the GPU against those of the CPU in float32; accuracy in float32 and bfloat16
sft       fine-tuning on 16,384 packed tokens, full and LoRA: tokens a second, share of the peak, memory; TRL beside it
demo      ``selftaught demo`` with its pool and test cut to fit, seconds by stage

Each part runs in a process of its own with its share of the minutes, and writes down each figure as soon as it has it. A
part that fails, or whose time is up, is written down as such with what it had; the others go on. What does not fit into
the GPU's memory is tried again in a smaller size. Results: ``gpu.json`` (all figures) and ``gpu.md`` (tables for docs/).
Exit codes: 0 all parts done, 1 a part failed or ran out of time, 3 torch sees no GPU (and no ``--small``).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
sys.path.insert(0, str(Path(__file__).parent))

SHARES = {"machine": 20, "engine": 130, "rollouts": 60, "parity": 70, "sft": 190, "demo": 130}
"""Seconds of each part when all have 600 together."""
TITLES = {
    "machine": "Machine",
    "engine": "Local engine, bfloat16",
    "rollouts": "Rollouts with hints and tools over plain decoding",
    "parity": "GPU against CPU",
    "sft": "Supervised fine-tuning, one pack a step",
    "demo": "The loop of the demo, by stage",
}


def run_part(name: str, small: bool, model: str | None, scratch: str, seconds: float, rows_file: str) -> None:
    """The child process: one part, its rows appended to ``rows_file``; exit code 1 after an error, which is a row too."""
    os.setsid()  # so that what it starts ends with it
    os.dup2(2, 1)  # libraries print; stdout is for the result
    started = time.monotonic()
    with open(rows_file, "a", encoding="utf-8", buffering=1) as file:

        def note(**row: Any) -> None:
            file.write(json.dumps(row) + "\n")
            print(f"  {name} " + " ".join(f"{key}={value}" for key, value in row.items()), file=sys.stderr, flush=True)

        try:
            import gpu_job
            import gpu_parts

            job = gpu_job.Job(small, model, Path(scratch), started + seconds, note)
            gpu_parts.PARTS[name](job)
            spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
            file.write(json.dumps({"cpu_seconds": round(sum(one.ru_utime + one.ru_stime for one in spent), 1)}) + "\n")
        except Exception as error:  # whatever a driver or a library does: the others go on
            text = str(error).strip().splitlines() or [""]
            note(error=f"{type(error).__name__}: {text[0][:300]}")
            import traceback

            traceback.print_exc()
            file.flush()
            os._exit(1)  # a broken CUDA context may hang in the interpreter's own end


def measure(name: str, options: argparse.Namespace, scratch: Path, seconds: float, context: Any) -> dict[str, Any]:
    """Run one part within its seconds: its state, how long it took, its rows."""
    rows_file = scratch / f"{name}.jsonl"
    rows_file.unlink(missing_ok=True)
    print(f"{name} (at most {seconds:.0f} s)", file=sys.stderr, flush=True)
    started = time.monotonic()
    child = context.Process(
        target=run_part, args=(name, options.small, options.model, str(scratch), seconds, str(rows_file))
    )
    child.start()
    try:
        child.join(seconds + 5)  # a part looks at the clock between its measurements; these are for the last one
        state = "out of time" if child.is_alive() else "done" if child.exitcode == 0 else "failed"
    finally:
        if child.exitcode != 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.join(10)
    lines = rows_file.read_text("utf-8").splitlines() if rows_file.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    spent = rows.pop() if rows and set(rows[-1]) == {"cpu_seconds"} else {}
    if state == "failed" and not any("error" in row for row in rows):
        rows.append({"error": f"the process ended with code {child.exitcode}"})
    if state == "done" and any("error" in row for row in rows):
        state = "failed in part"
    if state == "done" and any(row.get("left_out") == "no time left" for row in rows):
        state = "out of time"
    taken = round(time.monotonic() - started, 1)
    print(f"{name}: {state} after {taken} s {spent or ''}", file=sys.stderr, flush=True)
    return {"state": state, "seconds": taken, **spent, "rows": rows}


def tables(result: dict[str, Any]) -> str:
    """The result as Markdown: a table for each kind of rows of each part."""
    lines = ["# Measured by `benchmarks/gpu.py`", "", f"{result['command']}; {result['finished_at']}.", ""]
    for name, part in result["parts"].items():
        lines += [f"## {TITLES[name]}", ""]
        if part["state"] != "done":
            lines += [f"This part: {part['state']} after {part['seconds']} s.", ""]
        groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for row in part["rows"]:
            groups.setdefault(tuple(row), []).append(row)
        for columns, rows in groups.items():
            lines += [
                "| " + " | ".join(column.replace("_", " ") for column in columns) + " |",
                "|---" * len(columns) + "|",
            ]
            lines += ["| " + " | ".join(cell(row[column]) for column in columns) + " |" for row in rows] + [""]
    return "\n".join(lines).rstrip() + "\n"


def cell(value: Any) -> str:
    """A value as a table shows it."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if type(value) is int else str(value).replace("|", "\\|")


def write(result: dict[str, Any], out: Path) -> None:
    """Both files, whole or not at all."""
    for name, text in (("gpu.json", json.dumps(result, indent=1) + "\n"), ("gpu.md", tables(result))):
        (out / f".{name}").write_text(text, "utf-8")
        os.replace(out / f".{name}", out / name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"), help="folder of gpu.json and gpu.md")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all parts together")
    parser.add_argument("--only", nargs="+", choices=list(SHARES), metavar="PART")
    parser.add_argument("--model", help="a Qwen2, Qwen3 or Llama folder in place of the random 1.5 B model")
    parser.add_argument("--small", action="store_true", help="tiny sizes, also on a CPU: a try of the command")
    parser.add_argument("--json", action="store_true", help="print the JSON document at the end")
    parser.add_argument(
        "--scratch", type=Path, help="folder for models of some 3 GB; by default where temporary files go"
    )
    options = parser.parse_args()
    import torch

    if not torch.cuda.is_available() and not options.small:
        print(
            f"torch {torch.__version__} sees no GPU; expected one. --small tries the command on a CPU.", file=sys.stderr
        )
        return 3
    # A new interpreter for each part on a GPU: CUDA does not survive a fork. On a CPU a fork saves the imports.
    context: Any = multiprocessing.get_context("spawn" if torch.cuda.is_available() else "forkserver")
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload(["gpu_parts", "transformers", "selftaught.training.trainer"])
    names = [name for name in SHARES if name in (options.only or SHARES)]
    scale = 60 * options.minutes / sum(SHARES[name] for name in names)
    options.out.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Any] = {}
    result = {
        "benchmark": "gpu",
        "command": f"python benchmarks/gpu.py {' '.join(sys.argv[1:])}".strip(),
        "parts": parts,
    }
    scratch = Path(tempfile.mkdtemp(prefix="selftaught-gpu-", dir=options.scratch))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        for name in names:
            parts[name] = measure(name, options, scratch, scale * SHARES[name], context)
            result["finished_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            write(result, options.out)
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(json.dumps(result, indent=1) if options.json else (options.out / "gpu.md").read_text("utf-8"))
    print(f"written: {options.out / 'gpu.json'}, {options.out / 'gpu.md'}", file=sys.stderr)
    return 0 if all(part["state"] == "done" for part in parts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
