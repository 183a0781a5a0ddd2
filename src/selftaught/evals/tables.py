"""Rows to table rows: one condition on one slice of a benchmark, pairs of conditions, families, tools, histograms."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from selftaught.evals.columns import CORRECT
from selftaught.evals.records import (
    ConditionRow,
    FamilyRow,
    GridRow,
    Histogram,
    PairedRow,
    ScalingRow,
    ToolRow,
    TransitionRow,
)
from selftaught.evals.rows import OUTCOMES
from selftaught.evals.samples import Samples, Slice, share
from selftaught.evals.stats import (
    detectable_difference_alone,
    majority_correct,
    mean_interval,
    paired_comparison,
    pass_at_k,
)
from selftaught.records import Outcome, Problem

MAX_LISTED_IDS = 200
MAX_LISTED_NAMES = 12
NUM_BINS = 24


def condition_row(samples: Samples, slice_: Slice, kind_is_code: bool = False) -> ConditionRow | None:
    """The headline row; None when the condition has nothing on the slice."""
    ids = samples.ids(slice_)
    if not ids:
        return None
    shares = list(samples.shares(slice_).values())
    sizes = [samples.by_problem.num_samples(problem_id) for problem_id in ids]
    rights = [round(one * size) for one, size in zip(shares, sizes, strict=True)]
    k = min(sizes)
    outcomes = Counter(OUTCOMES[value] for value in samples.by_problem.column("outcome", ids))
    return ConditionRow(
        name=samples.condition,
        benchmark=slice_.name,
        n=len(ids),
        k=k,
        pass_at_1=_mean(shares),
        ci95=mean_interval(shares),
        tool_call_rate=samples.call_rate(slice_),
        tokens_mean=samples.mean("tokens", slice_),
        outcomes={outcome: outcomes.get(outcome, 0) for outcome in Outcome},
        num_trajectories=sum(sizes),
        pass_at_k=_pass_at_ks(sizes, rights, k),
        maj_at_k=_majority(samples, slice_) if k > 1 and not kind_is_code else None,
        std_across_samples=_std_across_samples(samples, slice_, k),
        model_tokens_mean=samples.mean("model_tokens", slice_),
        thinking_tokens_mean=samples.mean("thinking_tokens", slice_),
        tool_calls_mean=samples.mean("num_calls", slice_),
        hints_mean=samples.mean("num_hints", slice_),
        seconds_mean=samples.mean("seconds", slice_),
        min_detectable_difference=detectable_difference_alone(shares),
        decoding=samples.decoding,
    )


def _mean(values: Sequence[float] | Sequence[bool] | Sequence[int]) -> float:
    return float(sum(values) / len(values)) if values else 0.0


def _pass_at_ks(sizes: Sequence[int], rights: Sequence[int], k: int) -> dict[int, float]:
    wanted = sorted({power for power in (1, 2, 4, 8, 16, 32, 64, 128) if power <= k} | {k})
    return {
        want: _mean([pass_at_k(size, right, want) for size, right in zip(sizes, rights, strict=True)])
        for want in wanted
    }


def _majority(samples: Samples, slice_: Slice) -> float:
    return _mean(
        [
            majority_correct([(row.answer, row.correct) for row in rows if row.answer is not None])
            for rows in samples.groups(slice_)
        ]
    )


def _std_across_samples(samples: Samples, slice_: Slice, k: int) -> float | None:
    if k < 2:
        return None
    # Row r, column s: is sample s of problem r right? The mean of a column is the benchmark's score by that sample
    # alone.
    scores = np.mean([[row.correct for row in rows[:k]] for rows in samples.groups(slice_)], axis=0)
    return float(np.std(scores, ddof=1))


def paired_row(a: Samples, b: Samples, slice_: Slice) -> PairedRow | None:
    """a − b on the problems that both have; None without any."""
    first, second = a.shares(slice_), b.shares(slice_)
    common = sorted(first.keys() & second.keys())
    if not common:
        return None
    # Paired by problem: how hard a problem is cancels out, which is most of the spread between problems.
    result = paired_comparison([first[i] for i in common], [second[i] for i in common])
    return PairedRow(
        a=a.condition,
        b=b.condition,
        benchmark=slice_.name,
        diff=result.diff,
        ci95=result.ci95,
        n=result.n,
        p_value=result.p_value,
        test=result.test,
        min_detectable_difference=result.min_detectable_difference,
    )


def transition_row(a: Samples, b: Samples, slice_: Slice) -> TransitionRow | None:
    """What became of each problem from ``a`` to ``b``; right means more than half of its samples are."""
    first, second = a.shares(slice_), b.shares(slice_)
    common = sorted(first.keys() & second.keys())
    if not common:
        return None
    fixed = [i for i in common if first[i] <= 0.5 < second[i]]
    broken = [i for i in common if second[i] <= 0.5 < first[i]]
    right_before = sum(first[i] > 0.5 for i in common)
    wrong_before = len(common) - right_before
    return TransitionRow(
        a=a.condition,
        b=b.condition,
        benchmark=slice_.name,
        n=len(common),
        wrong_to_right=len(fixed),
        right_to_wrong=len(broken),
        right_to_right=right_before - len(broken),
        wrong_to_wrong=wrong_before - len(fixed),
        rate_wrong_to_right=len(fixed) / wrong_before if wrong_before else None,
        rate_right_to_wrong=len(broken) / right_before if right_before else None,
        fixed=fixed[:MAX_LISTED_IDS],
        broken=broken[:MAX_LISTED_IDS],
    )


def family_rows(samples: Samples, slice_: Slice, problems: Mapping[str, Problem]) -> list[FamilyRow]:
    """One row a family, subject or difficulty, whichever the problems name."""
    families: dict[tuple[str, str], set[str]] = defaultdict(set)
    for problem_id in slice_.problem_ids:
        family = family_of(problems[problem_id])
        if family:
            families[str(problems[problem_id].metadata.get("group", "")), family].add(problem_id)
    rows: list[FamilyRow] = []
    for (group, family), ids in sorted(families.items()):
        row = condition_row(samples, Slice(slice_.name, frozenset(ids)))
        if row is not None:
            rows.append(
                FamilyRow(
                    family=family,
                    group=group,
                    benchmark=slice_.name,
                    condition=samples.condition,
                    n=row.n,
                    pass_at_1=row.pass_at_1,
                    ci95=row.ci95,
                    tool_call_rate=row.tool_call_rate,
                    tokens_mean=row.tokens_mean,
                )  # fmt: skip
            )
    return rows


def family_of(problem: Problem) -> str:
    """Generator's family, else subject, else difficulty or level; empty without any."""
    for key in ("family", "subject", "difficulty", "level"):
        if problem.metadata.get(key) not in (None, ""):
            value = problem.metadata[key]
            return f"level {value}" if key == "level" else str(value)
    return ""


