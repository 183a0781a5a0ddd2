"""What a recipe with ``hints: learned`` paid for D_seed: accepted rows per sampled token, against random insertion.

``python benchmarks/learned_loop.py RUN`` reads a run whose recipe has ``seed_round.learn.random_insertion`` (the recipes
``learned-hints`` and ``random-insertion``). A row is accepted when the data set of its arm, before both are cut to one size,
kept it and it calls Python. Tokens are all that an arm sampled: probe, hinted and plain branches, what they share once. The
ratios have 95 % intervals by a bootstrap over the problems of the pool, both arms on the same draw.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selftaught.curation.records import KeptRow
from selftaught.pipeline.learning import sampled_tokens, within_budget
from selftaught.records import Problem
from selftaught.runs.folders import RolloutFolder, RunFolder
from selftaught.runs.stages import (
    StageRef,
    compared_data_sets,
    greedy_rollout,
    hinted_rollout,
    probe_rollout,
    random_greedy_rollout,
    random_rollout,
)
from selftaught.store import read_jsonl

RESAMPLES = 4000
Floats = NDArray[np.float64]


def accepted(run: RunFolder, data: StageRef) -> dict[str, int]:
    """Problem → rows with a call that a data set kept of it."""
    found: dict[str, int] = {}
    for row in read_jsonl(run.data(data).kept, KeptRow):
        name = row.trajectory.problem_id
        found[name] = found.get(name, 0) + (row.facts.num_calls > 0)
    return found


def column(values: dict[str, int], names: Sequence[str], only: set[str] | None = None) -> Floats:
    """One number a problem, 0 where there is none."""
    return np.asarray([values.get(name, 0) if only is None or name in only else 0 for name in names], dtype=np.float64)


def ratio(first: tuple[Floats, Floats], second: tuple[Floats, Floats], seed: int = 0) -> list[float]:
    """Accepted per token of ``second`` over that of ``first``: value and 95 % interval, problems resampled together."""
    size = len(first[0])
    index = np.random.default_rng(seed).integers(0, size, size=(RESAMPLES, size))

    def rate(arm: tuple[Floats, Floats], at: NDArray[np.int64]) -> Floats:
        found: Floats = arm[0][at].sum(axis=-1) / arm[1][at].sum(axis=-1)
        return found

    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = rate(second, index) / rate(first, index)
        value = rate(second, np.arange(size)) / rate(first, np.arange(size))
    return [round(float(one), 3) for one in (value, *np.nanquantile(drawn, [0.025, 0.975]))]


def pays_from(arms: dict[str, tuple[Floats, Floats]], num_rest: int, num_probed: int) -> int | None:
    """The pool size from which a probe of this size is paid back, or None where the policy saves nothing.

    The rest of such a pool would cost and give what this rest did, problem by problem.
    """
    rate = float(arms["random"][0].sum() / arms["random"][1].sum())
    rows, tokens = (float(one.sum()) / num_rest for one in arms["learned, rest of the pool"])
    lacking = float(arms["probe"][1].sum()) * rate - float(arms["probe"][0].sum())
    each = rows - rate * tokens
    return num_probed + math.ceil(max(0.0, lacking) / each) if each > 0 else None


def main(arguments: Sequence[str] | None = None) -> int:
    """One line an arm, one line a ratio."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 1:
        raise SystemExit("usage: learned_loop.py RUN")
    run = RunFolder(Path(given[0]))
    d_learned, d_random = compared_data_sets()
    names = sorted(problem.id for problem in read_jsonl(run.problem_sets.pool, Problem))
    probed = {problem.id for problem in read_jsonl(run.problem_sets.probed, Problem)}
    rest = {problem.id for problem in read_jsonl(run.problem_sets.rest, Problem)}

    def folders(*refs: StageRef) -> list[RolloutFolder]:
        return [run.rollout(ref) for ref in refs]

    learned = sampled_tokens(folders(probe_rollout(), hinted_rollout(), greedy_rollout()))
    random = sampled_tokens(folders(random_rollout(), random_greedy_rollout()))
    taken = within_budget(random, sum(learned.values()))
    rows = accepted(run, d_learned), accepted(run, d_random)
    arms = {
        "random": (column(rows[1], names, taken), column(random, names, taken)),
        "learned": (column(rows[0], names), column(learned, names)),
        "random, rest of the pool": (column(rows[1], names, taken & rest), column(random, names, taken & rest)),
        "learned, rest of the pool": (column(rows[0], names, rest), column(learned, names, rest)),
        "probe": (column(rows[0], names, probed), column(learned, names, probed)),
    }
    for name, (rows_of, tokens) in arms.items():
        count, spent = int(rows_of.sum()), int(tokens.sum())
        told = {"arm": name, "problems": int((tokens > 0).sum()), "accepted": count, "tokens": spent}
        print(json.dumps({**told, "tokens_per_accepted": round(spent / max(1, count), 1)}))
    for first, second in (("random", "learned"), ("random, rest of the pool", "learned, rest of the pool")):
        told = {"accepted_per_token": second, "against": first}
        print(json.dumps({**told, "ratio_and_interval": ratio(arms[first], arms[second])}))
    print(json.dumps({"probe_pays_from_a_pool_of": pays_from(arms, len(rest), len(probed))}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
