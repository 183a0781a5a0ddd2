"""Speed of the graders, each against a named baseline in the same run.

``python benchmarks/grading.py --json`` prints one JSON object of ratios. Baseline of the maths rows: plain math-verify in this
process (parse both, verify, its own time-outs), given the boxed answer alone. Ours: the whole path from a response text to a
verdict, with worker processes where they are needed. Pairs: every reference of the data set in a response that is right
(half) or another problem's answer (half). Data: ``--data DIR`` or ``$SELFTAUGHT_DATA`` with math500.jsonl and aime24.jsonl,
aime25.jsonl, aime_1983_2023.jsonl; without it, pairs of the same kinds are made here.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Pair = tuple[str, str]
"""(reference, answer)."""
RESPONSE = "I checked it twice.\n\nThe final answer is $\\boxed{%s}$."

MADE_MATH = [
    r"\frac{%d}{7}",
    r"%d\sqrt{2}",
    r"(%d,\infty)",
    r"x^2+%dx+1",
    r"\left(%d,\frac{\pi}{2}\right)",
    "%d",
    r"%d\pi",
    r"\frac{%d}{\sqrt{3}}",
]


def references(folder: Path | None, names: Sequence[str], made: Sequence[str]) -> tuple[list[str], str]:
    """References of the named files, or made ones; and where they are from."""
    found: list[str] = []
    for name in names:
        path = folder / f"{name}.jsonl" if folder else None
        if path is not None and path.is_file():
            found += [str(json.loads(line)["answer"]) for line in path.open(encoding="utf-8")]
    if found:
        return found, "+".join(names)
    return [made[n % len(made)] % (n + 2) if "%d" in made[n % len(made)] else str(n) for n in range(400)], "made"


def pairs_of(answers: Sequence[str], seed: int) -> list[Pair]:
    """Half right, half another problem's answer; shuffled."""
    rng = random.Random(seed)
    pairs = []
    for number, gold in enumerate(answers):
        answer = gold if number % 2 else rng.choice(answers)
        pairs.append((gold, answer))
    rng.shuffle(pairs)
    return pairs


def plain_math_verify(pairs: Sequence[Pair]) -> list[bool]:
    """The baseline."""
    from math_verify import parse, verify

    return [bool(verify(parse(f"\\boxed{{{gold}}}"), parse(f"\\boxed{{{answer}}}"))) for gold, answer in pairs]


def best_of(work: Callable[[], Any], runs: int) -> tuple[float, list[float]]:
    """Median wall seconds and all of them."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times), times


def compare(name: str, pairs: Sequence[Pair], runs: int, bar: float, source: str) -> dict[str, Any]:
    """Ours against plain math-verify on the same pairs, interleaved by run."""
    from selftaught.grading import Grader

    with Grader(workers=2) as grader:
        grader.maths.warm_up()

        def ours() -> list[bool]:
            return [grader.grade_pair("math", RESPONSE % answer, gold).correct for gold, answer in pairs]

        plain_math_verify(pairs[:20])
        verdicts, baseline_verdicts = ours(), plain_math_verify(pairs)
        our_times, their_times = [], []
        for _ in range(runs):
            their_times += best_of(lambda: plain_math_verify(pairs), 1)[1]
            our_times += best_of(ours, 1)[1]
    ratios = [theirs / mine for theirs, mine in zip(their_times, our_times, strict=True)]
    return {
        "name": name, "ratio": round(statistics.median(ratios), 2), "bar": bar, "baseline": "math-verify, in process",
        "runs": runs, "spread": [round(min(ratios), 2), round(max(ratios), 2)], "num_pairs": len(pairs), "data": source,
        "pairs_per_s": round(len(pairs) / statistics.median(our_times)), "baseline_pairs_per_s": round(len(pairs) / statistics.median(their_times)),
        "verdicts_that_differ": sum(a != b for a, b in zip(verdicts, baseline_verdicts, strict=True)),
    }  # fmt: skip


def hostile_latency(runs: int) -> dict[str, Any]:
    """Longest wait for a verdict on hostile answers, against the bar of 10 s; plain math-verify hangs on the first."""
    from selftaught.grading import Grader

    answers = ["9^{9^{9^{9}}}", r"\sum_{i=1}^{3} i^{9^{9^{9}}}", "1+" * 200_000 + "1", "{" * 400_000, "\x00\u202e4"]
    waits = []
    with Grader(workers=2) as grader:
        grader.maths.warm_up()
        for _ in range(runs):
            for answer in [*answers, "\\boxed{3} " * 100_000]:
                started = time.perf_counter()
                grader.grade_pair("math", f"\\boxed{{{answer}}}", "3")
                waits.append(time.perf_counter() - started)
    return {"name": "hostile answers", "ratio": round(10 / max(waits), 2), "bar": 1.0, "baseline": "10 s a verdict", "runs": runs,
            "spread": [round(10 / max(waits), 2), round(10 / max(min(waits), 1e-6), 2)], "worst_s": round(max(waits), 2)}  # fmt: skip


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ["SELFTAUGHT_DATA"]) if "SELFTAUGHT_DATA" in os.environ else None
    )
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    import logging

    logging.disable(logging.WARNING)
    math_answers, math_source = references(options.data, ["math500"], MADE_MATH)
    aime_answers, aime_source = references(options.data, ["aime24", "aime25", "aime_1983_2023"], ["%d"])
    rows = [
        compare("MATH-500 pairs", pairs_of(math_answers, 1), options.runs, 2.0, math_source),
        compare("AIME pairs", pairs_of(aime_answers, 2), options.runs, 20.0, aime_source),
        hostile_latency(1),
    ]
    if options.json:
        print(
            json.dumps(
                {"benchmark": "grading", "ratios": rows, "python": sys.version.split()[0], "cpus": os.cpu_count()},
                indent=2,
            )
        )
    else:
        for row in rows:
            print(f"{row['name']}: {row['ratio']}x (bar {row['bar']}x) {row['spread']}, against {row['baseline']}")
    return 0 if all(row["ratio"] >= row["bar"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
