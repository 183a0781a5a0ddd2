"""Accepted D_seed samples per sampled token: hints of several policies on the same problems, each beside the same run
without hints (``rollout --hints POLICY --plain DIR``), graded and curated.

``python benchmarks/adaptive.py random=RUNS/random learned=RUNS/learned``: each folder holds ``plain``, ``hinted`` (with their
grades) and ``d_seed`` (``curate --rule d_seed``). The first is the control. Tokens that both runs of a pair share are counted
once. Ratios have 95 % intervals by a bootstrap over problems. ``--level hard`` counts only problems of one level.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selftaught.hints.places import level_of
from selftaught.records import Grade, Problem, SpanSource, Trajectory
from selftaught.store import iter_lines, read_jsonl
from selftaught.uplift.intervals import upper_share

RESAMPLES = 4000
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Arm:
    """One policy: per problem, in the order of their ids."""

    problems: list[str]
    accepted: Floats
    tokens: Floats
    """Sampled, plain and hinted branch, what they share once."""
    hinted_tokens: Floats
    """Sampled on the hinted branch alone."""
    plain_right: Floats
    hinted_right: Floats
    broken: Floats
    hinted: Floats
    """1 where a hint was inserted."""

    def without_idle(self) -> Arm:
        """The same, had the problems into which it inserts nothing not been rolled out at all.

        That holds for a policy that decides by kind and level alone: it knows that before the first token.
        """
        return replace(self, tokens=self.tokens * (self.hinted > 0))


def read_arm(folder: Path, only: set[str] | None) -> Arm:
    """One policy's folder. Problems are those that both runs have."""
    plain, hinted = (read_run(folder / name) for name in ("plain", "hinted"))
    kept = {str(json.loads(line)["trajectory"]["id"]) for _, line in iter_lines(folder / "d_seed" / "kept.jsonl")}
    names = sorted(set(plain) & set(hinted) if only is None else set(plain) & set(hinted) & only)
    rows = []
    for name in names:
        before, after = plain[name], hinted[name]
        accepted = sum(one.id in kept for one, _ in after)
        right, now = (sum(correct for _, correct in one) / len(one) for one in (before, after))
        pairs = list(zip(sorted(before, key=sample), sorted(after, key=sample), strict=True))
        broken = sum(was and not is_now for (_, was), (_, is_now) in pairs)
        spent = sum(sampled(one) + sampled(other) - shared(one, other) for (one, _), (other, _) in pairs)
        given = any(one.hints() for one, _ in after)
        rows.append([accepted, spent, sum(sampled(one) for one, _ in after), right, now, broken, given])
    table = np.asarray(rows, dtype=np.float64)
    return Arm(names, *(table[:, column] for column in range(7)))


def sample(one: tuple[Trajectory, bool]) -> int:
    """Ordinal of a sample."""
    return one[0].sample


def read_run(folder: Path) -> dict[str, list[tuple[Trajectory, bool]]]:
    """Problem → (trajectory, right)."""
    right = {grade.trajectory_id: grade.correct for grade in read_jsonl(folder / "grades.jsonl", Grade)}
    found: dict[str, list[tuple[Trajectory, bool]]] = {}
    for one in read_jsonl(folder / "trajectories.jsonl", Trajectory):
        found.setdefault(one.problem_id, []).append((one, right[one.id]))
    return found


def shared(one: Trajectory, other: Trajectory) -> int:
    """Sampled tokens that two trajectories have in common at their beginning: what a fork samples once."""
    count = 0
    for mine, its in zip(drawn(one), drawn(other), strict=False):
        if mine != its:
            break
        count += 1
    return count


def drawn(one: Trajectory) -> list[int]:
    """The ids that were sampled up to the first that somebody else put in, those taken back there included."""
    ids: list[int] = []
    for span in one.spans:
        if span.source is SpanSource.PROMPT:
            continue
        if span.source is not SpanSource.MODEL:
            taken = span.hint.discarded_ids if span.hint is not None else []
            return [*ids, *taken]
        ids += span.token_ids
    return ids


def sampled(one: Trajectory) -> int:
    """Sampled tokens, those that were taken back included."""
    return one.num_tokens(SpanSource.MODEL) + one.num_taken_back()


def ratio_interval(first: Arm, second: Arm, seed: int = 0) -> tuple[float, float, float]:
    """Accepted per token of ``second`` over that of ``first``: value and 95 % interval, problems resampled together."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(first.problems), size=(RESAMPLES, len(first.problems)))

    def rate(arm: Arm, index: NDArray[np.int64]) -> Floats:
        found: Floats = arm.accepted[index].sum(axis=-1) / arm.tokens[index].sum(axis=-1)
        return found

    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = rate(second, drawn) / rate(first, drawn)
    everything = np.arange(len(first.problems))
    if not first.accepted.any():
        return math.nan, math.nan, math.nan
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(rate(second, everything) / rate(first, everything)), float(low), float(high)


def mean_difference(first: Floats, second: Floats, seed: int = 0) -> tuple[float, float, float]:
    """Mean of second - first with its 95 % interval, problems resampled."""
    rng = np.random.default_rng(seed)
    change = second - first
    means = change[rng.integers(0, change.size, size=(RESAMPLES, change.size))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(change.mean()), float(low), float(high)


def main(arguments: Sequence[str] | None = None) -> int:
    """Count and print one line a policy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arms", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--problems", type=Path, help="count only these problems")
    parser.add_argument("--level", help="with --problems: only those of this level")
    options = parser.parse_args(arguments)
    only = None
    if options.problems is not None:
        read = list(read_jsonl(options.problems, Problem))
        only = {one.id for one in read if options.level is None or level_of(one) == options.level}
    arms = {name: read_arm(Path(folder), only) for name, _, folder in (arm.partition("=") for arm in options.arms)}
    control = next(iter(arms.values()))
    for name, arm in arms.items():
        if arm.problems != control.problems:
            raise SystemExit(f"{name} has other problems than the control.")
        size, broken, right = len(arm.problems), int(arm.broken.sum()), int(arm.plain_right.sum())
        told = {
            "policy": name,
            "problems": size,
            "accepted": int(arm.accepted.sum()),
            "tokens": int(arm.tokens.sum()),
            "tokens_per_accepted": round(float(arm.tokens.sum() / max(1.0, arm.accepted.sum())), 1),
            "accepted_per_token_against_control": [round(value, 3) for value in ratio_interval(control, arm)],
            "same_without_idle": [round(value, 3) for value in ratio_interval(control, arm.without_idle())],
            "hinted": int(arm.hinted.sum()),
            "right_to_wrong": f"{broken} of {right}",
            "right_to_wrong_at_most": round(upper_share(broken, size), 4),
            "of_right_at_most": round(upper_share(broken, right), 4),
            "accuracy": round(float(arm.hinted_right.mean()), 4),
            "accuracy_against_control": [round(v, 4) for v in mean_difference(control.hinted_right, arm.hinted_right)],
            "hinted_tokens_a_problem": round(float(arm.hinted_tokens.mean()), 1),
            "hinted_tokens_against_control": round(float(arm.hinted_tokens.sum() / control.hinted_tokens.sum()), 3),
        }
        print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
