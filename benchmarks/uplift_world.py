"""Do the uplift tables and the learned policies hold in a world whose uplifts are known? By simulation.

``python benchmarks/uplift_world.py`` draws probes of NUM_PROBLEMS problems. Each trajectory has one or two forks, at places
that are chosen with unequal, recorded probabilities; each fork tries three of six hints. Pairs of one problem resemble each
other. It counts, over ``--runs`` probes:

- how often the 95 % intervals hold the true uplift, and how often all useless hints escape the verdict "helps";
- how often design A names the best hint, from the pairs of one probe.

``--intervals`` compares Tango's interval with Bonett and Price's and with a Dirichlet posterior instead.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from selftaught.evals.forked import Verdict
from selftaught.evals.stats import bonett_price_interval
from selftaught.hints.learned import Utility
from selftaught.records import ProblemKind
from selftaught.uplift.cells import fit_cells
from selftaught.uplift.intervals import tango_interval
from selftaught.uplift.pairs import Pair, fate_of
from selftaught.uplift.tables import uplift_rows

NUM_PROBLEMS = 400
TRIED = 3
ALIKE = 0.3
"""Chance that a pair repeats the fate that another pair of its problem and hint has."""
BASE = 0.35
"""Chance that a plain branch is right, where the hint changes nothing."""

WORLD: dict[str, tuple[float, float]] = {
    "best": (0.20, 0.01),
    "good": (0.10, 0.02),
    "slight": (0.05, 0.02),
    "idle": (0.02, 0.02),
    "coin": (0.08, 0.08),
    "harmful": (0.03, 0.10),
}
"""Hint → (gain, loss) at the end of the thinking. After a word, gains are half as frequent."""
PLACES = {"word": 0.25, "end": 0.75}
"""Place → probability with which it is chosen. Both are reached by every trajectory."""
EARLY = 0.5


@dataclass(frozen=True)
class Found:
    """What one probe showed."""

    held: dict[str, bool]
    """``hint at place``, or the hint alone → whether the interval holds the truth."""
    false_alarm: bool
    named_best: bool
    missed: int
    """Rows of a hint that helps or harms for which there were too few pairs."""


def truth(hint: str, place: str = "") -> float:
    """The true uplift of a hint; without a place its mean over both places, which every trajectory reaches."""
    gain, loss = WORLD[hint]
    at = {"word": EARLY * gain - loss, "end": gain - loss}
    if hint in ("idle", "coin"):  # useless everywhere
        at = {"word": 0.0, "end": 0.0}
    return at[place] if place else (at["word"] + at["end"]) / 2


def draw_probe(rng: np.random.Generator, num_problems: int = NUM_PROBLEMS, tried: int = TRIED) -> list[Pair]:
    """The pairs of one probe."""
    return list(_pairs(rng, num_problems, tried))


def _pairs(rng: np.random.Generator, num_problems: int, tried: int) -> Iterator[Pair]:
    names = list(WORLD)
    for problem in range(num_problems):
        shared = {hint: rng.random() for hint in names}
        for sample in range(2):
            place = "word" if rng.random() < PLACES["word"] else "end"
            for index in rng.permutation(len(names))[:tried]:
                hint = names[index]
                gain, loss = WORLD[hint]
                if place == "word":
                    gain = loss if hint in ("idle", "coin") else EARLY * gain
                point = shared[hint] if rng.random() < ALIKE else rng.random()
                if point < gain:
                    fate = fate_of(False, True)
                elif point < gain + loss:
                    fate = fate_of(True, False)
                else:
                    right = rng.random() < BASE
                    fate = fate_of(right, right)
                yield Pair(
                    fork=f"p{problem}#{sample}@0",
                    problem=f"p{problem}",
                    kind=ProblemKind.MATH,
                    difficulty="",
                    place=place,
                    function=hint,
                    fate=fate,
                    weight=1 / PLACES[place],
                    features={"noise": float(rng.random())},
                    prefix_tokens=100,
                    plain_tokens=50,
                    hint_tokens=80,
                    plain_truncated=False,
                    hint_truncated=False,
                    accepted=False,
                )


def judge_probe(pairs: list[Pair]) -> Found:
    """What the tables and design A say of one probe."""
    held: dict[str, bool] = {}
    missed, false_alarm = 0, False
    for by in (("hint",), ("hint", "place")):
        for row in uplift_rows(pairs, by):
            true = truth(row.hint, row.place)
            held[" at ".join((row.hint, row.place)) if row.place else row.hint] = row.ci95[0] <= true <= row.ci95[1]
            if true == 0:
                false_alarm |= row.verdict is Verdict.HELPS and by == ("hint", "place")
            else:
                missed += row.verdict is Verdict.TOO_FEW
    utility = Utility(max_loss=0.05)
    end = next(cell for cell in fit_cells(pairs, utility) if cell.place == "end")
    worth = {
        name: utility.of(arm.gain / arm.total, arm.loss / arm.total, arm.extra_tokens)
        for name, arm in end.arms.items()
        if not arm.barred
    }
    return Found(held, false_alarm, bool(worth) and max(worth, key=lambda name: worth[name]) == "best", missed)


def compare_intervals(runs: int, seed: int) -> Iterator[dict[str, float]]:
    """Coverage of three intervals, one row a setting: pairs, shares of gains and losses."""
    for size in (30, 60, 120, 300):
        for gain, loss in ((0.15, 0.02), (0.05, 0.02), (0.3, 0.05), (0.02, 0.02), (0.1, 0.1), (0.05, 0.0)):
            rng = np.random.default_rng(seed)
            counts = rng.multinomial(size, [gain, loss, 1 - gain - loss], size=runs)
            held = {"tango": 0, "bonett_price": 0, "dirichlet": 0}
            for won, lost, tied in counts:
                drawn = rng.dirichlet([won + 0.5, lost + 0.5, tied + 1.0], size=1000)
                posterior = np.quantile(drawn[:, 0] - drawn[:, 1], [0.025, 0.975])
                found = {
                    "tango": tango_interval(won / size, lost / size, size),
                    "bonett_price": bonett_price_interval(int(won), int(lost), size),
                    "dirichlet": (float(posterior[0]), float(posterior[1])),
                }
                for name, (low, high) in found.items():
                    held[name] += low <= gain - loss <= high
            yield {"pairs": size, "gain": gain, "loss": loss, **{name: n / runs for name, n in held.items()}}


def main() -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--problems", type=int, default=NUM_PROBLEMS)
    parser.add_argument("--intervals", action="store_true", help="compare three intervals instead")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    options = parser.parse_args()
    if options.intervals:
        for line in compare_intervals(options.runs, options.seed):
            print(json.dumps(line) if options.json else "  ".join(f"{k} {v:g}" for k, v in line.items()))
        return 0
    found = [
        judge_probe(draw_probe(np.random.default_rng((options.seed, run)), options.problems))
        for run in range(options.runs)
    ]
    rows = {name: sum(one.held[name] for one in found) / len(found) for name in sorted(found[0].held)}
    result: dict[str, object] = {
        "runs": options.runs,
        "problems": options.problems,
        "intervals_hold": round(sum(rows.values()) / len(rows), 4),
        "least": min(rows.values()),
        "most": max(rows.values()),
        "useless_called_useful": sum(one.false_alarm for one in found) / len(found),
        "best_hint_named": sum(one.named_best for one in found) / len(found),
        "too_few_pairs_rows": sum(one.missed for one in found) / len(found),
        "by_row": rows,
    }
    print(json.dumps(result) if options.json else "\n".join(f"{name}: {value}" for name, value in result.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