def tool_row(samples: Samples, slice_: Slice) -> ToolRow | None:
    """How the condition used the interpreter on the slice."""
    statuses: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    seconds = 0.0
    num_rows = num_calls = 0
    per_trajectory: Counter[int] = Counter()
    with_call: list[bool] = []
    without: list[bool] = []
    for row in (row for group in samples.groups(slice_) for row in group):
        num_rows += 1
        num_calls += row.num_calls
        per_trajectory[row.num_calls] += 1
        (with_call if row.num_calls else without).append(row.correct)
        if row.calls:
            statuses.update(row.calls.statuses)
            errors.update(row.calls.error_types)
            modules.update(row.calls.modules)
            seconds += row.calls.seconds
    if not num_rows:
        return None
    return ToolRow(
        condition=samples.condition,
        benchmark=slice_.name,
        num_trajectories=num_rows,
        num_calls=num_calls,
        statuses=dict(sorted(statuses.items())),
        calls_per_trajectory=dict(sorted(per_trajectory.items())),
        accuracy_with_call=_mean(with_call) if with_call else None,
        accuracy_without_call=_mean(without) if without else None,
        num_with_call=len(with_call),
        seconds_total=seconds,
        error_types=dict(errors.most_common(MAX_LISTED_NAMES)),
        modules=dict(modules.most_common(MAX_LISTED_NAMES)),
    )


