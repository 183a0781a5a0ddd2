"""Synthetic graded runs: problems in groups, rollouts with calls, and the run that the tests tabulate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from selftaught.evals.build import EvalRun
from selftaught.records import (
    ExecStatus,
    Grade,
    Outcome,
    Problem,
    ProblemKind,
    Span,
    SpanSource,
    StopReason,
    ToolInfo,
    Trajectory,
)
from selftaught.store import write_records

GROUPS = ("hard", "easy", "code", "choice")


def problems(count: int = 40) -> list[Problem]:
    return [
        Problem(
            id=f"p{n}",
            problem=f"q{n}",
            kind=ProblemKind.MATH,
            answer=str(n),
            metadata={"group": GROUPS[n % 4], "family": f"f{n % 3}"},
        )
        for n in range(count)
    ]


def rollout(problem: Problem, sample: int, calls: int, round_: int | None = None) -> Trajectory:
    spans = [
        Span(source=SpanSource.PROMPT, token_ids=[1, 2], text="q<think>\n"),
        Span(source=SpanSource.MODEL, token_ids=[3] * 10, text="thinking"),
    ]
    for _ in range(calls):
        tool = ToolInfo(
            code="import math\nmath.x", status=ExecStatus.ERROR, output="Traceback\nAttributeError: no x", wall_s=0.5
        )
        spans.append(Span(source=SpanSource.TOOL, token_ids=[4] * 5, text="```output\n…\n```\n", tool=tool))
    spans.append(Span(source=SpanSource.MODEL, token_ids=[5] * 4, text="</think>\\boxed{1}"))
    suffix = "" if round_ is None else f"@{round_}"
    return Trajectory(
        id=f"{problem.id}#{sample}{suffix}",
        problem_id=problem.id,
        sample=sample,
        round=round_,
        spans=spans,
        stop_reason=StopReason.ANSWERED,
    )


def run(
    folder: Path,
    condition: str,
    given: list[Problem],
    right: Callable[[int, int], bool],
    samples: int = 1,
    calls: int = 0,
    rounds: int | None = None,
) -> EvalRun:
    """Write a graded run in which sample s of problem n is right when ``right(n, s)``; by rounds, s is the round."""
    numbered = [
        (n, p, s) for n, p in enumerate(given) for s in (range(samples) if rounds is None else range(rounds + 1))
    ]
    trajectories = [
        rollout(p, s if rounds is None else 0, calls, None if rounds is None else s) for _, p, s in numbered
    ]
    grades = [
        Grade(trajectory_id=t.id, problem_id=t.problem_id, correct=right(n, s), extracted=str(right(n, s)), path="integer",
              outcome=Outcome.CORRECT if right(n, s) else Outcome.WRONG)
        for t, (n, _, s) in zip(trajectories, numbered, strict=True)
    ]  # fmt: skip
    write_records(folder / condition / "trajectories.jsonl", trajectories)
    write_records(folder / condition / "grades.jsonl", grades)
    return EvalRun(
        condition,
        folder / condition / "trajectories.jsonl",
        folder / condition / "grades.jsonl",
        "toy",
        "greedy",
        scaling=rounds is not None,
    )
