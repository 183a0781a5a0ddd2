"""What each rule of the maths grader is needed for: the verdicts that change when it is left out.

``python benchmarks/grading_rules.py --data DIR --run RUN`` compares the tests' own cases, DIR/math500.jsonl's references with themselves
and with random others (``--crossed``), and every answer that the grades of RUN hold with its reference; then all of them again without
one rule, for each rule. A rule that changes nothing decides nothing: it is deleted.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
Pair = tuple[str, str]
"""(reference, answer)."""


def cases() -> Iterator[tuple[Pair, str]]:
    """The pairs of the tests."""
    sys.path.insert(0, str(ROOT))
    from tests.grading.maths.cases import CASES
    from tests.grading.maths.meaning_cases import MEANING_CASES
    from tests.grading.maths.more_cases import MORE_CASES

    for name, table in (("cases", CASES), ("rarer cases", MORE_CASES), ("meaning", MEANING_CASES)):
        for rows in table.values():
            yield from (((gold, answer), name) for answer, gold, _ in rows)


def crossed(file: Path, number: int) -> Iterator[tuple[Pair, str]]:
    """A benchmark's references with themselves, respelt by nothing, and with random others."""
    golds = [str(json.loads(line)["answer"]) for line in file.open(encoding="utf-8") if line.strip()]
    rng = random.Random(5)
    yield from (((gold, gold), "same") for gold in golds)
    yield from (((rng.choice(golds), rng.choice(golds)), "crossed") for _ in range(number))


def rolled_out(run: Path) -> Iterator[tuple[Pair, str]]:
    """Extracted answers of a run with their references; answers of choices and programs left out."""
    references = {}
    for file in sorted(run.rglob("problems*.jsonl")) + sorted((run / "problems").glob("*.jsonl")):
        for line in file.open(encoding="utf-8"):
            problem = json.loads(line)
            references.setdefault(problem["id"], problem.get("answer"))
    for file in sorted(run.rglob("grades.jsonl")):
        for line in file.open(encoding="utf-8"):
            grade = json.loads(line)
            gold = references.get(grade["problem_id"])
            if gold and grade.get("extracted") and grade["path"] not in ("choice", "tests", "none"):
                yield (gold, grade["extracted"]), "rollouts"


def main() -> int:
    """Print one line a rule; 1 when a rule changes nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--run", type=Path, action="append", default=[])
    parser.add_argument("--crossed", type=int, default=6000)
    options = parser.parse_args()
    from selftaught.grading import maths
    from selftaught.grading.maths.rules import RULES
    from selftaught.grading.workers import MathVerdict, MathWorkers

    pairs = dict(cases())
    for run in options.run:
        pairs |= dict(rolled_out(run))
    if options.data:
        pairs |= dict(crossed(options.data / "math500.jsonl", options.crossed))
    asked: dict[Pair, MathVerdict] = {}
    idle = 0
    with MathWorkers() as workers:

        def ask(gold: str, answer: str) -> MathVerdict:
            if (gold, answer) not in asked:
                asked[gold, answer] = workers.check(gold, answer)
            return asked[gold, answer]

        def verdicts() -> dict[Pair, bool]:
            return {pair: maths.grade_maths(*pair, ask).correct for pair in pairs}

        print(f"{len(pairs)} pairs: {dict(Counter(pairs.values()))}")
        whole = verdicts()
        for rule in RULES:
            maths.RULES = tuple(one for one in RULES if one is not rule)
            without = verdicts()
            changed = [pair for pair in pairs if without[pair] != whole[pair]]
            idle += not changed
            print(
                f"{rule.__name__:20} {len(changed):5}  {dict(Counter(pairs[pair] for pair in changed))}  {changed[:1]}"
            )
    return 1 if idle else 0


if __name__ == "__main__":
    sys.exit(main())