def histograms(all_samples: Sequence[Samples], slice_: Slice) -> list[Histogram]:
    """Tokens after the prompt by verdict, in the same bins for all conditions."""
    columns = {
        samples.condition: (
            samples.by_problem.column("tokens", ids),
            samples.by_problem.column("outcome", ids) == CORRECT,
        )
        for samples in all_samples
        if (ids := samples.ids(slice_))
    }
    largest = max((int(tokens.max()) for tokens, _ in columns.values()), default=0)
    if largest == 0:
        return []
    edges = np.linspace(0, _round_up(largest), NUM_BINS + 1)
    return [
        Histogram(
            condition=condition,
            benchmark=slice_.name,
            edges=[float(edge) for edge in edges],
            correct=_binned(tokens[right], edges),
            wrong=_binned(tokens[~right], edges),
        )
        for condition, (tokens, right) in columns.items()
    ]


def _round_up(value: int) -> int:
    step = max(1, 10 ** (len(str(value)) - 2))
    return -(-value // step) * step


def _binned(values: np.ndarray, edges: np.ndarray) -> list[int]:
    return [int(count) for count in np.histogram(values, bins=edges)[0]]


def scaling_rows(
    model: str, benchmark: str, points: Sequence[tuple[int, Samples]], slice_: Slice, method: str = "hints"
) -> list[ScalingRow]:
    """A curve: one point for each (round, samples), with the paired difference from the first."""
    rows: list[ScalingRow] = []
    first: Samples | None = None
    for number, samples in sorted(points, key=lambda point: point[0]):
        row = condition_row(samples, slice_)
        if row is None:
            continue
        against_first = paired_row(samples, first, slice_) if first is not None else None
        rows.append(
            ScalingRow(
                model=model,
                round=number,
                pass_at_1=row.pass_at_1,
                tokens_mean=row.thinking_tokens_mean,
                method=method,
                benchmark=benchmark,
                n=row.n,
                ci95=row.ci95,
                seconds_mean=row.seconds_mean,
                tool_call_rate=row.tool_call_rate,
                diff_from_first=against_first.diff if against_first else None,
                diff_ci95=against_first.ci95 if against_first else None,
            )
        )
        first = first or samples
    return rows


def majority_rows(model: str, benchmark: str, samples: Samples, slice_: Slice) -> list[ScalingRow]:
    """majority@v for v = 1, 2, 4, … votes, at the tokens that v samples cost.

    Each is averaged over disjoint groups of samples.
    """
    ids = samples.ids(slice_)
    if not ids:
        return []
    k = min(samples.by_problem.num_samples(problem_id) for problem_id in ids)
    tokens, seconds = samples.mean("thinking_tokens", slice_), samples.mean("seconds", slice_)
    curve: list[ScalingRow] = []
    votes = 1
    while votes <= k:
        # Disjoint groups, so that no sample votes twice. All groups of a problem give one share, since the problem is
        # the unit of the interval.
        shares = []
        for rows in samples.groups(slice_):
            groups = [rows[start : start + votes] for start in range(0, k - votes + 1, votes)]
            shares.append(
                _mean(
                    [
                        majority_correct([(r.answer, r.correct) for r in group if r.answer is not None])
                        for group in groups
                    ]
                )
            )
        curve.append(
            ScalingRow(
                model=model,
                round=votes,
                pass_at_1=_mean(shares),
                tokens_mean=votes * tokens,
                method="majority",
                benchmark=benchmark,
                n=len(ids),
                ci95=mean_interval(shares),
                seconds_mean=votes * seconds,
                tool_call_rate=samples.call_rate(slice_),
            )  # fmt: skip
        )
        votes *= 2
    return curve


def grid_rows(all_samples: Sequence[Samples], slice_: Slice, problems: Mapping[str, Problem]) -> list[GridRow]:
    """One row a problem, in the order of the problem file."""
    rows: list[GridRow] = []
    for problem_id, problem in problems.items():
        if problem_id not in slice_.problem_ids:
            continue
        cells: dict[str, float | None] = {}
        outcomes: dict[str, Outcome] = {}
        for samples in all_samples:
            found = samples.by_problem.get(problem_id)
            cells[samples.condition] = share(found) if found else None
            if found:
                outcomes[samples.condition] = found[0].outcome
        rows.append(
            GridRow(
                problem_id=problem_id,
                benchmark=slice_.name,
                family=family_of(problem),
                group=str(problem.metadata.get("group", "")),
                cells=cells,
                outcomes=outcomes,
            )  # fmt: skip
        )
    return rows
