"""Is the local engine as accurate as transformers' ``generate``? The same problems, greedy, graded alike.

    python benchmarks/accuracy.py ROLLOUT --model MODEL --problems FILE --out FILE [--ids gsm8k/] [--count 300]
                                  [--rows 32] [--dtype bfloat16] [--part 0/2]

ROLLOUT is the folder of a finished rollout of MODEL, greedy and without hints, such as ``eval/base`` of a run. Its prompts go
to ``generate`` with the same limit of tokens. Trajectories in which Python was called are left out, and so are answers
of ``generate`` that open a Python block: only a rollout can go on from there.

Prints one JSON object: right answers of both, the difference with its interval, how many texts are the same. ``--out``
keeps what was generated; the same command goes on with what is missing there. ``--part 0/2`` and ``--part 1/2`` share the work
between two processes that name different files; name both files in ``--with`` of a last call.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch

sys.path.insert(0, str(Path(__file__).parent))

from decoding import left_padded

from selftaught.evals.stats import paired_comparison
from selftaught.grading import Grader
from selftaught.problems.query import load_problems
from selftaught.records import Problem, Span, SpanSource, StopReason, Trajectory
from selftaught.store import read_jsonl, repair_tail
from selftaught.tokens import Codec, fences, resolve_model


def plain(folder: Path, problems: dict[str, Problem], count: int) -> list[Trajectory]:
    """The first ``count`` trajectories that hold a prompt and one stretch of sampled text, in the order of their ids."""
    found = [
        one
        for one in read_jsonl(folder / "trajectories.jsonl", Trajectory)
        if one.problem_id in problems
        and [span.source for span in one.spans] == [SpanSource.PROMPT, SpanSource.MODEL]
        and not one.stop_reason.is_failure
    ]
    return sorted(found, key=lambda one: one.id)[:count]


def generated(model: Any, codec: Codec, rows: list[Trajectory], max_tokens: int) -> Iterator[Trajectory]:
    """The rows with ``generate``'s text in place of the engine's. Prompts are padded on the left."""
    from transformers import GenerationConfig

    pad = min(codec.end_ids)
    ids, mask = left_padded([row.spans[0].token_ids for row in rows], pad)
    # The model's own settings may hold a repetition penalty or a temperature: these here are all that counts.
    model.generation_config = GenerationConfig(
        max_new_tokens=max_tokens, do_sample=False, eos_token_id=sorted(codec.end_ids), pad_token_id=pad
    )
    with torch.inference_mode():
        found = model.generate(ids, attention_mask=mask)
    for row, said in zip(rows, found[:, ids.shape[1] :].tolist(), strict=True):
        end = next((at for at, one in enumerate(said) if one in codec.end_ids), None)
        said = said if end is None else said[: end + 1]
        span = Span(source=SpanSource.MODEL, token_ids=said, text=codec.decode(said))
        stop = StopReason.MAX_TOKENS if end is None else StopReason.ANSWERED
        yield row.model_copy(update={"spans": [row.spans[0], span], "stop_reason": stop, "condition": "generate"})


def opens_python(row: Trajectory) -> bool:
    """Whether a rollout would have run something here."""
    return any(block.language in fences.PYTHON for block in fences.blocks(row.spans[1].text))


def compared(
    ours: list[Trajectory], theirs: dict[str, Trajectory], problems: dict[str, Problem]
) -> dict[str, float | int | list[float]]:
    """Both sides graded on the problems that both answered without Python."""
    opened = [one.id for one in ours if one.id in theirs and opens_python(theirs[one.id])]
    both = [one for one in ours if one.id in theirs and one.id not in opened]
    with Grader() as grader:
        local = [float(grader.grade(problems[one.problem_id], one).correct) for one in both]
        other = [float(grader.grade(problems[one.problem_id], theirs[one.id]).correct) for one in both]
    result = paired_comparison(local, other)
    pairs = list(zip(local, other, strict=True))
    return {
        "problems": len(both),
        "left_out_with_python": len(opened),
        "right_local": int(sum(local)),
        "right_generate": int(sum(other)),
        "only_local": pairs.count((1.0, 0.0)),
        "only_generate": pairs.count((0.0, 1.0)),
        "points": round(100 * result.diff, 2),
        "interval": [round(100 * bound, 2) for bound in result.ci95],
        "same_text": sum(one.spans[1].token_ids == theirs[one.id].spans[1].token_ids for one in both),
    }


def main() -> None:
    """Generate what is missing, then compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rollout", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--problems", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--with", dest="others", nargs="*", default=[], type=Path, help="files of other parts")
    parser.add_argument("--ids", default="", help="only problems whose id begins so, such as gsm8k/")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--part", default="0/1")
    args = parser.parse_args()
    from transformers import AutoModelForCausalLM

    problems = {one.id: one for one in load_problems(args.problems) if one.id.startswith(args.ids)}
    ours = plain(args.rollout, problems, args.count)
    max_tokens = json.loads((args.rollout / "run.json").read_text("utf-8"))["settings"]["max_tokens"]
    args.out.touch()
    repair_tail(args.out)
    theirs = {one.id: one for file in (args.out, *args.others) for one in read_jsonl(file, Trajectory)}
    part, parts = map(int, args.part.split("/"))
    # Of alike length, so that a batch does not wait for one long row.
    wanted = sorted(ours, key=lambda one: len(one.spans[1].token_ids))
    batches = [wanted[at : at + args.rows] for at in range(0, len(wanted), args.rows)][part::parts]
    left = [rows for batch in batches if (rows := [one for one in batch if one.id not in theirs])]
    if left:
        folder = resolve_model(args.model)
        codec = Codec(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, args.dtype)).eval()
        for number, rows in enumerate(left, 1):
            started = time.monotonic()
            for one in generated(model, codec, rows, max_tokens):
                theirs[one.id] = one
                with args.out.open("a", encoding="utf-8") as file:
                    file.write(one.to_json() + "\n")
            print(f"{number} of {len(left)} batches, {time.monotonic() - started:.0f} s", file=sys.stderr)
    print(json.dumps(compared(ours, theirs, problems) | {"dtype": args.dtype, "max_tokens": max_tokens}, indent=1))


if __name__ == "__main__":
    main()
